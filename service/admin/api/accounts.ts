/**
 * Auditor accounts. The database stores only a MAC that binds the token to name, role and times. Write access to the
 * database therefore cannot create an auditor, change a role or extend an expiry.
 */
import { createHash, createHmac, randomBytes } from 'node:crypto'
import { equalBytes } from 'miniseal-protocol/bytes'
import { encodeBase64Url } from 'miniseal-protocol/text'
import type { AuditorRecord, AuditorRole } from '../../store/auditors.ts'
import type { Store } from '../../store/store.ts'

/** An authenticated auditor. */
export interface Auditor {
  readonly name: string
  readonly role: AuditorRole
}

/** `undefined` for an unknown, malformed, expired or revoked token. */
export type AuditorVerifier = (token: string) => Promise<Auditor | undefined>

/** The properties of a new account. */
export interface NewAuditor {
  readonly name: string
  readonly role: AuditorRole
  /** UNIX seconds. */
  readonly now: number
  /** Until the token expires. */
  readonly days: number
}

/** Recognizable by secret scanners. */
const prefix = 'msa_'

const pattern = /^msa_[A-Za-z0-9_-]{43}$/

/** Names appear in entries and file names. */
export const auditorName = /^[a-z0-9][a-z0-9._-]{0,63}$/

const dayLength = 86_400

/** The MAC key of accounts, derived from the lookup key. */
export function accountKeyOf(lookupKey: Uint8Array): Uint8Array {
  return new Uint8Array(createHmac('sha256', lookupKey).update('audit/account').digest())
}

/**
 * Creates an account and its token. The token cannot be recovered.
 *
 * @param key see {@link accountKeyOf}
 * @returns the token; `undefined` when the name belongs to an auditor with a valid token
 */
export async function addAuditor(
  store: Pick<Store, 'commit'>,
  key: Uint8Array,
  { name, role, now, days }: NewAuditor,
): Promise<string | undefined> {
  const token = prefix + encodeBase64Url(randomBytes(32))
  const account = { name, role, createdAt: now, expiresAt: now + days * dayLength }
  const auditor = { ...account, tokenHash: bind(key, account, digestOf(token)) }
  const { kind } = await store.commit([{ kind: 'add-auditor', auditor }])
  return kind === 'committed' ? token : undefined
}

/** Reads the database each time: a revocation takes effect with the next request in every process. */
export function createAuditorVerifier(
  store: Pick<Store, 'listAuditors'>,
  key: Uint8Array,
  now: () => number,
): AuditorVerifier {
  const find = createAuditorFinder(store, key, now)
  return async (token) => {
    const digest = findTokenDigest(token)
    const found = digest === undefined ? undefined : await find(digest)
    return found && { name: found.name, role: found.role }
  }
}

/** By the digest of a token; `undefined` if it is not valid. */
export type FindAuditor = (digest: Uint8Array) => Promise<FoundAuditor | undefined>

export interface FoundAuditor extends Auditor {
  /** UNIX seconds: sessions up to then are signed out; 0: never. */
  readonly signedOutAt: number
}

/** For sessions, which store the digest of the token. Also reads the database each time. */
export function createAuditorFinder(
  store: Pick<Store, 'listAuditors'>,
  key: Uint8Array,
  now: () => number,
): FindAuditor {
  return async (digest) => {
    // The stored MAC depends on the account, so each of the few accounts is tried.
    const found = (await store.listAuditors()).find((record) =>
      equalBytes(record.tokenHash, bind(key, record, digest)),
    )
    if (found === undefined || !isGood(found, now())) return undefined
    return { name: found.name, role: found.role, signedOutAt: found.signedOutAt ?? 0 }
  }
}

/** Names hold no line break. @param digest of the token, 32 bytes */
function bind(
  key: Uint8Array,
  { name, role, createdAt, expiresAt }: Omit<AuditorRecord, 'tokenHash' | 'revokedAt' | 'signedOutAt'>,
  digest: Uint8Array,
): Uint8Array {
  const account = [name, role, createdAt, expiresAt, ''].join('\n')
  return new Uint8Array(createHmac('sha256', key).update(account).update(digest).digest())
}

/** Whether the token of the account is valid at `now`, UNIX seconds. */
export function isGood({ expiresAt, revokedAt }: AuditorRecord, now: number): boolean {
  return revokedAt === null && expiresAt > now
}

/** The digest of a token, 32 bytes; `undefined` for a text of another form. Attacker-controlled. */
export function findTokenDigest(token: string): Uint8Array | undefined {
  return pattern.test(token) ? digestOf(token) : undefined
}

/** 256 bits of randomness need no slow digest. */
function digestOf(token: string): Uint8Array {
  return new Uint8Array(createHash('sha256').update(token).digest())
}
