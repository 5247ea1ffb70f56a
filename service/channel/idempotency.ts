/** Idempotency: one effect for one key, whatever is repeated, and the same answer again (protocol, section 8). */
import { createHmac } from 'node:crypto'
import { equalBytes } from 'miniseal-protocol/bytes'
import { ProtocolError, refuseFormat } from 'miniseal-protocol/errors'
import type { RequestMessage, ResponseMessage } from 'miniseal-protocol/frames/binary-http'
import { findField } from 'miniseal-protocol/frames/binary-http'
import { parseItem } from 'miniseal-protocol/http-signatures/structured-fields'
import { ProblemError, type Refusal, toProblem } from '../problems/problem-error.ts'
import type { TokenSubject } from '../sessions/tokens.ts'
import type { IdempotencyRecord } from '../store/claims.ts'
import type { Write, WriteOf } from '../store/store.ts'
import type { ExchangeContext } from './context.ts'
import { digestOfParts, identityParts } from './request-identity.ts'
import type { StoredAnswer } from './stored-answers.ts'
import { unwrapStored, wrapStored } from './stored-answers.ts'

/**
 * For how long a settled key is kept, in seconds: more than the 24 hours that are promised, and far more than a signed
 * request can wait on its way (the window).
 */
const retention = 90_000

/** After so many seconds nobody is working on a request any more, in any process. */
export const maxWorkDuration = 60

const safeMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])

/** Unsafe routes that are harmless when repeated (protocol, section 5). */
const withoutKey: ReadonlySet<string> = new Set(['POST /sessions', 'POST /events/subscription'])

/** Under it are the outcomes of keys: to read one, or to cancel a key, must not need another key. */
export const outcomesPath = '/outcomes/'

/** Whether a request may change anything: it is not done while it cannot be logged. */
export function mayHaveEffect({ method }: RequestMessage): boolean {
  return !safeMethods.has(method)
}

/** Whether a request must carry an Idempotency-Key. */
export function needsIdempotencyKey({ method, path }: RequestMessage): boolean {
  if (safeMethods.has(method) || withoutKey.has(`${method} ${path}`)) return false
  return !(method === 'DELETE' && path.startsWith(outcomesPath))
}

/**
 * The key of an unsafe request: a structured-field string of 1 to 255 characters.
 *
 * @throws ProtocolError `idempotency_missing`, also for a key of another form.
 */
export function readIdempotencyKey(message: RequestMessage): string {
  const field = findField(message.fields, 'idempotency-key')
  if (field === undefined)
    throw new ProtocolError('idempotency_missing', 'the request needs an Idempotency-Key')
  const { value, params } = refuseFormat('idempotency_missing', () => parseItem(field))
  if (value.kind !== 'string' || value.value === '' || value.value.length > 255 || params.size > 0) {
    throw new ProtocolError(
      'idempotency_missing',
      'the Idempotency-Key must be a string of 1 to 255 characters',
    )
  }
  return value.value
}

/** The claim of a request's key for its user; `undefined` when it needs none, or has none that can be read. */
export function idempotencyClaim(
  context: ExchangeContext,
  subject: Pick<TokenSubject, 'user' | 'sid'>,
  message: RequestMessage,
): WriteOf<'claim-idempotency'> | undefined {
  if (!needsIdempotencyKey(message)) return undefined
  let key: string
  try {
    key = readIdempotencyKey(message)
  } catch {
    // The refusal comes after the claim of the nonce, where the order of the checks has it.
    return undefined
  }
  const fingerprint = fingerprintOf(context, subject.sid, message)
  return claimOf(context, subject.user, key, fingerprint)
}

function claimOf(
  context: ExchangeContext,
  user: string,
  key: string,
  fingerprint: Uint8Array,
): WriteOf<'claim-idempotency'> {
  const now = context.now()
  return { kind: 'claim-idempotency', user, key, fingerprint, now, expiresAt: now + retention }
}

/** Of all that the signature covers of a request, and of the session where the answer is for this one alone. */
function fingerprintOf(context: ExchangeContext, sid: string, message: RequestMessage): Uint8Array {
  const session = isOfSession(message) ? [sid] : []
  return keyedDigest(context, 'idempotency', [...identityParts(message), ...session])
}

/** Whether a request is about the session it comes in: in another session it is another request. */
export function isOfSession({ path }: RequestMessage): boolean {
  return /^\/sessions\/current(?:[/?]|$)/.test(path)
}

/**
 * H(parts), each length-prefixed; keyed before it is stored, so that nobody who reads the database can confirm a guess.
 *
 * @param label tells the purposes apart
 * @returns 32 bytes, the same in every process
 */
export function keyedDigest(context: ExchangeContext, label: string, parts: readonly string[]): Uint8Array {
  const { secretKey } = context.keyring.current('lookup', context.now())
  return new Uint8Array(
    createHmac('sha256', secretKey)
      .update(`${label}\n`)
      .update(digestOfParts(context.primitives, parts))
      .digest(),
  )
}

/** What is known of a key. */
export type KeyState =
  | { readonly kind: 'unclaimed' }
  | { readonly kind: 'running' }
  /** Nobody can say what came of its request. `isLost`: it was never settled, as after a crash. */
  | { readonly kind: 'unknown'; readonly isLost: boolean }
  | { readonly kind: 'cancelled' }
  | ({ readonly kind: 'answered' } & StoredAnswer)

/** @throws Error when what is stored cannot be unwrapped. */
export function keyState(
  context: ExchangeContext,
  record: IdempotencyRecord | undefined,
  now: number,
): KeyState {
  if (record === undefined) return { kind: 'unclaimed' }
  if (record.responseWrapped !== null) {
    const stored = unwrapStored(context, record, record.responseWrapped)
    return stored.outcome === 'cancelled' ? { kind: 'cancelled' } : { kind: 'answered', ...stored }
  }
  if (record.completedAt !== null) return { kind: 'unknown', isLost: false }
  const isLost = record.startedAt < now - maxWorkDuration
  return isLost ? { kind: 'unknown', isLost } : { kind: 'running' }
}

/**
 * The answer to a request whose key was used before.
 *
 * @returns `undefined` when the first request was lost and this one has taken its place: it is to be carried out.
 * @throws ProtocolError or Refusal: `request_cancelled` with the outcome `none`; `idempotency_mismatch` for another
 *   request; `idempotency_in_progress` while the first one runs, with the outcome `unknown` once nobody can say any more
 *   what came of it; `internal` with the outcome `unknown` when its answer cannot be unwrapped.
 */
export async function replayStoredResponse(
  context: ExchangeContext,
  message: RequestMessage,
  claim: WriteOf<'claim-idempotency'>,
): Promise<ResponseMessage | undefined> {
  const record = await context.store.findIdempotency(claim.user, claim.key)
  const state = readState(context, record, claim.now)
  if (state.kind === 'cancelled') throw cancelled()
  if (record !== undefined && !equalBytes(record.fingerprint, claim.fingerprint)) {
    throw new ProtocolError('idempotency_mismatch', 'the Idempotency-Key was used for another request')
  }
  switch (state.kind) {
    case 'answered':
      return { ...state.reply, fields: [...state.reply.fields, ['idempotency-replayed', 'true']] }
    case 'unknown':
      if (state.isLost && isRepeatable(context, message)) return await takeOver(context, claim)
      throw inProgress('unknown')
    case 'unclaimed':
    case 'running':
      throw inProgress()
  }
}

function readState(context: ExchangeContext, record: IdempotencyRecord | undefined, now: number): KeyState {
  try {
    return keyState(context, record, now)
  } catch (error) {
    throw toProblem(error).with({ step: 'idempotency', outcome: 'unknown' })
  }
}

/** The repeated request is the lost one: its fingerprint covers all that the signature does, but for token and step-up. */
function isRepeatable({ backend }: ExchangeContext, message: RequestMessage): boolean {
  return backend.isIdempotent?.(message) === true
}

/** Of all that ask at the same time one takes the place of the lost request; for the others it runs. */
async function takeOver(
  context: ExchangeContext,
  { user, key, now }: WriteOf<'claim-idempotency'>,
): Promise<undefined> {
  const startedBefore = now - maxWorkDuration
  const result = await context.store.commit([
    { kind: 'take-over-idempotency', user, key, startedBefore, now },
  ])
  if (result.kind === 'refused') throw inProgress()
  return undefined
}

/** The refusal of a request whose key is another's: it runs, or nobody knows what came of it. */
export function inProgress(outcome?: 'unknown'): Refusal {
  const message = 'a request with this Idempotency-Key is not settled'
  return new ProblemError('idempotency_in_progress', message).with({ step: 'idempotency', outcome })
}

function cancelled(): ProblemError {
  const message = 'the Idempotency-Key was cancelled before a request with it ran'
  return new ProblemError('request_cancelled', message, { step: 'idempotency', outcome: 'none' })
}

/** What becomes of a key once its request has come to an end. */
export type KeyEnd =
  | StoredAnswer
  /** Nobody can say whether there was an effect: this is final. */
  | 'unknown'
  /** Unclaimed again: the same key is needed for the request that follows a challenge. */
  | 'free'
  /** As before a lost request was taken over: that request may have had its effect, this one had none. */
  | 'lost'

/** Ends a claim; refused where another request has taken its place meanwhile. */
export function endOfClaim(
  context: ExchangeContext,
  { user, key, now: startedAt }: WriteOf<'claim-idempotency'>,
  end: KeyEnd,
): Write {
  if (end === 'free') return { kind: 'release-idempotency', user, key, startedAt }
  if (end === 'lost') return { kind: 'abandon-idempotency', user, key, startedAt }
  const responseWrapped = end === 'unknown' ? null : wrapStored(context, { user, key }, end)
  return { kind: 'complete-idempotency', user, key, startedAt, responseWrapped, now: context.now() }
}

/** Belongs to no request: a keyed digest is never this. */
const noRequest = new Uint8Array(32)

/** Claims a key so that no request can run with it any more, in one commit. The first write is refused for a claimed key. */
export function cancellation(context: ExchangeContext, user: string, key: string): readonly Write[] {
  const claim = claimOf(context, user, key, noRequest)
  const responseWrapped = wrapStored(context, { user, key }, { outcome: 'cancelled' })
  const { now } = claim
  return [claim, { kind: 'complete-idempotency', user, key, startedAt: now, responseWrapped, now }]
}
