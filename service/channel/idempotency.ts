/** Idempotency: one effect per key, and the same answer to every repetition (protocol, section 8). */
import { createHmac } from 'node:crypto'
import { concatBytes, equalBytes, lengthPrefixed } from 'miniseal-protocol/bytes'
import { refuseFormat } from 'miniseal-protocol/errors'
import { findField, type RequestMessage, type ResponseMessage } from 'miniseal-protocol/frames/binary-http'
import { isSafeMethod } from 'miniseal-protocol/http-signatures/message-rules'
import { componentItem, componentValue } from 'miniseal-protocol/http-signatures/signature-base'
import { requiredComponents } from 'miniseal-protocol/http-signatures/signed-request'
import { parseItem } from 'miniseal-protocol/http-signatures/structured-fields'
import type { Primitives } from 'miniseal-protocol/primitives/primitives'
import { decodeBase64, decodeUtf8, encodeBase64, encodeUtf8 } from 'miniseal-protocol/text'
import { z } from 'zod'
import { secretContext } from '../keys/wrapping.ts'
import { ProblemError, type Refusal, toProblem } from '../problems/problem-error.ts'
import type { TokenSubject } from '../sessions/tokens.ts'
import type { IdempotencyRecord } from '../store/claims.ts'
import type { Write, WriteOf } from '../store/store.ts'
import type { ExchangeContext } from './context.ts'
import type { RoutePolicy } from './routes/route.ts'

/** Seconds: more than the promised 24 hours, and far more than the window of a signed request. */
const retention = 90_000

/** Seconds after which no process is still working on a request. */
export const maxWorkDuration = 60

/** Whether the request may have an effect. Such a request does not run while it cannot be logged. */
export function mayHaveEffect({ method }: Pick<RequestMessage, 'method'>): boolean {
  return !isSafeMethod(method)
}

// Identity: what makes two requests the same request.

/** Another token or confirmation does not make another request. */
const ofThisAttempt: ReadonlySet<string> = new Set(['authorization', 'step-up'])

/**
 * Name and value of each component that the device's signature covers, in the order of coverage, except `authorization`
 * and `step-up`.
 *
 * @param message with a verified signature, so that every component has a value
 */
export function identityParts(message: RequestMessage): readonly string[] {
  return requiredComponents(message)
    .filter((name) => !ofThisAttempt.has(name))
    .flatMap((name) => [name, componentValue(componentItem(name), { request: message }) ?? ''])
}

/** H( lp(part) ‖ … ), 32 bytes. */
export function digestOfParts(primitives: Primitives, parts: readonly string[]): Uint8Array {
  return primitives.sha256(concatBytes(...parts.map((part) => lengthPrefixed(encodeUtf8(part)))))
}

/**
 * H(parts), each length-prefixed, and keyed: a reader of the database cannot confirm a guess.
 *
 * @param label separates the purposes
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

// Claims.

/**
 * The key of an unsafe request: a structured-field string of 1 to 255 characters. Attacker-controlled.
 *
 * @throws ProtocolError `idempotency_missing`, also for a key of another form.
 */
export function readIdempotencyKey(message: RequestMessage): string {
  const field = findField(message.fields, 'idempotency-key')
  if (field === undefined)
    throw new ProblemError('idempotency_missing', 'the request needs an Idempotency-Key')
  const { value, params } = refuseFormat('idempotency_missing', () => parseItem(field))
  if (value.kind !== 'string' || value.value === '' || value.value.length > 255 || params.size > 0) {
    throw new ProblemError(
      'idempotency_missing',
      'the Idempotency-Key must be a string of 1 to 255 characters',
    )
  }
  return value.value
}

interface Authorized {
  readonly message: RequestMessage
  readonly policy: Pick<RoutePolicy, 'idempotency' | 'answerScope'>
  readonly subject: Pick<TokenSubject, 'user' | 'sid'>
}

/** The claim of a request's key for its user; `undefined` where none is required, or it cannot be parsed. */
export function idempotencyClaim(
  context: ExchangeContext,
  { message, policy, subject }: Authorized,
): WriteOf<'claim-idempotency'> | undefined {
  if (policy.idempotency === 'none') return undefined
  let key: string
  try {
    key = readIdempotencyKey(message)
  } catch {
    // Refused after the claim of the nonce, as the order of the checks requires.
    return undefined
  }
  const session = policy.answerScope === 'session' ? [subject.sid] : []
  const fingerprint = keyedDigest(context, 'idempotency', [...identityParts(message), ...session])
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

// State and replay.

export type KeyState =
  | { readonly kind: 'unclaimed' }
  | { readonly kind: 'running' }
  /** The outcome cannot be determined. `isInterrupted`: the request never finished, for example because of a crash. */
  | { readonly kind: 'unknown'; readonly isInterrupted: boolean }
  | { readonly kind: 'cancelled' }
  | ({ readonly kind: 'answered' } & StoredReply)

/** @throws Error when the stored reply cannot be unwrapped. */
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
  if (record.completedAt !== null) return { kind: 'unknown', isInterrupted: false }
  const isInterrupted = record.startedAt < now - maxWorkDuration
  return isInterrupted ? { kind: 'unknown', isInterrupted } : { kind: 'running' }
}

/**
 * The stored response to a request whose key was used before.
 *
 * @returns `undefined` when the first request was interrupted and this one has taken over its claim: run it
 * @throws ProblemError: `request_cancelled` with the outcome `none`; `idempotency_mismatch` for another
 *   request; `idempotency_in_progress` while the first one runs, with the outcome `unknown` once it cannot be determined;
 *   `internal` with the outcome `unknown` when the response cannot be unwrapped.
 */
export async function replayStoredResponse(
  context: ExchangeContext,
  message: RequestMessage,
  claim: WriteOf<'claim-idempotency'>,
): Promise<ResponseMessage | undefined> {
  const record = await context.store.findIdempotency(claim.user, claim.key)
  const state = readState(context, record, claim.now)
  if (state.kind === 'cancelled') throw cancelled()
  if (record !== undefined && !equalBytes(record.fingerprint, claim.fingerprint))
    throw new ProblemError('idempotency_mismatch', 'the Idempotency-Key was used for another request')
  switch (state.kind) {
    case 'answered':
      return { ...state.reply, fields: [...state.reply.fields, ['idempotency-replayed', 'true']] }
    case 'unknown':
      if (state.isInterrupted && context.backend.isIdempotent?.(message) === true)
        return await takeOver(context, claim)
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

/** Takes over the claim of an interrupted request. Only one of several concurrent repetitions succeeds. */
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

export function inProgress(outcome?: 'unknown'): Refusal {
  const message = 'a request with this Idempotency-Key is in progress'
  return new ProblemError('idempotency_in_progress', message).with({ step: 'idempotency', outcome })
}

function cancelled(): Refusal {
  const message = 'the Idempotency-Key was cancelled before a request with it ran'
  return new ProblemError('request_cancelled', message).with({ step: 'idempotency', outcome: 'none' })
}

// Resolution.

/** The state of a claim after its request has ended. */
export type KeyResolution =
  | StoredReply
  /** The effect cannot be determined. */
  | 'unknown'
  /** Unclaimed again: the request that follows a challenge has the same key. */
  | 'release'
  /** Interrupted again: this request had no effect, but the one whose claim it took over may have had one. */
  | 'abandon'

/** Ends a claim. The write is refused where another request has taken over the claim. */
export function resolveClaim(
  context: ExchangeContext,
  { user, key, now: startedAt }: WriteOf<'claim-idempotency'>,
  resolution: KeyResolution,
): Write {
  if (resolution === 'release') return { kind: 'release-idempotency', user, key, startedAt }
  if (resolution === 'abandon') return { kind: 'abandon-idempotency', user, key, startedAt }
  const responseWrapped = resolution === 'unknown' ? null : wrapStored(context, { user, key }, resolution)
  return { kind: 'complete-idempotency', user, key, startedAt, responseWrapped, now: context.now() }
}

/** The fingerprint of a cancelled key: no keyed digest has this value. */
const noRequest = new Uint8Array(32)

/** Claims and settles a key in one commit, so that no request can run with it. Refused for a claimed key. */
export function cancellation(context: ExchangeContext, user: string, key: string): readonly Write[] {
  const claim = claimOf(context, user, key, noRequest)
  const responseWrapped = wrapStored(context, { user, key }, { outcome: 'cancelled' })
  const { now } = claim
  return [claim, { kind: 'complete-idempotency', user, key, startedAt: now, responseWrapped, now }]
}

// Storage: replies are wrapped, and bound to their user and key.

/** The reply to the request that had the key. */
export interface StoredReply {
  /** `done`: the request ran. `none`: a refusal; no request with the key had or will have an effect. */
  readonly outcome: 'done' | 'none'
  readonly reply: ResponseMessage
  /** b64u of the only session that may read it; `null`: all sessions of the user. */
  readonly session: string | null
}

type Stored = StoredReply | { readonly outcome: 'cancelled' }

const storedShape = z.discriminatedUnion('outcome', [
  z.object({ outcome: z.literal('cancelled') }),
  z.object({
    outcome: z.enum(['done', 'none']),
    status: z.number(),
    fields: z.array(z.tuple([z.string(), z.string()])),
    content: z.string(),
    session: z.string().nullable(),
  }),
])

interface KeyOwner {
  readonly user: string
  readonly key: string
}

function wrapStored({ wrapper }: ExchangeContext, owner: KeyOwner, stored: Stored): Uint8Array {
  const value =
    stored.outcome === 'cancelled'
      ? stored
      : { outcome: stored.outcome, session: stored.session, ...encodeReply(stored.reply) }
  return wrapper.wrap(encodeUtf8(JSON.stringify(value)), bindingOf(owner))
}

/** @throws Error when it was wrapped with another key, or for another user or key. */
function unwrapStored({ wrapper }: ExchangeContext, owner: KeyOwner, wrapped: Uint8Array): Stored {
  const stored = storedShape.parse(JSON.parse(decodeUtf8(wrapper.unwrap(wrapped, bindingOf(owner)))))
  if (stored.outcome === 'cancelled') return stored
  const { outcome, status, fields, content, session } = stored
  return { outcome, session, reply: { status, fields, content: decodeBase64(content) } }
}

function bindingOf({ user, key }: KeyOwner) {
  return secretContext('idempotency_keys.response_wrapped', [user, key])
}

/** A reply as JSON. */
export function encodeReply({ status, fields, content }: ResponseMessage) {
  return {
    status,
    fields: fields.map(([name, value]): [string, string] => [name, value]),
    content: encodeBase64(content),
  }
}
