/** From an outcome to an answer that may leave: what was decided, what settles it, and its leaf, in one commit. */
import type { ResponseMessage } from '../../crypto/binary-http.ts'
import { ProtocolError } from '../../crypto/errors.ts'
import { endLeaves } from '../log/session-leaves.ts'
import { refusalOf } from '../messages/problems.ts'
import { StoreUnavailable, type Write } from '../store/store.ts'
import type { Answer } from './answer.ts'
import { refusalAnswer } from './answer.ts'
import type { Command } from './authorize.ts'
import type { Failed, Outcome } from './carry-out.ts'
import { afterError } from './carry-out.ts'
import type { ExchangeContext } from './context.ts'
import { endOfClaim, inProgress, isOfSession, type KeyEnd } from './idempotency.ts'
import { asRefused, Refused } from './refused.ts'
import type { Ending, Story } from './story.ts'
import { refusedLeaf, requestLeaf } from './story.ts'

/** Commits an outcome. An answer that cannot be logged does not leave: what leaves then is a refusal. */
export async function settle(
  context: ExchangeContext,
  command: Command,
  outcome: Outcome,
  story: Story,
): Promise<Answer> {
  switch (outcome.kind) {
    case 'answered':
      return await settleAnswer(context, command, outcome, story)
    case 'replayed':
      return await settleReplay(context, command, outcome, story)
    case 'failed':
      return await settleFailure(context, command, outcome, story)
  }
}

async function settleAnswer(
  context: ExchangeContext,
  command: Command,
  { reply, confirmed, writes }: Extract<Outcome, { kind: 'answered' }>,
  story: Story,
): Promise<Answer> {
  const { caller, soterCounter } = confirmed
  story.subject = {
    ...story.subject,
    acr: caller.acr,
    ...(soterCounter === undefined ? {} : { soterCounter }),
  }
  const ended = endLeaves(context.journal, writes, { by: 'user', user: caller.user, app: caller.appid })
  try {
    const result = await context.journal.commit({
      writes: [...writes, ...endOf(context, command, storedAs(command, 'done', reply))],
      leaves: [requestLeaf(context, story, { reply }), ...ended],
      intent: command.intent,
      isOutcome: true,
    })
    if (result.kind === 'committed') return { reply, request: story.request, receipt: result.receipt }
    throw refusalOfWrite(result.write, writes)
  } catch (error) {
    return await settleFailure(context, command, afterError(context, command, error), story)
  }
}

async function settleReplay(
  context: ExchangeContext,
  command: Command,
  { reply }: Extract<Outcome, { kind: 'replayed' }>,
  story: Story,
): Promise<Answer> {
  try {
    const receipt = await tell(context, command, story, { reply, isReplayed: true }, [])
    return { reply, request: story.request, receipt }
  } catch (error) {
    // The claim is settled already.
    const refused = asRefused('idempotency', error)
    const failed: Failed = { kind: 'failed', refused, writes: [], isUnknown: false }
    return await settleFailure(context, command, failed, story)
  }
}

/** Why an answer does not leave whose commit was refused: one of the handler's own writes, or the key's settlement. */
function refusalOfWrite(write: Write, own: readonly Write[]): ProtocolError | Refused {
  // A key that is to be cancelled was claimed since the handler looked.
  if (write.kind === 'claim-idempotency') return inProgress()
  return own.includes(write)
    ? new ProtocolError('not_found', 'what the request is about is no longer there')
    : new ProtocolError('internal', 'the answer could not be kept')
}

/** What was refused stays refused, also when that cannot be logged; but nobody hears `none`, or a challenge, that is not kept. */
async function settleFailure(
  context: ExchangeContext,
  command: Command,
  failed: Failed,
  story: Story,
): Promise<Answer> {
  const { refused, isUnknown } = failed
  const answer = refusalAnswer(context, refused, story)
  const isPromise = refused.outcome === 'none' || refused.refusal.code === 'step_up_required'
  const end = failed.key === 'refused' ? storedAs(command, 'none', answer.reply) : failed.key
  const writes = [...failed.writes, ...endOf(context, command, end)]
  try {
    const receipt = await tell(context, command, story, { reply: answer.reply, refused, isUnknown }, writes)
    // The writes were refused: another request works with the key by now.
    if (receipt === undefined && isPromise && command.idempotency !== undefined)
      return refusalAnswer(context, inProgress(), story)
    return { ...answer, receipt }
  } catch (error) {
    // An intent that is left will be told of.
    if (command.intent === undefined) context.journal.miss()
    if (!isPromise) return answer
    const outcome = refused.outcome === 'none' ? 'unknown' : undefined
    return refusalAnswer(context, new Refused('handler', refusalOf(error), outcome), story)
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
async function tell(
  context: ExchangeContext,
  { intent }: Command,
  story: Story,
  ending: Ending,
  writes: readonly Write[],
): Promise<Uint8Array | undefined> {
  const leaves = [requestLeaf(context, story, ending)]
  const result = await context.journal.commit({ writes, leaves, intent, isOutcome: true })
  return result.kind === 'committed' ? result.receipt : undefined
}

/** The answer to what was refused before anything was claimed. Its leaf is one of its own, or one of a count. */
export async function refuse(context: ExchangeContext, refused: Refused, story: Story): Promise<Answer> {
  const answer = refusalAnswer(context, refused, story)
  return { ...answer, receipt: await tellRefusal(context, refused, story, answer.reply) }
}

/** @param reply what is answered, sealed or in the clear */
export async function tellRefusal(
  context: ExchangeContext,
  refused: Refused,
  story: Story,
  reply: ResponseMessage,
): Promise<Uint8Array | undefined> {
  const { code, cause } = refused.refusal
  if (cause instanceof StoreUnavailable) {
    // To ask the database again would only make others wait.
    context.journal.miss()
    return undefined
  }
  return await context.journal.refuse(
    refusedLeaf(context, story, { reply, refused }),
    code,
    story.sender.source,
  )
}
