/** One exchange: bytes in, bytes out. Reads as the protocol does (sections 4 to 6). */
import { randomUUID } from 'node:crypto'
import type { Field, RequestMessage } from 'miniseal-protocol/frames/binary-http'
import { isOwnRoute } from 'miniseal-protocol/http-signatures/own-routes'
import { encodeUtf8 } from 'miniseal-protocol/text'
import type { Sender } from '../limits/client-address.ts'
import type { Work } from '../limits/concurrency.ts'
import type { Problem } from '../problems/document.ts'
import { clearProblem } from '../problems/document.ts'
import { atStep, atStepAsync, type Refusal, refusalAt } from '../problems/problem-error.ts'
import type { TokenSubject } from '../sessions/tokens.ts'
import type { Answer } from './answer.ts'
import { problemContext, receiptedReply, refusalAnswer, withFields } from './answer.ts'
import { type Command, claimRequest, verifyToken } from './authorize.ts'
import type { ExchangeContext, ExchangeRecord } from './context.ts'
import { execute } from './execute.ts'
import { finalize, logRefusal, refuse } from './finalize.ts'
import { needsIdempotencyKey, outcomesPath } from './idempotency.ts'
import { logIn } from './login.ts'
import type { OpenedFrame } from './open.ts'
import { openFrame } from './open.ts'
import type { RequestContext } from './request-context.ts'
import { signatureOf, subjectOf } from './request-context.ts'
import { sealReply } from './seal.ts'
import { StageClock } from './stages.ts'
import { assertStorable, chargeStored } from './storage.ts'
import { assertForUs, assertPassable, readRequest, type VerifiedRequest, verifyRequest } from './verify.ts'

/** A sealed frame, or, where nothing can be sealed, a problem in the clear. */
export type ExchangeAnswer =
  | { readonly kind: 'frame'; readonly bytes: Uint8Array }
  | { readonly kind: 'clear'; readonly problem: Problem }

/** The second byte of a login's frame. */
const handshakeType = 0x01

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
  const done = (kind: ExchangeRecord['kind'], status: number, refused?: Refusal, notes = {}): void =>
    record(context, requestContext, clock, { kind, status, ...notes }, refused)
  let leave = (): void => {}
  try {
    leave = await atStepAsync('limits', () => context.limits.admitFrame(sender.source, kindOf(bytes)))
    clock.begin('open')
    const opened = await openFrame(context, bytes, sender.source)
    const made = await answer(context, opened, requestContext, clock)
    clock.begin('seal')
    const { bytes: frame, answer: sealed } = sealAnswer(context, opened, made, requestContext)
    const notes = { ...notesOf(opened), ...methodOf(sealed.request) }
    done(opened.kind === 'handshake' ? 'login' : 'request', sealed.reply.status, sealed.refused, notes)
    return { kind: 'frame', bytes: frame }
  } catch (error) {
    const refused = refusalAt('frame', error)
    const problem = await answerInClear(context, refused, requestContext)
    done('clear', problem.status, refused)
    return { kind: 'clear', problem }
  } finally {
    requestContext.release?.()
    leave()
  }
}

/** By its type alone (protocol, section 4): whether it is one at all shows later. */
function kindOf(bytes: Uint8Array): 'login' | 'request' {
  return bytes[1] === handshakeType ? 'login' : 'request'
}

/** A refusal where nothing can be sealed, told like others. */
export async function answerInClear(
  context: ExchangeContext,
  refused: Refusal,
  requestContext: RequestContext,
): Promise<Problem> {
  const problem = clearProblem(refused, problemContext(context, requestContext))
  const { status, headers, body } = problem
  await logRefusal(context, refused, requestContext, { status, fields: headers, content: encodeUtf8(body) })
  return problem
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
  requestContext: RequestContext,
): { readonly bytes: Uint8Array; readonly answer: Answer } {
  const seal = (answer: Answer) => ({
    bytes: sealReply(context, opened, receiptedReply(answer), answer.request),
    answer,
  })
  try {
    return seal(made)
  } catch (error) {
    const { receipt, request } = made
    const refusal = refusalAt('handler', error)
    // The request ran, and its answer never fits.
    const isDone = request !== undefined && needsIdempotencyKey(request) && made.refused === undefined
    const answered = isDone ? refusal.with({ outcome: 'unknown' }) : refusal
    return seal({ ...refusalAnswer(context, answered, requestContext), receipt })
  }
}

/** The stages between opening and sealing; a refusal of any of them is an answer like others. */
async function answer(
  context: ExchangeContext,
  opened: OpenedFrame,
  requestContext: RequestContext,
  clock: StageClock,
): Promise<Answer> {
  let quotas: readonly Field[] = []
  try {
    clock.begin('verify')
    if (opened.kind === 'request') Object.assign(requestContext, subjectOf(opened.session))
    const request = readRequest(opened.plaintext)
    requestContext.request = request
    assertForUs(context, request)
    assertPassable(request)
    if (opened.kind === 'handshake') {
      clock.begin('login')
      atStep('limits', () => context.disk.assertSpace())
      return await logIn(context, opened, request, requestContext)
    }
    const verified = verifyRequest(context, opened, request)
    requestContext.signature = signatureOf(verified.signature, opened.session.devicePublicKey)
    clock.begin('token')
    const subject = await verifyToken(context, verified)
    clock.begin('claim')
    const command = await firstOnly(context, verified, async () => {
      quotas = await atStepAsync('limits', () => countRequest(context, subject, request))
      await assertStorable(context, subject, request)
      const work = workOf(context, subject, request)
      requestContext.release = atStep('limits', () => context.limits.acquireShare(work))
      return await claimRequest(context, verified, subject, requestContext)
    })
    context.socket?.bind({ ...opened.session, keys: opened.keys })
    clock.begin('handler')
    const settled = await finalize(context, command, await execute(context, command), requestContext)
    await chargeStored(context, subject, request, settled)
    return withFields(settled, quotas)
  } catch (error) {
    return withFields(await refuse(context, refusalAt('handler', error), requestContext), quotas)
  }
}

/** Runs the claim of a request that is no copy of another: copies use up nothing of their user's or device's limits. */
async function firstOnly(
  { copies }: ExchangeContext,
  { signature }: VerifiedRequest,
  claim: () => Promise<Command>,
): Promise<Command> {
  const done = await atStepAsync('claim', () => copies.assertFirst(signature))
  try {
    return await claim()
  } finally {
    done()
  }
}

/** Counts a request; those about the outcomes of others have a limit of their own, so that a person can always find out. */
function countRequest(
  { limits }: ExchangeContext,
  subject: TokenSubject,
  { path }: RequestMessage,
): Promise<readonly Field[]> {
  return path.startsWith(outcomesPath) ? limits.countOutcomeQuery(subject) : limits.countRequest(subject)
}

/** Questions about outcomes have shares of their own, apart from the requests that they are about. */
function workOf({ backend }: ExchangeContext, { user, device }: TokenSubject, request: RequestMessage): Work {
  const { path, content } = request
  const bytes = content.length
  if (path.startsWith(outcomesPath))
    return { user: `outcomes ${user}`, device: `outcomes ${device}`, route: outcomesPath, bytes }
  const first = /^\/[^/?]*/.exec(path)?.[0] ?? ''
  const route = isOwnRoute(path) ? first : (backend.routeOf?.(request) ?? first)
  return { user, device, route, bytes }
}

function record(
  context: ExchangeContext,
  { requestId, sender, startedAt }: RequestContext,
  clock: StageClock,
  outcome: Pick<ExchangeRecord, 'kind' | 'status' | 'risk' | 'method'>,
  refused: Refusal | undefined,
): void {
  const durationMs = Math.round((performance.now() - startedAt) * 100) / 100
  const refusal = refused === undefined ? {} : { code: refused.code, step: refused.step }
  const isFault = refused !== undefined && ['internal', 'unavailable'].includes(refused.code)
  const error = isFault ? { error: refused.cause } : {}
  const { source } = sender
  context.record({ requestId, source, ...outcome, durationMs, stages: clock.stop(), ...refusal, ...error })
}
