/** Auditors' accounts: a token each, of which the database has only the digest. */
import { createHash, randomBytes } from 'node:crypto'
import { equalBytes } from '../../crypto/bytes.ts'
import { encodeBase64Url } from '../../crypto/text.ts'
import type { AuditorRecord, AuditorRole } from '../store/log-records.ts'
import type { Store } from '../store/store.ts'

/** An auditor who has shown a good token. */
export interface Auditor {
  readonly name: string
  readonly role: AuditorRole
}

/** `undefined` for every token that opens nothing: unknown, malformed, expired, revoked. */
export type AuditorVerifier = (token: string) => Promise<Auditor | undefined>

/** What a new account gets. */
export interface NewAuditor {
  readonly name: string
  readonly role: AuditorRole
  /** UNIX seconds. */
  readonly now: number
  /** Until the token expires. */
  readonly days: number
}

/** Easy to find where it does not belong: in a repository, in a log, in a chat. */
const prefix = 'msa_'

const pattern = /^msa_[A-Za-z0-9_-]{43}$/

/** Names end up in leaves and file names. */
export const auditorName = /^[a-z0-9][a-z0-9._-]{0,63}$/

const dayLength = 86_400

/**
 * Makes an account and its token, which nobody can make again.
 *
 * @returns the token; `undefined` when the name belongs to an auditor whose token is still good
 */
export async function addAuditor(
  store: Pick<Store, 'commit'>,
  { name, role, now, days }: NewAuditor,
): Promise<string | undefined> {
  const token = prefix + encodeBase64Url(randomBytes(32))
  const auditor = {
    name,
    role,
    tokenHash: digestOf(token),
    createdAt: now,
    expiresAt: now + days * dayLength,
  }
  const { kind } = await store.commit([{ kind: 'add-auditor', auditor }])
  return kind === 'committed' ? token : undefined
}

/** Asks the database each time, so that a revocation holds from the next request on, in every process. */
export function createAuditorVerifier(
  store: Pick<Store, 'findAuditorByToken'>,
  now: () => number,
): AuditorVerifier {
  const find = createAuditorFinder(store, now)
  return async (token) => {
    const tokenHash = findTokenHash(token)
    return tokenHash === undefined ? undefined : await find(tokenHash)
  }
}

/** By the digest of a token; `undefined` for one that opens nothing any more. */
export type FindAuditor = (tokenHash: Uint8Array) => Promise<Auditor | undefined>

/** For whoever has seen the token before and remembers its digest. Asks the database each time, too. */
export function createAuditorFinder(
  store: Pick<Store, 'findAuditorByToken'>,
  now: () => number,
): FindAuditor {
  return async (tokenHash) => {
    const found = await store.findAuditorByToken(tokenHash)
    // The index may compare in any way it likes: what it compares is a digest, and this decides.
    if (found === undefined || !equalBytes(found.tokenHash, tokenHash)) return undefined
    return isGood(found, now()) ? { name: found.name, role: found.role } : undefined
  }
}

/** Whether the token of the account opens anything at `now`, UNIX seconds. */
export function isGood({ expiresAt, revokedAt }: AuditorRecord, now: number): boolean {
  return revokedAt === null && expiresAt > now
}

/** What is kept of a token, 32 bytes; `undefined` for what cannot be one. Attacker-controlled. */
export function findTokenHash(token: string): Uint8Array | undefined {
  return pattern.test(token) ? digestOf(token) : undefined
}

/** 256 bits of randomness need no slow digest. */
function digestOf(token: string): Uint8Array {
  return new Uint8Array(createHash('sha256').update(token).digest())
}
