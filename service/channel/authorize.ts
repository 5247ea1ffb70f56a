/** From a verified request to a command: the access token, then the durable claim of the nonce. */

import { ProtocolError } from 'miniseal-protocol/errors'
import type { RequestMessage } from 'miniseal-protocol/frames/binary-http'
import { findField } from 'miniseal-protocol/frames/binary-http'
import type { RequestSignature, SignatureWindow } from 'miniseal-protocol/http-signatures/signed-request'
import { encodeBase64Url } from 'miniseal-protocol/text'
import type { Caller } from '../gateway/backend.ts'
import { atStepAsync, ProblemError } from '../problems/problem-error.ts'
import type { TokenSubject } from '../sessions/tokens.ts'
import { renewalPath, tokenOf } from '../sessions/tokens.ts'
import type { SessionRecord } from '../store/sessions.ts'
import type { CommitResult, Write, WriteOf } from '../store/store.ts'
import type { IntentResult } from '../tlog/commit-entries.ts'
import type { ExchangeContext } from './context.ts'
import { replayed } from './copies.ts'
import { idempotencyClaim, mayHaveEffect } from './idempotency.ts'
import type { RequestContext } from './request-context.ts'
import { draftLeaf } from './request-context.ts'
import type { VerifiedRequest } from './verify.ts'
import { assertVerified, keyRevoked } from './verify.ts'

/** The claim of an Idempotency-Key, and whether it was this request that made it. */
interface IdempotencyState {
  readonly claim: WriteOf<'claim-idempotency'>
  readonly isNew: boolean
}

/** Made only by {@link claimRequest}: verified, authorized, its nonce durably used up, its session active. */
class Claimed {
  /** Makes the type nominal, so that nothing else can pass for it. */
  readonly #made = true
  readonly message: RequestMessage
  readonly caller: Caller
  /** Absent for safe requests, and where the key cannot be read. */
  readonly idempotency: IdempotencyState | undefined
  /** Kept, durably, for a request that may have an effect: whoever tells what came of it settles it. */
  readonly intent: Uint8Array | undefined
  /** What the session requires of a request that may have an effect, whatever its route asks for. */
  readonly requiredAcr: 'soter' | null

  constructor(parts: Pick<Claimed, 'message' | 'caller' | 'idempotency' | 'intent' | 'requiredAcr'>) {
    this.message = parts.message
    this.caller = parts.caller
    this.idempotency = parts.idempotency
    this.intent = parts.intent
    this.requiredAcr = parts.requiredAcr
  }

  static isMade(value: object): boolean {
    return #made in value && value.#made
  }
}

export type Command = Claimed

/** Run-time proof for the handlers. @throws Error for anything not made here. */
export function assertCommand(value: Command): void {
  if (!Claimed.isMade(value)) throw new Error('not a command')
}

/**
 * Checks the access token and its binding to the key that signed.
 *
 * @throws Refusal `token_missing`, `token_invalid`, `token_expired` or `token_key_mismatch`.
 */
export async function verifyToken(
  context: ExchangeContext,
  verified: VerifiedRequest,
): Promise<TokenSubject> {
  assertVerified(verified)
  const { message, signature, opened } = verified
  return await atStepAsync('token', async () => {
    const token = tokenOf(findField(message.fields, 'authorization'))
    const isRenewal = message.method === 'POST' && message.path === renewalPath
    const age = isRenewal ? 'any' : 'unexpired'
    const subject = await context.tokens.verify(token, context.now(), age)
    if (subject.device !== signature.keyid) {
      throw new ProtocolError('token_key_mismatch', 'the access token belongs to another key')
    }
    if (subject.sid !== encodeBase64Url(opened.session.id) || subject.user !== opened.session.user) {
      throw new ProtocolError('token_invalid', 'the access token belongs to another session')
    }
    return subject
  })
}

/** Until when a nonce is kept: until its signature can no longer pass, and at least 240 s. */
function nonceExpiry(signature: RequestSignature, now: number, window: SignatureWindow): number {
  return Math.max(signature.created + window.past, now + 240) + 1
}

/** The claim of a request's nonce. Its scope is the key, so a signed request cannot move to another session. */
export function nonceClaim(context: ExchangeContext, signature: RequestSignature): Write {
  return {
    kind: 'claim-nonce',
    scope: signature.keyid,
    nonce: signature.nonce,
    expiresAt: nonceExpiry(signature, context.now(), context.settings.window),
  }
}

/**
 * Uses up the nonce, durably and in one transaction with "the session is active" and, for an unsafe request, the
 * claim of its Idempotency-Key and its intent. Nothing has happened before; nothing happens unless this returns.
 *
 * @throws Refusal `replayed` or `session_ended`; `unavailable` when the store cannot say.
 */
export async function claimRequest(
  context: ExchangeContext,
  verified: VerifiedRequest,
  subject: TokenSubject,
  requestContext: RequestContext,
): Promise<Command> {
  assertVerified(verified)
  const { opened, signature, message } = verified
  const claim = idempotencyClaim(context, subject, message)
  const { isNew, intent } = await atStepAsync('claim', async () => {
    if (mayHaveEffect(message)) context.log.assertAcceptingEntries()
    return await commitClaims(context, verified, claim, requestContext)
  })
  const { keyid, base, created } = signature
  const evidence = {
    keyid,
    publicKey: opened.session.devicePublicKey,
    base,
    signature: signature.signature,
    created,
  }
  const caller: Caller = {
    user: subject.user,
    device: keyid,
    session: subject.sid,
    appid: opened.session.app,
    acr: 'session',
    signature: evidence,
  }
  const idempotency = claim === undefined ? undefined : { claim, isNew }
  return new Claimed({ message, caller, idempotency, intent, requiredAcr: opened.session.requiredAcr })
}

/** What a claim has come to. */
interface Claims {
  /** False when the Idempotency-Key was used before; the nonce is used up all the same. */
  readonly isNew: boolean
  readonly intent: Uint8Array | undefined
}

async function commitClaims(
  context: ExchangeContext,
  { opened, signature, message }: VerifiedRequest,
  claim: WriteOf<'claim-idempotency'> | undefined,
  requestContext: RequestContext,
): Promise<Claims> {
  const needed: readonly Write[] = [
    nonceClaim(context, signature),
    { kind: 'touch-session', id: opened.session.id, now: context.now() },
  ]
  const mayLogSubject = await canLogSubject(context, opened.session)
  const commit = async (writes: readonly Write[]): Promise<CommitResult | IntentResult> => {
    if (mayLogSubject && mayHaveEffect(message))
      return await context.appender.commitIntent(writes, draftLeaf(context, requestContext))
    if (mayLogSubject) await context.appender.ensureSubjectKey(opened.session.user)
    return await context.store.commit(writes)
  }
  let result = await commit(claim === undefined ? needed : [...needed, claim])
  const isNew = result.kind === 'committed'
  if (result.kind === 'refused' && result.write === claim) result = await commit(needed)
  if (result.kind === 'committed') return { isNew, intent: 'intent' in result ? result.intent : undefined }
  if (result.write.kind === 'claim-nonce') throw replayed()
  throw await refusalOfSession(context, opened.session.id)
}

/**
 * Whether a key to tell of this user may be made. A session that has ended is refused all the same: for whoever it was,
 * no key is made any more. What is remembered of a session is not enough to go by, unless there is a key already.
 */
async function canLogSubject(
  { appender, sessions }: ExchangeContext,
  session: SessionRecord,
): Promise<boolean> {
  if (session.endedAt !== null) return false
  if (await appender.hasSubjectKey(session.user)) return true
  const found = await sessions.findAnew(session.id)
  return found !== undefined && found.record.endedAt === null
}

/** Why a session was refused that was active when it was read. */
async function refusalOfSession({ sessions }: ExchangeContext, id: Uint8Array): Promise<Error> {
  const found = await sessions.findAnew(id)
  const isRevoked = found !== undefined && found.record.deviceRevokedAt !== null
  return isRevoked
    ? keyRevoked().with({ step: 'key' })
    : new ProblemError('session_ended', 'the session has ended')
}
