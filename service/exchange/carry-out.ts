/** From a command to an outcome: the channel's own routes decide, everything else is the backend's. Nothing is written. */
import type { ResponseMessage } from '../../crypto/binary-http.ts'
import { ProtocolError } from '../../crypto/errors.ts'
import { StepUpNeeded } from '../backends/step-up.ts'
import { decideEvents } from '../events/routes.ts'
import { refusalOf } from '../messages/problems.ts'
import { decideDevice } from '../sessions/device-routes.ts'
import type { Decision } from '../sessions/routes.ts'
import { decideSession } from '../sessions/routes.ts'
import { decideWechatData } from '../sessions/wechat-routes.ts'
import type { Write } from '../store/store.ts'
import type { Command } from './authorize.ts'
import { assertCommand } from './authorize.ts'
import type { ExchangeContext } from './context.ts'
import {
  afterFailure,
  answerAgain,
  didNothing,
  mayHaveEffect,
  needsIdempotencyKey,
  readIdempotencyKey,
  settlement,
} from './idempotency.ts'
import { asRefused, check, checkAsync, Refused } from './refused.ts'
import { assertRequiredAcr } from './required-acr.ts'
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
  /** What settles the Idempotency-Key. */
  readonly settlement: readonly Write[]
}

/** The answer to an earlier request with this Idempotency-Key. */
interface Replayed {
  readonly kind: 'replayed'
  readonly reply: ResponseMessage
}

export interface Failed {
  readonly kind: 'failed'
  readonly refused: Refused
  /** What becomes of the Idempotency-Key. */
  readonly writes: readonly Write[]
  /** It may have had an effect all the same. */
  readonly isUnknown: boolean
}

/** Answers a command: again, from the store, when its Idempotency-Key was used before; else by carrying it out. */
export async function carryOut(context: ExchangeContext, command: Command): Promise<Outcome> {
  assertCommand(command)
  try {
    const reply = await findAnswer(context, command)
    if (reply !== undefined) return { kind: 'replayed', reply }
  } catch (error) {
    // The claim, if there is one, is another request's.
    return { kind: 'failed', refused: asRefused('idempotency', error), writes: [], isUnknown: false }
  }
  try {
    return await handle(context, command)
  } catch (error) {
    return afterError(context, command, error)
  }
}

/** @throws Refused `idempotency_…` */
async function findAnswer(
  context: ExchangeContext,
  { message, idempotency }: Command,
): Promise<ResponseMessage | undefined> {
  if (idempotency === undefined) {
    check('idempotency', () => needsIdempotencyKey(message) && readIdempotencyKey(message))
    return undefined
  }
  if (idempotency.isNew) return undefined
  return await checkAsync('idempotency', () => answerAgain(context, message, idempotency.claim))
}

async function handle(context: ExchangeContext, command: Command): Promise<Outcome> {
  const confirmed = await confirmCaller(context, command)
  await assertRequiredAcr(context, command, confirmed.caller)
  const { reply, writes } = await decide(context, command, confirmed)
  const claim = command.idempotency?.claim
  const settled = claim === undefined ? [] : [settlement(context, claim, reply)]
  return { kind: 'answered', reply, confirmed, writes, settlement: settled }
}

async function decide(
  context: ExchangeContext,
  { message }: Command,
  { caller }: ConfirmedCaller,
): Promise<Decision> {
  const decision =
    (await decideSession(context, message, caller)) ??
    (await decideDevice(context, message, caller)) ??
    (await decideWechatData(context, message, caller)) ??
    (await decideEvents(context, message, caller)) ??
    (await context.receipts.decide(message, caller))
  if (decision !== undefined) return decision
  return { reply: await context.backend.answer(message, caller), writes: [] }
}

/**
 * What a command has come to whose handler failed, or whose answer could not be kept.
 *
 * Should even this not be written, the claim and the intent stay open, and are answered and told as unknown after a
 * while: never a second effect.
 */
export function afterError(context: ExchangeContext, command: Command, error: unknown): Failed {
  const claim = command.idempotency?.claim
  const writes = claim === undefined ? [] : [afterFailure(context, claim, error)]
  if (error instanceof StepUpNeeded) {
    // Challenge kept and key freed together: the confirmed request comes with the same key.
    const { write, refusal } = askStepUp(context, command, error)
    return {
      kind: 'failed',
      refused: new Refused('handler', refusal),
      writes: [write, ...writes],
      isUnknown: false,
    }
  }
  const isUnknown = mayHaveEffect(command.message) && !didNothing(error)
  const refused = asRefused('handler', error)
  if (claim === undefined || !isUnknown) return { kind: 'failed', refused, writes, isUnknown }
  const { code, message, cause, members } = refusalOf(error)
  const unknown = new ProtocolError(code, message, cause, { ...members, outcome: 'unknown' })
  return { kind: 'failed', refused: new Refused('handler', unknown), writes, isUnknown }
}
