/** One HTTP exchange with WeChat's API: no retry, no redirect, capped answer, JSON whatever the content type. */
import { Agent } from 'undici'
import { WechatFailure } from './failure.ts'

/** Largest answer that is read, in bytes. The longest that is expected is under 2 KiB. */
const maxAnswerBytes = 64 * 1024

export interface WechatRequest {
  readonly method: 'GET' | 'POST'
  /** Path relative to the base URL, without a leading slash, for example `sns/jscode2session`. */
  readonly api: string
  readonly query?: Readonly<Record<string, string>>
  /** Sent as JSON. */
  readonly body?: Readonly<Record<string, string | number>>
}

export interface Transport {
  /**
   * Sends the request once and returns the parsed JSON of a 200 answer, of any type.
   * @throws WechatFailure of every kind but `refused`; never another error.
   */
  send(request: WechatRequest, signal: AbortSignal): Promise<unknown>
  /** Lets running requests end, then closes all connections. */
  close(): Promise<void>
}

/**
 * @param connections that are open at one time; more calls wait, within their deadline
 * @throws TypeError when `baseUrl` is not a plain http(s) URL: credentials, query and fragment are refused.
 */
export function createTransport(baseUrl: string, deadlineMs: number, connections: number): Transport {
  const base = parseBaseUrl(baseUrl)
  const agent = new Agent({
    connections,
    pipelining: 1,
    maxResponseSize: maxAnswerBytes,
    connect: { timeout: deadlineMs },
  })
  let closing: Promise<void> | undefined

  async function send(request: WechatRequest, signal: AbortSignal): Promise<unknown> {
    const answer = await exchange(agent, base, request, signal)
    // A redirect is an answer like any other: following it would carry the secret to another place.
    if (answer.status !== 200) throw new WechatFailure('status', `http status ${answer.status}`)
    return parseJson(answer.bytes)
  }

  function close(): Promise<void> {
    closing ??= agent.close()
    return closing
  }

  return { send, close }
}

async function exchange(agent: Agent, base: URL, request: WechatRequest, signal: AbortSignal) {
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
    // The caught error is not kept: undici's parser errors hold bytes of the answer, its socket errors the peer.
    if (signal.aborted) throw new WechatFailure('timeout', 'no complete answer within the deadline')
    throw new WechatFailure('network', errorCodeOf(error))
  }
}

function parseJson(bytes: ArrayBuffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    // A SyntaxError quotes the text that it could not read.
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
