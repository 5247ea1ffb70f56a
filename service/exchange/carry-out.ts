/** From a command to a reply: the channel's own routes decide, everything else is the backend's. */
import type { ResponseMessage } from '../../crypto/binary-http.ts'
import { ProtocolError } from '../../crypto/errors.ts'
import type { Caller } from '../backends/backend.ts'
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
  needsIdempotencyKey,
  readIdempotencyKey,
  settlement,
} from './idempotency.ts'
import { check, checkAsync } from './refused.ts'
import { assertRequiredAcr } from './required-acr.ts'
import { confirmCaller, stepUpRequired } from './step-up.ts'

/**
 * Answers a command: again, from the store, when its Idempotency-Key was used before; else by carrying it out.
 *
 * @throws Refused `idempotency_…`, `step_up_…`, `not_found`, `upstream_unavailable`, `unavailable`, or what a handler
 *   refuses.
 */
export async function carryOut(context: ExchangeContext, command: Command): Promise<ResponseMessage> {
  assertCommand(command)
  const { message, idempotency } = command
  if (idempotency === undefined) {
    check('idempotency', () => needsIdempotencyKey(message) && readIdempotencyKey(message))
    return await checkAsync('handler', () => carryOutFreely(context, command))
  }
  if (!idempotency.isNew) {
    const answer = await checkAsync('idempotency', () => answerAgain(context, message, idempotency.claim))
    if (answer !== undefined) return answer
  }
  return await checkAsync('handler', () => carryOutOnce(context, command, idempotency.claim))
}

/** Without a key there is no claim to settle. */
async function carryOutFreely(context: ExchangeContext, command: Command): Promise<ResponseMessage> {
  try {
    return await handle(context, command, () => [])
  } catch (error) {
    throw error instanceof StepUpNeeded ? await stepUpRequired(context, command, error, []) : error
  }
}

type Claim = NonNullable<Command['idempotency']>['claim']

/** The claim is settled in the same transaction as what the handler wants written, before the answer leaves. */
async function carryOutOnce(
  context: ExchangeContext,
  command: Command,
  claim: Claim,
): Promise<ResponseMessage> {
  try {
    return await handle(context, command, (reply) => [settlement(context, claim, reply)])
  } catch (error) {
    // Should this fail too, the claim stays open, and is answered as unknown after a while: never a second effect.
    const write = afterFailure(context, claim, error)
    // Challenge kept and key freed together: the confirmed request comes with the same key.
    if (error instanceof StepUpNeeded) throw await stepUpRequired(context, command, error, [write])
    await context.store.commit([write]).catch(() => undefined)
    if (write.kind === 'release-idempotency') throw error
    const { code, message, cause, members } = refusalOf(error)
    throw new ProtocolError(code, message, cause, { ...members, outcome: 'unknown' })
  }
}

async function handle(
  context: ExchangeContext,
  command: Command,
  writesWith: (reply: ResponseMessage) => readonly Write[],
): Promise<ResponseMessage> {
  const caller = await confirmCaller(context, command)
  assertRequiredAcr(context, command, caller)
  const { reply, writes } = await decide(context, command, caller)
  const all = [...writes, ...writesWith(reply)]
  if (all.length === 0) return reply
  const result = await context.store.commit(all)
  if (result.kind === 'committed') return reply
  if (writes.includes(result.write))
    throw new ProtocolError('not_found', 'what the request is about is no longer there')
  throw new ProtocolError('internal', 'the answer could not be kept')
}

async function decide(context: ExchangeContext, { message }: Command, caller: Caller): Promise<Decision> {
  const decision =
    (await decideSession(context, message, caller)) ??
    (await decideDevice(context, message, caller)) ??
    (await decideWechatData(context, message, caller)) ??
    (await decideEvents(context, message, caller))
  if (decision !== undefined) return decision
  return { reply: await context.backend.answer(message, caller), writes: [] }
}
