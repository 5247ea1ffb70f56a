/** Execute: from a command to an outcome. Own routes return their writes; other requests go to the backend. */
import type { RequestMessage, ResponseMessage } from 'miniseal-protocol/frames/binary-http'
import { isOwnRoute } from 'miniseal-protocol/http-signatures/own-routes'
import { plainSummary, stepUpRequired } from '../gateway/step-up.ts'
import { problemRow } from '../problems/catalogue.ts'
import { atStep, atStepAsync, type Refusal, refusalAt, toProblem } from '../problems/problem-error.ts'
import { StoreUnavailable, type Write } from '../store/store.ts'
import type { Command } from './claim.ts'
import type { ExchangeContext } from './context.ts'
import { mayHaveEffect, readIdempotencyKey, replayStoredResponse } from './idempotency.ts'
import { notFound, type RouteResult } from './routes/route.ts'
import { assertRequiredAcr, type ConfirmedCaller, challengeFor, confirmCaller } from './step-up.ts'

/** The outcome of a command. Its writes and its log entry are committed before the answer leaves. */
export type Outcome = Answered | Replayed | Failed

interface Answered {
  readonly kind: 'answered'
  readonly reply: ResponseMessage
  readonly confirmed: ConfirmedCaller
  /** The writes that the handler of an own route returned. */
  readonly writes: readonly Write[]
}

/** The stored answer of an earlier request with this Idempotency-Key. */
interface Replayed {
  readonly kind: 'replayed'
  readonly reply: ResponseMessage
}

export interface Failed {
  readonly kind: 'failed'
  readonly refusal: Refusal
  /**
   * The resolution of the Idempotency-Key: `settle` stores this refusal, the others are as in `KeyResolution`. Absent
   * without a claim, and where the claim belongs to another request.
   */
  readonly key?: 'settle' | 'unknown' | 'release' | 'abandon' | undefined
  /** Committed before the refusal leaves. */
  readonly writes: readonly Write[]
  /** The request may have had an effect. */
  readonly isUnknown: boolean
}

/** Answers a command: from the store when its Idempotency-Key was used before, else by running it. Never throws. */
export async function execute(context: ExchangeContext, command: Command): Promise<Outcome> {
  try {
    const reply = await findStoredReply(context, command)
    if (reply !== undefined) return { kind: 'replayed', reply }
  } catch (error) {
    // The claim, if there is one, belongs to another request.
    return { kind: 'failed', refusal: refusalAt('idempotency', error), writes: [], isUnknown: false }
  }
  try {
    const confirmed = await confirmCaller(context, command)
    assertRequiredAcr(context, command, confirmed.caller)
    return { kind: 'answered', confirmed, ...(await handle(context, command, confirmed)) }
  } catch (error) {
    return failureOf(context, command, error)
  }
}

/** @throws Refusal at step `idempotency`. */
async function findStoredReply(
  context: ExchangeContext,
  { message, policy, idempotency }: Command,
): Promise<ResponseMessage | undefined> {
  if (idempotency === undefined) {
    atStep('idempotency', () => policy.idempotency === 'required' && readIdempotencyKey(message))
    return undefined
  }
  if (idempotency.isNew) return undefined
  return await atStepAsync('idempotency', () => replayStoredResponse(context, message, idempotency.claim))
}

async function handle(
  context: ExchangeContext,
  { message, route }: Command,
  { caller }: ConfirmedCaller,
): Promise<RouteResult> {
  if (!isOwnRoute(message.path)) return { reply: await context.backend.answer(message, caller), writes: [] }
  if (route === undefined) throw notFound()
  try {
    return await route.run(context, message, caller)
  } catch (error) {
    // Own handlers only read: a failure of the database leaves no effect.
    throw error instanceof StoreUnavailable ? toProblem(error).with({ effect: 'none' }) : error
  }
}

/**
 * The outcome of a command whose handler failed, or whose answer could not be stored.
 *
 * If this cannot be committed either, claim and intent stay open, and the recovery job logs the outcome as unknown. There
 * is no second effect.
 */
export function failureOf(context: ExchangeContext, command: Command, error: unknown): Failed {
  const { idempotency, message } = command
  const refusal = showable(refusalAt('handler', error), message)
  if (refusal.code === 'step_up_required') {
    const challenge = challengeFor(context, command, refusal)
    // One commit stores the challenge and releases the key: the confirmed request has the same key.
    return { kind: 'failed', ...challenge, key: keyBefore(command), isUnknown: false }
  }
  if (isBeforeHandler(refusal))
    return { kind: 'failed', refusal, key: keyBefore(command), writes: [], isUnknown: false }
  const hadNone = hadNoEffect(refusal)
  const isUnknown = mayHaveEffect(message) && !hadNone
  if (idempotency === undefined) return { kind: 'failed', refusal, writes: [], isUnknown }
  if (hadNone && idempotency.isNew)
    return {
      kind: 'failed',
      refusal: refusal.with({ outcome: 'none' }),
      key: 'settle',
      writes: [],
      isUnknown,
    }
  // This request had no effect, but the interrupted one that it took over may have had one.
  const key = hadNone ? 'abandon' : 'unknown'
  return { kind: 'failed', refusal: refusal.with({ outcome: 'unknown' }), key, writes: [], isUnknown: true }
}

/** A handler may have made the refusal without {@link stepUpRequired}, which checks the summary. */
function showable(refusal: Refusal, message: RequestMessage): Refusal {
  if (refusal.code !== 'step_up_required') return refusal
  return stepUpRequired(refusal.members.summary ?? plainSummary(message)).with({ step: 'handler' })
}

/** Restores the state of the key before this request, for the next request with it. */
function keyBefore({ idempotency }: Command): Failed['key'] {
  if (idempotency === undefined) return undefined
  return idempotency.isNew ? 'release' : 'abandon'
}

/** A failed confirmation precedes the handler: the next attempt has the same key. */
function isBeforeHandler({ step, code }: Refusal): boolean {
  return step === 'step-up' || code === 'step_up_invalid'
}

function hadNoEffect({ step, code, details }: Refusal): boolean {
  return step === 'idempotency' || details.effect === 'none' || problemRow(code).effect === 'none'
}
