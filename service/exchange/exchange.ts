/** One exchange: bytes in, bytes out. Reads as the protocol does (sections 4 to 6). */
import { randomUUID } from 'node:crypto'
import type { Field, RequestMessage, ResponseMessage } from '../../crypto/binary-http.ts'
import { encodeUtf8 } from '../../crypto/text.ts'
import type { Problem, ProblemContext } from '../messages/problems.ts'
import { clearProblem, problemOf } from '../messages/problems.ts'
import { claimRequest, verifyToken } from './authorize.ts'
import { carryOut } from './carry-out.ts'
import type { ExchangeContext, ExchangeRecord } from './context.ts'
import { logIn } from './login.ts'
import type { OpenedFrame } from './open.ts'
import { openFrame } from './open.ts'
import type { Refused } from './refused.ts'
import { asRefused, checkAsync } from './refused.ts'
import { sealReply } from './seal.ts'
import { StageClock } from './stages.ts'
import { assertForUs, readRequest, verifyRequest } from './verify.ts'

/** A sealed frame, or, where nothing can be sealed, a problem in the clear. */
export type ExchangeAnswer =
  | { readonly kind: 'frame'; readonly bytes: Uint8Array }
  | { readonly kind: 'clear'; readonly problem: Problem }

/**
 * Takes one attacker-controlled frame through every stage. Never throws.
 *
 * @param source the address group that sent it, of `context.limits.source`
 */
export async function exchange(
  context: ExchangeContext,
  bytes: Uint8Array,
  source: string,
): Promise<ExchangeAnswer> {
  return await context.trace.run(() => takeThrough(context, bytes, source))
}

async function takeThrough(
  context: ExchangeContext,
  bytes: Uint8Array,
  source: string,
): Promise<ExchangeAnswer> {
  const requestId = randomUUID()
  const startedAt = performance.now()
  const clock = new StageClock(context.trace)
  const done = (kind: ExchangeRecord['kind'], status: number, refused?: Refused, notes = {}): void =>
    record(context, requestId, startedAt, clock, { kind, status, ...notes }, refused)
  let leave = (): void => {}
  try {
    leave = await checkAsync('limits', () => context.limits.takeFrame(source))
    clock.begin('open')
    const opened = await openFrame(context, bytes, source)
    const made = await answer(context, opened, requestId, clock)
    clock.begin('seal')
    const { bytes: frame, answer: sealed } = sealAnswer(context, opened, made, requestId)
    const notes = { ...notesOf(opened), ...methodOf(sealed.request) }
    done(opened.kind === 'handshake' ? 'login' : 'request', sealed.reply.status, sealed.refused, notes)
    return { kind: 'frame', bytes: frame }
  } catch (error) {
    const refused = asRefused('frame', error)
    const problem = clearProblem(refused.refusal, problemContext(context, refused, requestId))
    done('clear', problem.status, refused)
    return { kind: 'clear', problem }
  } finally {
    leave()
  }
}

function notesOf(opened: OpenedFrame): Pick<ExchangeRecord, 'risk'> {
  return opened.kind === 'handshake' ? opened.notes : {}
}

function methodOf(request: RequestMessage | undefined): Pick<ExchangeRecord, 'method'> {
  return request === undefined ? {} : { method: request.method }
}

/** Seals an answer; one that cannot be sealed (a backend's answer over the frame limit, say) becomes a refusal. */
function sealAnswer(
  context: ExchangeContext,
  opened: OpenedFrame,
  made: Answer,
  requestId: string,
): { readonly bytes: Uint8Array; readonly answer: Answer } {
  try {
    return { bytes: sealReply(context, opened, made.reply, made.request), answer: made }
  } catch (error) {
    const refused = refusalAnswer(context, asRefused('handler', error), made.request, requestId)
    return { bytes: sealReply(context, opened, refused.reply, refused.request), answer: refused }
  }
}

interface Answer {
  readonly reply: ResponseMessage
  /** Absent when the plaintext was not a request at all. */
  readonly request: RequestMessage | undefined
  readonly refused?: Refused
}

/** The stages between opening and sealing; a refusal of any of them is an answer like others. */
async function answer(
  context: ExchangeContext,
  opened: OpenedFrame,
  requestId: string,
  clock: StageClock,
): Promise<Answer> {
  let request: RequestMessage | undefined
  let quotas: readonly Field[] = []
  try {
    clock.begin('verify')
    request = readRequest(opened.plaintext)
    assertForUs(context, request)
    if (opened.kind === 'handshake') {
      clock.begin('login')
      return { reply: await logIn(context, opened, request), request }
    }
    const verified = verifyRequest(context, opened, request)
    clock.begin('token')
    const subject = await verifyToken(context, verified)
    quotas = await checkAsync('limits', () => context.limits.takeRequest(subject))
    clock.begin('claim')
    const command = await claimRequest(context, verified, subject)
    context.socket?.bind({ ...opened.session, keys: opened.keys })
    clock.begin('handler')
    return withFields({ reply: await carryOut(context, command), request }, quotas)
  } catch (error) {
    return withFields(refusalAnswer(context, asRefused('handler', error), request, requestId), quotas)
  }
}

/** The state of the limits goes with every answer that was counted, refusals included. */
function withFields(made: Answer, fields: readonly Field[]): Answer {
  return { ...made, reply: { ...made.reply, fields: [...made.reply.fields, ...fields] } }
}

function refusalAnswer(
  context: ExchangeContext,
  refused: Refused,
  request: RequestMessage | undefined,
  requestId: string,
): Answer {
  const { status, headers, body } = problemOf(refused.refusal, problemContext(context, refused, requestId))
  return { reply: { status, fields: headers, content: encodeUtf8(body) }, request, refused }
}

function problemContext(context: ExchangeContext, { step }: Refused, requestId: string): ProblemContext {
  return { origin: context.settings.origin, step, time: context.now(), requestId }
}

function record(
  context: ExchangeContext,
  requestId: string,
  startedAt: number,
  clock: StageClock,
  outcome: Pick<ExchangeRecord, 'kind' | 'status' | 'risk' | 'method'>,
  refused: Refused | undefined,
): void {
  const durationMs = Math.round((performance.now() - startedAt) * 100) / 100
  const refusal = refused === undefined ? {} : { code: refused.refusal.code, step: refused.step }
  const isFault = refused !== undefined && ['internal', 'unavailable'].includes(refused.refusal.code)
  const error = isFault ? { error: refused.refusal.cause } : {}
  context.record({ requestId, ...outcome, durationMs, stages: clock.stop(), ...refusal, ...error })
}
