/** Idempotency: one effect for one key, whatever is repeated, and the same answer again (protocol, section 8). */
import { createHmac } from 'node:crypto'
import { z } from 'zod'
import type { RequestMessage, ResponseMessage } from '../../crypto/binary-http.ts'
import { findField } from '../../crypto/binary-http.ts'
import { concatBytes, equalBytes, lengthPrefixed } from '../../crypto/bytes.ts'
import { ProtocolError, refuseFormat } from '../../crypto/errors.ts'
import { parseItem } from '../../crypto/structured-fields.ts'
import { decodeBase64, decodeUtf8, encodeBase64, encodeUtf8 } from '../../crypto/text.ts'
import { NothingSent } from '../backends/backend.ts'
import { StepUpNeeded } from '../backends/step-up.ts'
import { secretPlace } from '../keys/secret-places.ts'
import type { SecretPlace } from '../keys/wrapping.ts'
import type { IdempotencyRecord } from '../store/idempotency-records.ts'
import type { Write, WriteOf } from '../store/store.ts'
import type { ExchangeContext } from './context.ts'
import { Refused } from './refused.ts'

/** For how long an answer is kept, in seconds: more than the 24 hours that are promised. */
const retention = 90_000

/** After so many seconds nobody is working on a request any more, in any process. */
export const longestWork = 60

const safeMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])

/** Unsafe routes that are harmless when repeated (protocol, section 5). */
const withoutKey: ReadonlySet<string> = new Set(['/sessions', '/events/subscription'])

/** Refusals by which a handler says that it has done nothing, so that the key is free again. */
const withoutEffect: ReadonlySet<string> = new Set([
  'payload_invalid',
  'not_found',
  'idempotency_mismatch',
  'step_up_required',
  'step_up_invalid',
  'rate_limited',
])

/** Whether a request may change anything: it is not done while it cannot be logged. */
export function mayHaveEffect({ method }: RequestMessage): boolean {
  return !safeMethods.has(method)
}

/** Whether a request must carry an Idempotency-Key. */
export function needsIdempotencyKey({ method, path }: RequestMessage): boolean {
  return !safeMethods.has(method) && !(method === 'POST' && withoutKey.has(path))
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
  user: string,
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
  const now = context.now()
  const fingerprint = fingerprintOf(context, message)
  return { kind: 'claim-idempotency', user, key, fingerprint, now, expiresAt: now + retention }
}

/** Of method, path, query and content-digest. */
function fingerprintOf(context: ExchangeContext, message: RequestMessage): Uint8Array {
  const [path = '', ...query] = message.path.split('?')
  const digest = findField(message.fields, 'content-digest') ?? ''
  return keyedDigest(context, 'idempotency', [message.method, path, query.join('?'), digest])
}

/**
 * H(parts), each length-prefixed; keyed before it is stored, so that nobody who reads the database can confirm a guess.
 *
 * @param label tells the purposes apart
 * @returns 32 bytes, the same in every process
 */
export function keyedDigest(context: ExchangeContext, label: string, parts: readonly string[]): Uint8Array {
  const digestOfParts = context.primitives.sha256(
    concatBytes(...parts.map((part) => lengthPrefixed(encodeUtf8(part)))),
  )
  const { secretKey } = context.keyring.current('lookup', context.now())
  return new Uint8Array(createHmac('sha256', secretKey).update(`${label}\n`).update(digestOfParts).digest())
}

/**
 * The answer to a request whose key was used before.
 *
 * @returns `undefined` when the first request was lost and this one has taken its place: it is to be carried out.
 * @throws ProtocolError `idempotency_mismatch` for another request; `idempotency_in_progress` while the first one
 *   runs, with `outcome: "unknown"` once nobody can say any more what came of it.
 */
export async function answerAgain(
  context: ExchangeContext,
  message: RequestMessage,
  claim: WriteOf<'claim-idempotency'>,
): Promise<ResponseMessage | undefined> {
  const record = await context.store.findIdempotency(claim.user, claim.key)
  if (record === undefined) throw inProgress({})
  if (!equalBytes(record.fingerprint, claim.fingerprint)) {
    throw new ProtocolError('idempotency_mismatch', 'the Idempotency-Key was used for another request')
  }
  if (record.answerWrapped !== null) return unwrapAnswer(context, record, record.answerWrapped)
  const startedBefore = claim.now - longestWork
  const isLost = record.settledAt === null && record.startedAt < startedBefore
  if (isLost && isRepeatable(context, message)) return await takeOver(context, claim, startedBefore)
  throw inProgress(isLost || record.settledAt !== null ? { outcome: 'unknown' } : {})
}

/** It is the same request as the lost one, but for what its fingerprint does not cover: nothing a route is chosen by. */
function isRepeatable({ backend }: ExchangeContext, message: RequestMessage): boolean {
  return backend.isIdempotent?.(message) === true
}

/** Of all that ask at the same time one takes the place of the lost request; for the others it runs. */
async function takeOver(
  context: ExchangeContext,
  { user, key, now }: WriteOf<'claim-idempotency'>,
  startedBefore: number,
): Promise<undefined> {
  const result = await context.store.commit([
    { kind: 'take-over-idempotency', user, key, startedBefore, now },
  ])
  if (result.kind === 'refused') throw inProgress({})
  return undefined
}

function inProgress(members: Readonly<Record<string, string>>): ProtocolError {
  const message = 'a request with this Idempotency-Key is not settled'
  return new ProtocolError('idempotency_in_progress', message, undefined, members)
}

/** What settles a claim once the answer is there; refused where another request has taken its place meanwhile. */
export function settlement(
  context: ExchangeContext,
  { user, key, now: startedAt }: WriteOf<'claim-idempotency'>,
  answer: ResponseMessage,
): Write {
  const { status, fields, content } = answer
  const text = JSON.stringify({ status, fields, content: encodeBase64(content) })
  const answerWrapped = context.wrapper.wrap(encodeUtf8(text), place(user, key))
  return { kind: 'settle-idempotency', user, key, startedAt, answerWrapped, now: context.now() }
}

/** What becomes of a claim when the handler failed: free again if it did nothing, else nobody knows. */
export function afterFailure(
  context: ExchangeContext,
  { user, key, now: startedAt }: WriteOf<'claim-idempotency'>,
  error: unknown,
): Write {
  if (didNothing(error)) return { kind: 'release-idempotency', user, key, startedAt }
  return { kind: 'settle-idempotency', user, key, startedAt, answerWrapped: null, now: context.now() }
}

/** Whether a failure says that nothing has happened. */
export function didNothing(error: unknown): boolean {
  // A confirmation that fails, fails before the handler runs.
  if (error instanceof Refused) return error.step === 'step-up'
  if (error instanceof StepUpNeeded) return true
  return (
    error instanceof ProtocolError && (withoutEffect.has(error.code) || error.cause instanceof NothingSent)
  )
}

const storedAnswer = z.object({
  status: z.number(),
  fields: z.array(z.tuple([z.string(), z.string()])),
  content: z.string(),
})

function unwrapAnswer(
  context: ExchangeContext,
  { user, key }: IdempotencyRecord,
  wrapped: Uint8Array,
): ResponseMessage {
  const text = decodeUtf8(context.wrapper.unwrap(wrapped, place(user, key)))
  const { status, fields, content } = storedAnswer.parse(JSON.parse(text))
  return { status, fields: [...fields, ['idempotency-replayed', 'true']], content: decodeBase64(content) }
}

function place(user: string, key: string): SecretPlace {
  return secretPlace('idempotency.answer_wrapped', [user, key])
}
