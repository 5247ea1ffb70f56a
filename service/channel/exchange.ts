/** One exchange: a frame in, a frame out, through the stages of the protocol (sections 4 to 6). */
import { randomUUID } from 'node:crypto'
import { encodeUtf8 } from 'miniseal-protocol/text'
import type { Sender } from '../limits/client-address.ts'
import { clearProblem, type Problem } from '../problems/document.ts'
import { atStep, atStepAsync, type Refusal, refusalAt } from '../problems/problem-error.ts'
import { claimRequest } from './claim.ts'
import { type ExchangeContext, type ExchangeRecord, StageClock } from './context.ts'
import { execute } from './execute.ts'
import { finalize, logRefusal, problemContext, refuse, withFields } from './finalize.ts'
import { logIn } from './login.ts'
import { type OpenedFrame, openFrame } from './open.ts'
import { type Answer, type RequestContext, subjectOf } from './request-context.ts'
import { routingOf } from './routes/table.ts'
import { sealAnswer } from './seal.ts'
import { assertHttpRules, authorizeRequest, parseInnerRequest, verifyRequest } from './verify.ts'

/** A sealed frame; or a problem in the clear, where there is no key to seal with. */
export type ExchangeAnswer =
  | { readonly kind: 'frame'; readonly bytes: Uint8Array }
  | { readonly kind: 'clear'; readonly problem: Problem }

/** Takes one attacker-controlled frame through every stage. Never throws. */
export async function exchange(
  context: ExchangeContext,
  bytes: Uint8Array,
  sender: Sender,
): Promise<ExchangeAnswer> {
  return await context.trace.run(() => runStages(context, bytes, sender))
}

async function runStages(
  context: ExchangeContext,
  bytes: Uint8Array,
  sender: Sender,
): Promise<ExchangeAnswer> {
  const requestContext: RequestContext = { requestId: randomUUID(), sender, startedAt: performance.now() }
  const clock = new StageClock(context.trace)
  let releaseFrame = (): void => {}
  try {
    releaseFrame = await atStepAsync('limits', () => context.limits.admitFrame(sender.source, kindOf(bytes)))
    clock.begin('open')
    const opened = await openFrame(context, bytes, sender.source)
    const answer = await answerFrame(context, opened, requestContext, clock)
    clock.begin('seal')
    const { frame, sealed } = sealAnswer(context, opened, answer, requestContext)
    const outcome = { kind: kindOf(bytes), status: sealed.reply.status, ...notesOf(opened, sealed) }
    record(context, requestContext, clock, outcome, sealed.refusal)
    return { kind: 'frame', bytes: frame }
  } catch (error) {
    const refusal = refusalAt('frame', error)
    const problem = await answerInClear(context, refusal, requestContext)
    record(context, requestContext, clock, { kind: 'clear', status: problem.status }, refusal)
    return { kind: 'clear', problem }
  } finally {
    requestContext.release?.()
    releaseFrame()
  }
}

/** The stages between opening and sealing. A refusal of any of them becomes an answer. */
async function answerFrame(
  context: ExchangeContext,
  opened: OpenedFrame,
  requestContext: RequestContext,
  clock: StageClock,
): Promise<Answer> {
  try {
    clock.begin('verify')
    if (opened.kind === 'request') Object.assign(requestContext, subjectOf(opened.session))
    const message = parseInnerRequest(opened.plaintext)
    requestContext.request = message
    const routing = routingOf(message)
    requestContext.policy = routing.policy
    assertHttpRules(context, message)
    if (opened.kind === 'handshake') {
      clock.begin('login')
      atStep('limits', () => context.disk.assertSpace())
      return await logIn(context, opened, message, requestContext)
    }
    const verified = verifyRequest(context, opened, message)
    requestContext.signature = verified.evidence
    clock.begin('authorize')
    const authorized = await authorizeRequest(context, verified, routing)
    clock.begin('claim')
    const command = await claimRequest(context, authorized, requestContext)
    context.socket?.bind({ ...opened.session, keys: opened.keys })
    clock.begin('execute')
    const outcome = await execute(context, command)
    clock.begin('finalize')
    return withFields(await finalize(context, command, outcome, requestContext), requestContext)
  } catch (error) {
    return withFields(await refuse(context, refusalAt('handler', error), requestContext), requestContext)
  }
}

/** A refusal that cannot be sealed. It is logged like any other. */
export async function answerInClear(
  context: ExchangeContext,
  refusal: Refusal,
  requestContext: RequestContext,
): Promise<Problem> {
  const problem = clearProblem(refusal, problemContext(context, requestContext))
  const { status, headers, body } = problem
  await logRefusal(context, refusal, requestContext, { status, fields: headers, content: encodeUtf8(body) })
  return problem
}

/** The type byte of a login's frame. */
const handshakeType = 0x01

/** By the type byte (protocol, section 4): the frame is not parsed yet. */
function kindOf(bytes: Uint8Array): 'login' | 'request' {
  return bytes[1] === handshakeType ? 'login' : 'request'
}

function notesOf(opened: OpenedFrame, { request }: Answer): Pick<ExchangeRecord, 'risk' | 'method'> {
  return {
    ...(opened.kind === 'handshake' ? opened.notes : {}),
    ...(request === undefined ? {} : { method: request.method }),
  }
}

function record(
  context: ExchangeContext,
  { requestId, sender, startedAt }: RequestContext,
  clock: StageClock,
  outcome: Pick<ExchangeRecord, 'kind' | 'status' | 'risk' | 'method'>,
  refusal: Refusal | undefined,
): void {
  const durationMs = Math.round((performance.now() - startedAt) * 100) / 100
  const isFault = refusal?.code === 'internal' || refusal?.code === 'unavailable'
  context.record({
    requestId,
    source: sender.source,
    ...outcome,
    durationMs,
    stages: clock.stop(),
    ...(refusal === undefined ? {} : { code: refusal.code, step: refusal.step }),
    ...(isFault ? { error: refusal.cause } : {}),
  })
}
