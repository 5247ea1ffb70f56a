/** The channel over HTTP: `POST /seal` (protocol, section 4, "Over HTTP"). */
import type { HttpBindings } from '@hono/node-server'
import { getConnInfo } from '@hono/node-server/conninfo'
import type { Context } from 'hono'
import { FormatError, ProtocolError, refuseFormat } from 'miniseal-protocol/errors'
import type { ExchangeContext } from '../channel/context.ts'
import { answerInClear, exchange } from '../channel/exchange.ts'
import type { Sender } from '../limits/source.ts'
import type { Problem } from '../problems/document.ts'
import { refusalAt } from '../problems/problem-error.ts'

/** The two forms of a frame: its bytes, or their standard base64 for places that spoil binary bodies. */
const forms = {
  'application/vnd.miniseal': { read: (body: Uint8Array) => body, write: (frame: Uint8Array) => frame },
  'application/vnd.miniseal+base64': {
    read: (body: Uint8Array) => decodeOuterBase64(body),
    write: (frame: Uint8Array) => Buffer.from(frame).toString('base64'),
  },
} as const

/**
 * Strict base64, by the engine's own decoder: 1.4 MB come before anybody is known, and ours, which is made for phones,
 * takes much longer.
 */
function decodeOuterBase64(body: Uint8Array): Uint8Array {
  const text = Buffer.from(body.buffer, body.byteOffset, body.length).toString('latin1')
  const bytes = Buffer.from(text, 'base64')
  // The engine's decoder takes many texts for one: only the one that stands for the bytes is taken.
  if (bytes.toString('base64') !== text) throw new FormatError('not base64')
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
}

type FrameType = keyof typeof forms

/** Of every frame that is answered: nobody keeps it, and no browser takes it for anything else. */
const frameHeaders = {
  'cache-control': 'no-store',
  'strict-transport-security': 'max-age=15552000; includeSubDomains',
  'x-content-type-options': 'nosniff',
} as const

/** The most bytes of an outer body that can hold a frame in either form. */
export function maxBody(maxFrame: number): number {
  return Math.ceil(maxFrame / 3) * 4
}

/** The options of a body limit for `POST /seal`. */
export function maxSealed(context: ExchangeContext) {
  return {
    maxSize: maxBody(context.settings.maxFrame),
    onError: async (c: Context): Promise<Response> => {
      const error = new ProtocolError('frame_too_large', 'the frame is over the size limit')
      const answer = await clearAnswer(context, error, senderOf(context, c))
      // The rest of the body is not read, so nothing else can come over this connection.
      answer.headers.set('connection', 'close')
      return answer
    },
  }
}

/** Handles `POST /seal`. Headers and body are attacker-controlled; only the body, its type and who sent it are looked at. */
export function sealHandler(
  context: ExchangeContext,
): (c: Context<{ Bindings: HttpBindings }>) => Promise<Response> {
  return async function seal(c) {
    const sender = senderOf(context, c)
    const type = c.env.incoming.headers['content-type']?.split(';')[0]?.trim().toLowerCase() ?? ''
    if (!isFrameType(type))
      return await clearAnswer(context, refusal('the content type is not application/vnd.miniseal'), sender)
    const sent = new Uint8Array(await c.req.arrayBuffer())
    let frame: Uint8Array
    try {
      frame = refuseFormat('malformed_frame', () => forms[type].read(sent))
    } catch (error) {
      return await clearAnswer(context, error, sender)
    }
    const answer = await exchange(context, frame, sender)
    if (answer.kind === 'clear') return problemResponse(answer.problem)
    const bytes = forms[type].write(answer.bytes)
    const body = typeof bytes === 'string' ? bytes : new Uint8Array(bytes)
    return new Response(body, { headers: { ...frameHeaders, 'content-type': type } })
  }
}

/** Who sent a request, for the limits and for the audit log. */
export function senderOf({ limits }: ExchangeContext, c: Context): Sender {
  const headers = { forwardedFor: c.req.header('x-forwarded-for'), userAgent: c.req.header('user-agent') }
  return limits.sender(getConnInfo(c).remote.address, headers)
}

/** The same, for the limits alone. */
export function sourceOf({ limits }: ExchangeContext, c: Context): string {
  return limits.source(getConnInfo(c).remote.address, c.req.header('x-forwarded-for'))
}

function isFrameType(type: string): type is FrameType {
  return Object.hasOwn(forms, type)
}

function refusal(message: string): ProtocolError {
  return new ProtocolError('malformed_frame', message)
}

/** A client that has gone before its request was there: nobody is refused, and nobody reads an answer. */
const clientClosed = 499

/** Whether the connection was cut while a request was read: reset, closed half-way, or timed out. */
function isGone(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const code = 'code' in error ? error.code : undefined
  return (
    code === 'ECONNRESET' || code === 'EPIPE' || error.name === 'AbortError' || error.message === 'aborted'
  )
}

/** Answers in the clear, before any frame was read. */
export async function clearAnswer(
  context: ExchangeContext,
  error: unknown,
  sender: Sender,
): Promise<Response> {
  if (isGone(error)) {
    const requestId = crypto.randomUUID()
    context.record({
      requestId,
      source: sender.source,
      kind: 'clear',
      status: clientClosed,
      code: 'client_closed',
      step: 'frame',
      durationMs: 0,
    })
    return new Response(null, { status: clientClosed })
  }
  const requestContext = { requestId: crypto.randomUUID(), sender, startedAt: performance.now() }
  const { requestId } = requestContext
  const { source } = sender
  const problem = await answerInClear(context, refusalAt('frame', error), requestContext)
  const { status, code } = problem
  context.record({ requestId, source, kind: 'clear', status, code, step: 'frame', durationMs: 0 })
  return problemResponse(problem)
}

/** A problem document as an answer that nobody may keep. */
export function problemResponse(problem: Problem): Response {
  const headers = new Headers(problem.headers.map(([name, value]): [string, string] => [name, value]))
  for (const [name, value] of Object.entries(frameHeaders)) headers.set(name, value)
  return new Response(problem.body, { status: problem.status, headers })
}
