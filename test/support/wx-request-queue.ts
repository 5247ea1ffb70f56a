/** The network of the loopback `wx`. */
import type { IncomingMessage } from 'node:http'
import { request as httpRequest } from 'node:http'
import type { Callbacks, Realm } from './wx-callbacks.ts'
import { bufferOf, later, messageOf, ofRealm, settle } from './wx-callbacks.ts'

export interface RecordedRequest {
  readonly url: string
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly bytes: number
}

export interface RequestOptions extends Callbacks {
  readonly url: string
  readonly method?: string
  readonly header?: Readonly<Record<string, unknown>>
  readonly data?: unknown
  readonly dataType?: string
  readonly responseType?: string
  readonly timeout?: number
}

const MAX_IN_FLIGHT = 10
const loopbackHosts: readonly string[] = ['127.0.0.1', 'localhost', '[::1]']

/** `wx.request`: at most ten concurrently, further ones queue; every HTTP status is a success. */
export class RequestQueue {
  readonly recorded: RecordedRequest[] = []
  mostInFlight = 0
  private readonly appid: string
  private readonly realm: Realm
  private readonly waiting: (() => void)[] = []
  private inFlight = 0

  constructor(appid: string, realm: Realm) {
    this.appid = appid
    this.realm = realm
  }

  add(options: RequestOptions): { abort(): void } {
    const abort = new AbortController()
    const start = (): void => {
      this.inFlight += 1
      this.mostInFlight = Math.max(this.mostInFlight, this.inFlight)
      later(() => run())
    }
    const run = (): void => {
      this.send(options, abort.signal)
        .then((result) =>
          settle(options, 'success', ofRealm({ errMsg: 'request:ok', ...result }, this.realm)),
        )
        .catch((error) => settle(options, 'fail', ofRealm(failureOf(error), this.realm)))
        .finally(() => {
          this.inFlight -= 1
          this.waiting.shift()?.()
        })
    }
    if (this.inFlight >= MAX_IN_FLIGHT) this.waiting.push(start)
    else start()
    return { abort: () => abort.abort() }
  }

  private async send(options: RequestOptions, aborted: AbortSignal): Promise<object> {
    const url = new URL(options.url)
    if (!loopbackHosts.includes(url.hostname)) throw new Error('url not in domain list')
    const method = options.method ?? 'GET'
    const body = bodyOf(options.data)
    const headers = this.headersOf(options)
    this.recorded.push({ url: url.href, method, headers, bytes: body?.length ?? 0 })
    const signal = AbortSignal.any([aborted, AbortSignal.timeout(options.timeout ?? 60_000)])
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      httpRequest(url, { method, headers, signal }, resolve).on('error', reject).end(body)
    })
    return {
      statusCode: answer.statusCode ?? 0,
      header: headerOf(answer),
      data: await this.dataOf(answer, options),
    }
  }

  private headersOf({ header = {} }: RequestOptions): Record<string, string> {
    const headers: Record<string, string> = { 'content-type': 'application/json' }
    for (const [name, value] of Object.entries(header)) headers[name.toLowerCase()] = String(value)
    // The phone overwrites this field.
    headers.referer = `https://servicewechat.com/${this.appid}/devtools/page-frame.html`
    return headers
  }

  private async dataOf(answer: IncomingMessage, options: RequestOptions): Promise<unknown> {
    const parts: Buffer[] = []
    for await (const part of answer) parts.push(part)
    const bytes = Buffer.concat(parts)
    if (options.responseType === 'arraybuffer') return bufferOf(bytes, this.realm)
    const text = bytes.toString('utf8')
    return (options.dataType ?? 'json') === 'json' ? parsedOrText(text) : text
  }
}

function bodyOf(data: unknown): Buffer | undefined {
  if (data === undefined) return undefined
  if (isArrayBuffer(data)) return Buffer.from(new Uint8Array(data))
  // The phone would take a typed array for an object and send it as JSON.
  return Buffer.from(typeof data === 'string' ? data : JSON.stringify(data))
}

/** Names keep the case in which the server wrote them, as on the phone. */
function headerOf({ rawHeaders }: IncomingMessage): Record<string, string> {
  const header: Record<string, string> = {}
  for (let i = 0; i < rawHeaders.length; i += 2) header[rawHeaders[i] ?? ''] = rawHeaders[i + 1] ?? ''
  return header
}

function parsedOrText(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

function failureOf(error: unknown): object {
  if (error instanceof Error && error.name === 'AbortError' && String(error.cause).includes('Timeout')) {
    return { errMsg: 'request:fail timeout', errno: 5 }
  }
  return { errMsg: `request:fail ${messageOf(error)}`, errno: 600001 }
}

function isArrayBuffer(value: unknown): value is ArrayBuffer {
  return Object.prototype.toString.call(value) === '[object ArrayBuffer]'
}
