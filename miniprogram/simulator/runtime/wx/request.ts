/** `wx.request` on the browser's fetch: every status is a success, an ArrayBuffer goes and comes as it is. */
import { later } from './api.ts'
import { isOffline } from './network.ts'

interface RequestOptions {
  readonly url: string
  readonly method?: string
  readonly header?: Readonly<Record<string, unknown>>
  readonly data?: unknown
  readonly responseType?: string
  readonly timeout?: number
  readonly success?: (result: object) => void
  readonly fail?: (failure: object) => void
  readonly complete?: (result: object) => void
}

/** Milliseconds, where neither the call nor app.json say otherwise. */
const defaultTimeout = 60_000

export function request(options: RequestOptions): { abort(): void } {
  const controller = new AbortController()
  let reason = 'abort'
  const timer = setTimeout(() => {
    reason = 'timeout'
    controller.abort()
  }, options.timeout ?? defaultTimeout)
  void later()
    .then(() => send(options, controller.signal))
    .then(
      (result) => {
        options.success?.(result)
        options.complete?.(result)
      },
      () => {
        const isCut = controller.signal.aborted
        const failure = {
          errMsg: `request:fail ${isCut ? reason : 'net::ERR_FAILED'}`,
          errno: isCut && reason === 'timeout' ? 5 : 600001,
        }
        options.fail?.(failure)
        options.complete?.(failure)
      },
    )
    .finally(() => clearTimeout(timer))
  return { abort: () => controller.abort() }
}

async function send(options: RequestOptions, signal: AbortSignal): Promise<object> {
  if (isOffline()) throw new Error('offline')
  const method = options.method ?? 'GET'
  const response = await fetch(options.url, {
    method,
    headers: headersOf(options.header),
    body: method === 'GET' ? null : bodyOf(options.data),
    signal,
    credentials: 'omit',
    cache: 'no-store',
  })
  const bytes = await response.arrayBuffer()
  return {
    statusCode: response.status,
    header: Object.fromEntries(response.headers),
    data: options.responseType === 'arraybuffer' ? bytes : new TextDecoder().decode(bytes),
    cookies: [],
    errMsg: 'request:ok',
  }
}

function headersOf(header: Readonly<Record<string, unknown>> = {}): Record<string, string> {
  const entries = Object.entries(header).map(([name, value]): [string, string] => [name, String(value)])
  // Phones set it themselves, and refuse another one.
  return Object.fromEntries(entries.filter(([name]) => name.toLowerCase() !== 'referer'))
}

function bodyOf(data: unknown): ArrayBuffer | string | null {
  if (data === undefined || data === null) return null
  if (data instanceof ArrayBuffer || typeof data === 'string') return data
  return JSON.stringify(data)
}
