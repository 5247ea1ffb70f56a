/**
 * A `wx` for tests that does what the phone does: real HTTP (to loopback only), callbacks that are never synchronous,
 * asynchronous random bytes, encrypted storage, and login codes from the WeChat sandbox.
 */
import { randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { request as httpRequest } from 'node:http'

/** The constructors of the code under test, so that its `instanceof` and its buffers are of one realm. */
export interface Realm {
  readonly ArrayBuffer: ArrayBufferConstructor
  readonly Uint8Array: Uint8ArrayConstructor
  readonly Object: ObjectConstructor
}

export interface LoopbackOptions {
  readonly appid: string
  /** Base URL of the WeChat sandbox, for login codes. */
  readonly sandboxUrl?: string
  /** Who logs in; a new user each time when absent. */
  readonly openid?: string
  readonly realm?: Realm
}

export interface RecordedRequest {
  readonly url: string
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly bytes: number
}

export interface Loopback {
  readonly wx: LoopbackWx
  readonly requests: RecordedRequest[]
  readonly storage: Map<string, { readonly data: string; readonly isEncrypted: boolean }>
  /** The most requests that were under way together. */
  mostInFlight(): number
}

interface Callbacks {
  // Methods, so that callers may know more about the results than `object`.
  success?(result: object): void
  fail?(failure: object): void
  complete?(result: object): void
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

type Api<Options> = (options: Options & Callbacks) => void

export interface LoopbackWx {
  request(options: RequestOptions): { abort(): void }
  readonly getRandomValues: Api<{ readonly length: number }>
  readonly getStorage: Api<{ readonly key: string; readonly encrypt?: boolean }>
  readonly setStorage: Api<{ readonly key: string; readonly data: string; readonly encrypt?: boolean }>
  readonly removeStorage: Api<{ readonly key: string }>
  readonly login: Api<object>
  getDeviceInfo(): { readonly platform: string }
  getAppBaseInfo(): { readonly SDKVersion: string }
}

const MAX_IN_FLIGHT = 10
const MAX_RANDOM = 1_048_576
const MAX_ENCRYPTED_VALUE = 734_003
const loopbackHosts: readonly string[] = ['127.0.0.1', 'localhost', '[::1]']

/** A `wx` of its own: storage and limits are not shared with another one. */
export function createLoopback(options: LoopbackOptions): Loopback {
  const realm: Realm = options.realm ?? globalThis
  const storage: Loopback['storage'] = new Map()
  const requests = new RequestQueue(options.appid, realm)
  const wx: LoopbackWx = {
    request: (request) => requests.add(request),
    getRandomValues: asynchronous('getRandomValues', realm, ({ length }) => {
      if (!Number.isInteger(length) || length < 1 || length > MAX_RANDOM) throw new Error('invalid length')
      return { randomValues: bufferOf(randomBytes(length), realm) }
    }),
    ...storageApis(storage, realm),
    login: asynchronous('login', realm, async () => ({ code: await loginCode(options) })),
    getDeviceInfo: () => ({ platform: 'ios' }),
    getAppBaseInfo: () => ({ SDKVersion: '3.8.12' }),
  }
  return { wx, requests: requests.recorded, storage, mostInFlight: () => requests.mostInFlight }
}

type StorageApis = Pick<LoopbackWx, 'getStorage' | 'setStorage' | 'removeStorage'>

function storageApis(storage: Loopback['storage'], realm: Realm): StorageApis {
  return {
    getStorage: asynchronous('getStorage', realm, ({ key, encrypt = false }) => {
      const entry = storage.get(key)
      // The flag has to be given on both calls; without it the phone cannot read the value.
      if (entry === undefined || entry.isEncrypted !== encrypt) throw new Error('data not found')
      return { data: entry.data }
    }),
    setStorage: asynchronous('setStorage', realm, ({ key, data, encrypt = false }) => {
      if (data.length > MAX_ENCRYPTED_VALUE) throw new Error('entry size limit reached')
      storage.set(key, { data, isEncrypted: encrypt })
      return {}
    }),
    removeStorage: asynchronous('removeStorage', realm, ({ key }) => {
      storage.delete(key)
      return {}
    }),
  }
}

async function loginCode({ appid, sandboxUrl, openid }: LoopbackOptions): Promise<string> {
  if (sandboxUrl === undefined) throw new Error('no sandbox')
  const answer = await fetch(`${sandboxUrl}/sandbox/codes`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ appid, openid }),
  })
  const body: unknown = await answer.json()
  if (typeof body !== 'object' || body === null || !('code' in body) || typeof body.code !== 'string') {
    throw new Error(`the sandbox gave no code: ${answer.status}`)
  }
  return body.code
}

/** An API of the usual form: `success` or `fail`, then `complete`, all in a later task. */
function asynchronous<Options>(
  name: string,
  realm: Realm,
  run: (options: Options) => object | Promise<object>,
): Api<Options> {
  return (options) => {
    later(async () => {
      try {
        const result = { errMsg: `${name}:ok`, ...(await run(options)) }
        settle(options, 'success', ofRealm(result, realm))
      } catch (error) {
        settle(options, 'fail', ofRealm({ errMsg: `${name}:fail ${messageOf(error)}` }, realm))
      }
    })
  }
}

function settle(callbacks: Callbacks, kind: 'success' | 'fail', result: object): void {
  later(() => {
    callbacks[kind]?.(result)
    callbacks.complete?.(result)
  })
}

function later(run: () => unknown): void {
  setTimeout(run, 0)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function ofRealm(value: object, realm: Realm): object {
  return realm.Object.assign(new realm.Object(), value)
}

function bufferOf(bytes: Uint8Array, realm: Realm): ArrayBuffer {
  const buffer = new realm.ArrayBuffer(bytes.length)
  new realm.Uint8Array(buffer).set(bytes)
  return buffer
}

function isArrayBuffer(value: unknown): value is ArrayBuffer {
  return Object.prototype.toString.call(value) === '[object ArrayBuffer]'
}

/** `wx.request`: ten at a time, the rest waits; every HTTP status is a success. */
class RequestQueue {
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
    // The phone sets this one itself, whatever the caller wrote.
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
