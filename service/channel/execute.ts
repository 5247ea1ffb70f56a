/** From a command to an outcome: the channel's own routes decide, everything else is the backend's. Nothing is written. */

import type { RequestMessage, ResponseMessage } from 'miniseal-protocol/frames/binary-http'
import type { Caller } from '../gateway/backend.ts'
import { atStep, atStepAsync, type Refusal, refusalAt, toProblem } from '../problems/problem-error.ts'
import { StoreUnavailable, type Write } from '../store/store.ts'
import type { Command } from './authorize.ts'
import { assertCommand } from './authorize.ts'
import type { ExchangeContext } from './context.ts'
import {
  mayHaveEffect,
  needsIdempotencyKey,
  readIdempotencyKey,
  replayStoredResponse,
} from './idempotency.ts'
import { handleOutcomeRoute } from './outcomes.ts'
import { assertRequiredAcr } from './required-acr.ts'
import { handleDeviceRoute } from './routes/devices.ts'
import { handleEventRoute } from './routes/events.ts'
import type { RouteResult } from './routes/sessions.ts'
import { handleSessionRoute } from './routes/sessions.ts'
import { handleWechatDataRoute } from './routes/wechat-data.ts'
import type { ConfirmedCaller } from './step-up.ts'
import { askStepUp, confirmCaller } from './step-up.ts'

/** What a command has come to. Its writes are still to be made, with its leaf, before the answer leaves. */
export type Outcome = Answered | Replayed | Failed

interface Answered {
  readonly kind: 'answered'
  readonly reply: ResponseMessage
  readonly confirmed: ConfirmedCaller
  /** What the channel's own handler wants written. */
  readonly writes: readonly Write[]
}

/** The answer to an earlier request with this Idempotency-Key. */
interface Replayed {
  readonly kind: 'replayed'
  readonly reply: ResponseMessage
}

export interface Failed {
  readonly kind: 'failed'
  readonly refused: Refusal
  /**
   * What becomes of the Idempotency-Key: `refused` settles it with this very refusal, the others are as in `KeyEnd`.
   * Absent where there is no claim, or it is another request's.
   */
  readonly key?: 'refused' | 'unknown' | 'free' | 'lost' | undefined
  /** What must be written before anybody sees the refusal. */
  readonly writes: readonly Write[]
  /** It may have had an effect all the same. */
  readonly isUnknown: boolean
}

/** Answers a command: again, from the store, when its Idempotency-Key was used before; else by carrying it out. */
export async function execute(context: ExchangeContext, command: Command): Promise<Outcome> {
  assertCommand(command)
  try {
    const reply = await findAnswer(context, command)
    if (reply !== undefined) return { kind: 'replayed', reply }
  } catch (error) {
    // The claim, if there is one, is another request's.
    return { kind: 'failed', refused: refusalAt('idempotency', error), writes: [], isUnknown: false }
  }
  try {
    return await handle(context, command)
  } catch (error) {
    return afterError(context, command, error)
  }
}

/** @throws Refusal `idempotency_…` */
async function findAnswer(
  context: ExchangeContext,
  { message, idempotency }: Command,
): Promise<ResponseMessage | undefined> {
  if (idempotency === undefined) {
    atStep('idempotency', () => needsIdempotencyKey(message) && readIdempotencyKey(message))
    return undefined
  }
  if (idempotency.isNew) return undefined
  return await atStepAsync('idempotency', () => replayStoredResponse(context, message, idempotency.claim))
}

async function handle(context: ExchangeContext, command: Command): Promise<Outcome> {
  const confirmed = await confirmCaller(context, command)
  assertRequiredAcr(context, command, confirmed.caller)
  return { kind: 'answered', confirmed, ...(await routeRequest(context, command, confirmed)) }
}

async function routeRequest(
  context: ExchangeContext,
  { message }: Command,
  { caller }: ConfirmedCaller,
): Promise<RouteResult> {
  const own = await handleOwnRoute(context, message, caller)
  return own ?? { reply: await context.backend.answer(message, caller), writes: [] }
}

/** The channel's own handlers only read: when the database fails them, nothing has happened. */
async function handleOwnRoute(
  context: ExchangeContext,
  message: RequestMessage,
  caller: Caller,
): Promise<RouteResult | undefined> {
  try {
    return (
      (await handleOutcomeRoute(context, message, caller)) ??
      (await handleSessionRoute(context, message, caller)) ??
      (await handleDeviceRoute(context, message, caller)) ??
      (await handleWechatDataRoute(context, message, caller)) ??
      (await handleEventRoute(context, message, caller)) ??
      (await context.receipts.decide(message, caller))
    )
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error
    throw toProblem(error).with({ effect: 'none' })
  }
}

/**
 * What a command has come to whose handler failed, or whose answer could not be kept.
 *
 * Should even this not be written, the claim and the intent stay open, and are answered and told as unknown after a
 * while: never a second effect.
 */
export function afterError(context: ExchangeContext, command: Command, error: unknown): Failed {
  const { idempotency, message } = command
  const refused = refusalAt('handler', error)
  if (refused.code === 'step_up_required' && refused.members.challenge === undefined) {
    const { write, refusal } = askStepUp(context, command, refused)
    // Challenge kept and key freed together: the confirmed request comes with the same key.
    return { kind: 'failed', refused: refusal, key: keyBefore(command), writes: [write], isUnknown: false }
  }
  if (isBeforeHandler(refused))
    return { kind: 'failed', refused, key: keyBefore(command), writes: [], isUnknown: false }
  const isNothing = hadNoEffect(refused)
  const isUnknown = mayHaveEffect(message) && !isNothing
  if (idempotency === undefined) return { kind: 'failed', refused, writes: [], isUnknown }
  if (isNothing && idempotency.isNew) {
    const none = refused.with({ outcome: 'none' })
    return { kind: 'failed', refused: none, key: 'refused', writes: [], isUnknown }
  }
  // That this request did nothing says nothing of the lost one whose place it has taken.
  const key = isNothing ? 'lost' : 'unknown'
  const unknown = refused.with({ outcome: 'unknown' })
  return { kind: 'failed', refused: unknown, key, writes: [], isUnknown: true }
}

/** A key that is needed again goes back to where it was before this request. */
function keyBefore({ idempotency }: Command): Failed['key'] {
  if (idempotency === undefined) return undefined
  return idempotency.isNew ? 'free' : 'lost'
}

/** A confirmation that is asked for, or that fails, comes before the handler: the next try has the same key. */
function isBeforeHandler({ step, code }: Refusal): boolean {
  return step === 'step-up' || code === 'step_up_required' || code === 'step_up_invalid'
}

/** Refusals by which a handler says that it has done nothing, and never will for this request. */
const withoutEffect: ReadonlySet<string> = new Set([
  'payload_invalid',
  'not_found',
  'idempotency_mismatch',
  'rate_limited',
])

/** Whether a failure says that nothing has happened. */
function hadNoEffect({ step, code, details }: Refusal): boolean {
  return step === 'idempotency' || withoutEffect.has(code) || details.effect === 'none'
}
