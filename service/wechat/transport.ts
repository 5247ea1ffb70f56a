/** Calls of WeChat's API: no retry, no redirect, bounded answer, JSON of any content type. */
import { Agent } from 'undici'
import { z } from 'zod'
import { WechatFailure } from './errors.ts'

/** Bytes of the largest answer that is read. Expected answers are shorter than 2 KiB. */
const maxAnswerBytes = 64 * 1024

export interface WechatRequest {
  readonly method: 'GET' | 'POST'
  /** Path relative to the base URL, without a leading slash, for example `sns/jscode2session`. */
  readonly api: string
  readonly query?: Readonly<Record<string, string>>
  /** Sent as JSON. */
  readonly body?: Readonly<Record<string, string | number>>
}

/** What may be logged and counted of one HTTP call. Contains no secret, openid, code, key or token. */
export interface WechatCall {
  /** For example `sns/jscode2session`. */
  readonly api: string
  /** `refused`: WeChat answered with an errcode; `failed`: no usable answer. */
  readonly outcome: 'ok' | 'refused' | 'failed'
  readonly errcode?: number
  /** WeChat's request id, present in most refusals. */
  readonly rid?: string
  readonly durationMs: number
}

export interface Caller {
  /**
   * Makes exactly one HTTP call.
   *
   * @throws WechatFailure; never another error.
   */
  call<T>(request: WechatRequest, reply: z.ZodType<T>, signal: AbortSignal): Promise<T>
  /** UNIX seconds of the last well-formed answer, including refusals. */
  lastSeen(): number | undefined
  /** Waits for running calls, then closes all connections. */
  close(): Promise<void>
}

export interface CallerOptions {
  readonly baseUrl: string
  /** Milliseconds to connect. */
  readonly deadlineMs: number
  /** Open at a time; more calls wait, within their deadline. */
  readonly connections: number
  /** UNIX seconds. */
  readonly now: () => number
  /** Must not throw. */
  readonly onCall: ((call: WechatCall) => void) | undefined
}

/** @throws TypeError when `baseUrl` is not a plain http(s) URL: credentials, query and fragment are refused. */
export function createCaller({ baseUrl, deadlineMs, connections, now, onCall }: CallerOptions): Caller {
  const base = parseBaseUrl(baseUrl)
  const agent = new Agent({
    connections,
    pipelining: 1,
    maxResponseSize: maxAnswerBytes,
    connect: { timeout: deadlineMs },
  })
  let seen: number | undefined
  let closing: Promise<void> | undefined
  return {
    async call(request, reply, signal) {
      const started = performance.now()
      const result = await exchange(agent, base, request, signal)
        .then((answer) => parseReply(answer, reply))
        .catch((error: unknown) => {
          if (error instanceof WechatFailure) return error
          throw error
        })
      const failure = result instanceof WechatFailure ? result : undefined
      if (failure === undefined || failure.kind === 'refused') seen = now()
      onCall?.(record(request.api, failure, performance.now() - started))
      if (result instanceof WechatFailure) throw result
      return result
    },
    lastSeen: () => seen,
    close() {
      closing ??= agent.close()
      return closing
    },
  }
}

/**
 * Sends the request once.
 *
 * @returns the parsed JSON of an answer with status 200, of any type
 * @throws WechatFailure of every kind but `refused`; never another error.
 */
async function exchange(
  agent: Agent,
  base: URL,
  request: WechatRequest,
  signal: AbortSignal,
): Promise<unknown> {
  const { status, bytes } = await send(agent, base, request, signal)
  // A redirect is an answer like any other: following it would carry the secret to another host.
  if (status !== 200) throw new WechatFailure('status', `http status ${status}`)
  return parseJson(bytes)
}

async function send(agent: Agent, base: URL, request: WechatRequest, signal: AbortSignal) {
  const query = request.query === undefined ? '' : `?${new URLSearchParams(request.query)}`
  try {
    const response = await agent.request({
      origin: base.origin,
      path: `${base.pathname}${request.api}${query}`,
      method: request.method,
      headers: { accept: 'application/json', ...(request.body && { 'content-type': 'application/json' }) },
      body: request.body === undefined ? null : JSON.stringify(request.body),
      signal,
    })
    return { status: response.statusCode, bytes: await response.body.arrayBuffer() }
  } catch (error) {
    // The caught error is dropped: undici's parser errors contain bytes of the answer, its socket errors the peer.
    if (signal.aborted) throw new WechatFailure('timeout', 'no complete answer within the deadline')
    throw new WechatFailure('network', errorCodeOf(error))
  }
}

function parseJson(bytes: ArrayBuffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    // A SyntaxError quotes the text.
    throw new WechatFailure('malformed', 'the answer is not json in utf-8')
  }
}

function errorCodeOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' && /^[A-Z0-9_]{1,64}$/.test(code) ? code : 'unknown'
}

function parseBaseUrl(baseUrl: string): URL {
  if (!URL.canParse(baseUrl)) throw new TypeError('the base url of the wechat api is not a url')
  const url = new URL(baseUrl)
  const plain = url.username === '' && url.password === '' && url.search === '' && url.hash === ''
  if (!plain || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new TypeError('the base url of the wechat api must be a plain http or https url')
  }
  if (!url.pathname.endsWith('/')) url.pathname += '/'
  return url
}

function parseReply<T>(answer: unknown, reply: z.ZodType<T>): T {
  const envelope = envelopeReply.safeParse(answer)
  if (!envelope.success) throw malformed(envelope.error)
  const { errcode, errmsg } = envelope.data
  if (errcode) throw new WechatFailure('refused', `errcode ${errcode}`, errcode, findRequestId(errmsg))
  const parsed = reply.safeParse(answer)
  if (!parsed.success) throw malformed(parsed.error)
  return parsed.data
}

/** Names the fields of the schema only: values may be secret. */
function malformed(error: z.ZodError): WechatFailure {
  const fields = error.issues.map((issue) => issue.path.join('.') || 'the whole answer')
  return new WechatFailure('malformed', fields.join(', '))
}

function record(api: string, failure: WechatFailure | undefined, durationMs: number): WechatCall {
  if (failure === undefined) return { api, outcome: 'ok', durationMs }
  return {
    api,
    outcome: failure.kind === 'refused' ? 'refused' : 'failed',
    ...(failure.errcode !== undefined && { errcode: failure.errcode }),
    ...(failure.rid !== undefined && { rid: failure.rid }),
    durationMs,
  }
}

/** Any answer. A success has no `errcode` (code2Session) or 0, so only a truthy errcode is a refusal. */
const envelopeReply = z.object({
  errcode: z.number().int().optional(),
  errmsg: z.string().optional(),
})

/**
 * The request id in an errmsg: `…, rid: 5f8d3d1e-1d5ab2d0-3e8ff1ca`, or in older answers
 * `…, hints: [ req_id: oNsdF0aLf ]`. The narrow alphabet keeps other parts of the errmsg out of the logs.
 */
function findRequestId(errmsg: string | undefined): string | undefined {
  return errmsg?.match(/\b(?:rid|req_id): ?([0-9A-Za-z_.-]{1,64})/)?.[1]
}
