/** Finalize: from an outcome to an answer that may be sent. Writes, settled key and log entry are one commit. */
import type { Field, ResponseMessage } from 'miniseal-protocol/frames/binary-http'
import { problemField } from 'miniseal-protocol/http-signatures/signed-response'
import { encodeUtf8 } from 'miniseal-protocol/text'
import { type ProblemContext, writeProblem } from '../problems/document.ts'
import { ProblemError, type Refusal, refusalAt, toProblem } from '../problems/problem-error.ts'
import { StoreUnavailable, type Write } from '../store/store.ts'
import { sessionEndEntries } from '../tlog/lifecycle-entries.ts'
import { type Command, usesStorage } from './claim.ts'
import type { ExchangeContext } from './context.ts'
import { type Failed, failureOf, type Outcome } from './execute.ts'
import { inProgress, type KeyResolution, resolveClaim } from './idempotency.ts'
import { type Answer, type Ending, entryOf, type RequestContext } from './request-context.ts'

/** Commits an outcome. An answer that cannot be logged is replaced by a refusal. */
export async function finalize(
  context: ExchangeContext,
  command: Command,
  outcome: Outcome,
  requestContext: RequestContext,
): Promise<Answer> {
  const answer = await commitOutcome(context, command, outcome, requestContext)
  if (outcome.kind !== 'replayed' && usesStorage(command)) await chargeStorage(context, command, answer.reply)
  return answer
}

async function commitOutcome(
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

async function chargeStorage(
  { limits }: ExchangeContext,
  { caller }: Command,
  { fields, content }: ResponseMessage,
): Promise<void> {
  const fieldBytes = fields.reduce((sum, [name, value]) => sum + name.length + value.length, 0)
  await limits.storage.charge(caller, content.length + fieldBytes)
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
      writes: [...writes, ...resolutionOf(context, command, storedReply(command, 'done', reply))],
      leaves: [entryOf(context, requestContext, 'request', { reply }), ...ended],
      intent: command.intent,
      isOutcome: true,
    })
    if (result.kind === 'committed')
      return { reply, request: requestContext.request, receipt: result.receipt }
    throw refusalOfWrite(result.write, writes)
  } catch (error) {
    return await finalizeFailure(context, command, failureOf(context, command, error), requestContext)
  }
}

async function finalizeReplay(
  context: ExchangeContext,
  command: Command,
  { reply }: Extract<Outcome, { kind: 'replayed' }>,
  requestContext: RequestContext,
): Promise<Answer> {
  try {
    const ending = { reply, isReplayed: true }
    const receipt = await appendRequestEntry(context, command, requestContext, ending, [])
    return { reply, request: requestContext.request, receipt }
  } catch (error) {
    // The key is settled already.
    const refusal = refusalAt('idempotency', error)
    const failed: Failed = { kind: 'failed', refusal, writes: [], isUnknown: false }
    return await finalizeFailure(context, command, failed, requestContext)
  }
}

/** Why a commit was refused: one of the handler's own writes, or the settlement of the key. */
function refusalOfWrite(write: Write, own: readonly Write[]): ProblemError {
  // The key to cancel was claimed after the handler read its state.
  if (write.kind === 'claim-idempotency') return inProgress()
  return own.includes(write)
    ? new ProblemError('not_found', 'the object of the request no longer exists')
    : new ProblemError('internal', 'the answer could not be stored')
}

/** A refusal is sent even if it cannot be logged; `none` and a challenge are sent only after their commit. */
async function finalizeFailure(
  context: ExchangeContext,
  command: Command,
  failed: Failed,
  requestContext: RequestContext,
): Promise<Answer> {
  const { refusal, isUnknown } = failed
  const answer = refusalAnswer(context, refusal, requestContext)
  const isPromise = refusal.outcome === 'none' || refusal.code === 'step_up_required'
  const resolution = failed.key === 'settle' ? storedReply(command, 'none', answer.reply) : failed.key
  const writes = [...failed.writes, ...resolutionOf(context, command, resolution)]
  try {
    const ending = { reply: answer.reply, refusal, isUnknown }
    const receipt = await appendRequestEntry(context, command, requestContext, ending, writes)
    // The writes were refused: another request has claimed the key.
    if (receipt === undefined && isPromise && command.idempotency !== undefined)
      return refusalAnswer(context, inProgress(), requestContext)
    return { ...answer, receipt }
  } catch (error) {
    // The recovery job logs leftover intents.
    if (command.intent === undefined) context.appender.countGap()
    if (!isPromise) return answer
    const outcome = refusal.outcome === 'none' ? 'unknown' : undefined
    return refusalAnswer(context, toProblem(error).with({ step: 'handler', outcome }), requestContext)
  }
}

function storedReply(
  { policy, caller }: Command,
  outcome: 'done' | 'none',
  reply: ResponseMessage,
): KeyResolution {
  return { outcome, reply, session: policy.answerScope === 'session' ? caller.session : null }
}

function resolutionOf(
  context: ExchangeContext,
  { idempotency }: Command,
  resolution: KeyResolution | undefined,
): readonly Write[] {
  if (idempotency === undefined || resolution === undefined) return []
  return [resolveClaim(context, idempotency.claim, resolution)]
}

/** @returns the receipt; `undefined` when the writes were refused, because another request has settled the key. @throws StoreUnavailable */
async function appendRequestEntry(
  context: ExchangeContext,
  { intent }: Command,
  requestContext: RequestContext,
  ending: Ending,
  writes: readonly Write[],
): Promise<Uint8Array | undefined> {
  const leaves = [entryOf(context, requestContext, 'request', ending)]
  const result = await context.appender.commit({ writes, leaves, intent, isOutcome: true })
  return result.kind === 'committed' ? result.receipt : undefined
}

/** The answer to a request that was refused before its claim. */
export async function refuse(
  context: ExchangeContext,
  refusal: Refusal,
  requestContext: RequestContext,
): Promise<Answer> {
  const answer = refusalAnswer(context, refusal, requestContext)
  return { ...answer, receipt: await logRefusal(context, refusal, requestContext, answer.reply) }
}

/** Logs a refusal before the claim: as an entry, or, for frequent ones, in a count. @param reply sealed or in the clear */
export async function logRefusal(
  context: ExchangeContext,
  refusal: Refusal,
  requestContext: RequestContext,
  reply: ResponseMessage,
): Promise<Uint8Array | undefined> {
  if (refusal.cause instanceof StoreUnavailable) {
    // Another query would only make other requests wait.
    context.appender.countGap()
    return undefined
  }
  return await context.appender.refuse(
    entryOf(context, requestContext, 'refused', { reply, refusal }),
    refusal.code,
    requestContext.sender.source,
  )
}

/** A refusal as an answer. The signed field `miniseal-problem` marks it as the service's own. */
export function refusalAnswer(
  context: ExchangeContext,
  refusal: Refusal,
  requestContext: RequestContext,
): Answer {
  const { status, headers, body } = writeProblem(refusal, problemContext(context, requestContext))
  const fields: readonly Field[] = [...headers, [problemField, refusal.code]]
  const reply = { status, fields, content: encodeUtf8(body) }
  return { reply, request: requestContext.request, refusal }
}

export function problemContext(
  { settings, now }: ExchangeContext,
  { requestId }: Pick<RequestContext, 'requestId'>,
): ProblemContext {
  return { origin: settings.origin, time: now(), requestId }
}

/** The answer with the fields of the rate limits that the request was counted for. */
export function withFields(answer: Answer, { rateLimitFields = [] }: RequestContext): Answer {
  const { reply } = answer
  return { ...answer, reply: { ...reply, fields: [...reply.fields, ...rateLimitFields] } }
}
