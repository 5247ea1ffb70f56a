/** From an outcome to an answer that may leave: what was decided, what settles it, and its leaf, in one commit. */

import type { ResponseMessage } from 'miniseal-protocol/frames/binary-http'
import { ProblemError, type Refusal, refusalAt, toProblem } from '../problems/problem-error.ts'
import { StoreUnavailable, type Write } from '../store/store.ts'
import { sessionEndEntries } from '../tlog/lifecycle-entries.ts'
import type { Answer } from './answer.ts'
import { refusalAnswer } from './answer.ts'
import type { Command } from './authorize.ts'
import type { ExchangeContext } from './context.ts'
import type { Failed, Outcome } from './execute.ts'
import { afterError } from './execute.ts'
import { endOfClaim, inProgress, isOfSession, type KeyEnd } from './idempotency.ts'
import type { Ending, RequestContext } from './request-context.ts'
import { refusedLeaf, requestLeaf } from './request-context.ts'

/** Commits an outcome. An answer that cannot be logged does not leave: what leaves then is a refusal. */
export async function finalize(
  context: ExchangeContext,
  command: Command,
  outcome: Outcome,
  requestContext: RequestContext,
): Promise<Answer> {
  switch (outcome.kind) {
    case 'answered':
      return await finalizeAnswer(context, command, outcome, requestContext)
    case 'replayed':
      return await finalizeReplay(context, command, outcome, requestContext)
    case 'failed':
      return await finalizeFailure(context, command, outcome, requestContext)
  }
}

async function finalizeAnswer(
  context: ExchangeContext,
  command: Command,
  { reply, confirmed, writes }: Extract<Outcome, { kind: 'answered' }>,
  requestContext: RequestContext,
): Promise<Answer> {
  const { caller, soterCounter } = confirmed
  requestContext.subject = {
    ...requestContext.subject,
    acr: caller.acr,
    ...(soterCounter === undefined ? {} : { soterCounter }),
  }
  const ended = sessionEndEntries(context.appender, writes, {
    by: 'user',
    user: caller.user,
    app: caller.appid,
  })
  try {
    const result = await context.appender.commit({
      writes: [...writes, ...endOf(context, command, storedAs(command, 'done', reply))],
      leaves: [requestLeaf(context, requestContext, { reply }), ...ended],
      intent: command.intent,
      isOutcome: true,
    })
    if (result.kind === 'committed')
      return { reply, request: requestContext.request, receipt: result.receipt }
    throw refusalOfWrite(result.write, writes)
  } catch (error) {
    return await finalizeFailure(context, command, afterError(context, command, error), requestContext)
  }
}

async function finalizeReplay(
  context: ExchangeContext,
  command: Command,
  { reply }: Extract<Outcome, { kind: 'replayed' }>,
  requestContext: RequestContext,
): Promise<Answer> {
  try {
    const receipt = await appendRequestEntry(
      context,
      command,
      requestContext,
      { reply, isReplayed: true },
      [],
    )
    return { reply, request: requestContext.request, receipt }
  } catch (error) {
    // The claim is settled already.
    const refused = refusalAt('idempotency', error)
    const failed: Failed = { kind: 'failed', refused, writes: [], isUnknown: false }
    return await finalizeFailure(context, command, failed, requestContext)
  }
}

/** Why an answer does not leave whose commit was refused: one of the handler's own writes, or the key's settlement. */
function refusalOfWrite(write: Write, own: readonly Write[]): ProblemError {
  // A key that is to be cancelled was claimed since the handler looked.
  if (write.kind === 'claim-idempotency') return inProgress()
  return own.includes(write)
    ? new ProblemError('not_found', 'what the request is about is no longer there')
    : new ProblemError('internal', 'the answer could not be kept')
}

/** What was refused stays refused, also when that cannot be logged; but nobody hears `none`, or a challenge, that is not kept. */
async function finalizeFailure(
  context: ExchangeContext,
  command: Command,
  failed: Failed,
  requestContext: RequestContext,
): Promise<Answer> {
  const { refused, isUnknown } = failed
  const answer = refusalAnswer(context, refused, requestContext)
  const isPromise = refused.outcome === 'none' || refused.code === 'step_up_required'
  const end = failed.key === 'refused' ? storedAs(command, 'none', answer.reply) : failed.key
  const writes = [...failed.writes, ...endOf(context, command, end)]
  try {
    const receipt = await appendRequestEntry(
      context,
      command,
      requestContext,
      { reply: answer.reply, refused, isUnknown },
      writes,
    )
    // The writes were refused: another request works with the key by now.
    if (receipt === undefined && isPromise && command.idempotency !== undefined)
      return refusalAnswer(context, inProgress(), requestContext)
    return { ...answer, receipt }
  } catch (error) {
    // An intent that is left will be told of.
    if (command.intent === undefined) context.appender.countGap()
    if (!isPromise) return answer
    const outcome = refused.outcome === 'none' ? 'unknown' : undefined
    return refusalAnswer(context, toProblem(error).with({ step: 'handler', outcome }), requestContext)
  }
}

function storedAs({ message, caller }: Command, outcome: 'done' | 'none', reply: ResponseMessage): KeyEnd {
  return { outcome, reply, session: isOfSession(message) ? caller.session : null }
}

/** What ends the claim of a command's key, where it has one. */
function endOf(
  context: ExchangeContext,
  { idempotency }: Command,
  end: KeyEnd | undefined,
): readonly Write[] {
  return idempotency === undefined || end === undefined ? [] : [endOfClaim(context, idempotency.claim, end)]
}

/** @returns the receipt; `undefined` when the writes were refused: somebody else has settled the key. @throws StoreUnavailable */
async function appendRequestEntry(
  context: ExchangeContext,
  { intent }: Command,
  requestContext: RequestContext,
  ending: Ending,
  writes: readonly Write[],
): Promise<Uint8Array | undefined> {
  const leaves = [requestLeaf(context, requestContext, ending)]
  const result = await context.appender.commit({ writes, leaves, intent, isOutcome: true })
  return result.kind === 'committed' ? result.receipt : undefined
}

/** The answer to what was refused before anything was claimed. Its leaf is one of its own, or one of a count. */
export async function refuse(
  context: ExchangeContext,
  refused: Refusal,
  requestContext: RequestContext,
): Promise<Answer> {
  const answer = refusalAnswer(context, refused, requestContext)
  return { ...answer, receipt: await logRefusal(context, refused, requestContext, answer.reply) }
}

/** @param reply what is answered, sealed or in the clear */
export async function logRefusal(
  context: ExchangeContext,
  refused: Refusal,
  requestContext: RequestContext,
  reply: ResponseMessage,
): Promise<Uint8Array | undefined> {
  const { code, cause } = refused
  if (cause instanceof StoreUnavailable) {
    // To ask the database again would only make others wait.
    context.appender.countGap()
    return undefined
  }
  return await context.appender.refuse(
    refusedLeaf(context, requestContext, { reply, refused }),
    code,
    requestContext.sender.source,
  )
}
