/** `POST /seal`: the channel over HTTP (protocol, section 4, "Over HTTP"). */
import type { HttpBindings } from '@hono/node-server'
import { getConnInfo } from '@hono/node-server/conninfo'
import type { Context } from 'hono'
import { FormatError, refuseFormat } from 'miniseal-protocol/errors'
import type { ExchangeContext } from '../channel/context.ts'
import { answerInClear, exchange } from '../channel/exchange.ts'
import type { Sender } from '../limits/client-address.ts'
import type { Problem } from '../problems/document.ts'
import { ProblemError, refusalAt } from '../problems/problem-error.ts'

/** A frame as binary, or as standard base64 for platforms that corrupt binary bodies. */
const encodings = {
  'application/vnd.miniseal': { decode: (body: Uint8Array) => body, encode: (frame: Uint8Array) => frame },
  'application/vnd.miniseal+base64': {
    decode: (body: Uint8Array) => decodeOuterBase64(body),
    encode: (frame: Uint8Array) => Buffer.from(frame).toString('base64'),
  },
} as const

type FrameType = keyof typeof encodings

/**
 * Strict base64 with the native decoder: unauthenticated clients send up to 1.4 MB, and the portable decoder of the
 * protocol package is much slower.
 *
 * @throws FormatError
 */
function decodeOuterBase64(body: Uint8Array): Uint8Array {
  const text = Buffer.from(body.buffer, body.byteOffset, body.length).toString('latin1')
  const bytes = Buffer.from(text, 'base64')
  // The native decoder is lenient: only the canonical encoding is accepted.
  if (bytes.toString('base64') !== text) throw new FormatError('not base64')
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
}

const frameHeaders = {
  'cache-control': 'no-store',
  'strict-transport-security': 'max-age=15552000; includeSubDomains',
  'x-content-type-options': 'nosniff',
} as const

/** Bytes of the largest frame in base64, the longer encoding. */
export function maxBody(maxFrame: number): number {
  return Math.ceil(maxFrame / 3) * 4
}

/** The body limit of `POST /seal`. */
export function sealBodyLimit(context: ExchangeContext) {
  return {
    maxSize: maxBody(context.settings.maxFrame),
    onError: async (c: Context): Promise<Response> => {
      const error = new ProblemError('frame_too_large', 'frame exceeds the size limit')
      return closing(await clearAnswer(context, error, senderOf(context, c)))
    },
  }
}

/** Headers and body are attacker-controlled. Only the body, its content type and the sender's address are used. */
export function sealHandler(
  context: ExchangeContext,
): (c: Context<{ Bindings: HttpBindings }>) => Promise<Response> {
  return async function seal(c) {
    const sender = senderOf(context, c)
    const type = c.env.incoming.headers['content-type']?.split(';')[0]?.trim().toLowerCase() ?? ''
    if (!isFrameType(type)) {
      const error = new ProblemError('malformed_frame', 'the content type is not application/vnd.miniseal')
      return await clearAnswer(context, error, sender)
    }
    const body = new Uint8Array(await c.req.arrayBuffer())
    let frame: Uint8Array
    try {
      frame = refuseFormat('malformed_frame', () => encodings[type].decode(body))
    } catch (error) {
      return await clearAnswer(context, error, sender)
    }
    const answer = await exchange(context, frame, sender)
    if (answer.kind === 'clear') return problemResponse(answer.problem)
    const bytes = encodings[type].encode(answer.bytes)
    const content = typeof bytes === 'string' ? bytes : new Uint8Array(bytes)
    return new Response(content, { headers: { ...frameHeaders, 'content-type': type } })
  }
}

function isFrameType(type: string): type is FrameType {
  return Object.hasOwn(encodings, type)
}

/** Sender of a request, for rate limits and the audit log. */
export function senderOf({ limits }: ExchangeContext, c: Context): Sender {
  const headers = { forwardedFor: c.req.header('x-forwarded-for'), userAgent: c.req.header('user-agent') }
  return limits.sender(getConnInfo(c).remote.address, headers)
}

/** nginx's status for a client that disconnected before its request was complete. */
const clientClosed = 499

/** Whether the connection was reset, half-closed or timed out while a request was read. */
function isDisconnect(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const code = 'code' in error ? error.code : undefined
  return (
    code === 'ECONNRESET' || code === 'EPIPE' || error.name === 'AbortError' || error.message === 'aborted'
  )
}

/** Answers, in the clear, a request that failed before its frame was read. */
export async function clearAnswer(
  context: ExchangeContext,
  error: unknown,
  sender: Sender,
): Promise<Response> {
  const requestId = crypto.randomUUID()
  const record = (status: number, code: string): void =>
    context.record({
      requestId,
      source: sender.source,
      kind: 'clear',
      status,
      code,
      step: 'frame',
      durationMs: 0,
    })
  if (isDisconnect(error)) {
    record(clientClosed, 'client_closed')
    return new Response(null, { status: clientClosed })
  }
  const requestContext = { requestId, sender, startedAt: performance.now() }
  const problem = await answerInClear(context, refusalAt('frame', error), requestContext)
  record(problem.status, problem.code)
  return problemResponse(problem)
}

export function problemResponse(problem: Problem): Response {
  const headers = new Headers(problem.headers.map(([name, value]): [string, string] => [name, value]))
  for (const [name, value] of Object.entries(frameHeaders)) headers.set(name, value)
  return new Response(problem.body, { status: problem.status, headers })
}

/** Closes the connection after the response: the unread rest of a body makes it unusable. */
export function closing(response: Response): Response {
  response.headers.set('connection', 'close')
  return response
}
