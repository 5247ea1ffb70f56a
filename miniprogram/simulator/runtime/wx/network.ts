/** Network status, `wx.request` and `wx.connectSocket`, with the browser's `fetch` and `WebSocket`. */
import type { ApiOptions } from './api.ts'
import { callBack, nextTask } from './api.ts'

type Listener = (result: { readonly isConnected: boolean; readonly networkType: string }) => void

const listeners = new Set<Listener>()

function isOffline(): boolean {
  return !navigator.onLine
}

export function networkType(): string {
  return isOffline() ? 'none' : 'wifi'
}

export const networkFunctions = {
  onNetworkStatusChange: (listener: Listener) => {
    listeners.add(listener)
  },
  offNetworkStatusChange: (listener?: Listener) => {
    if (listener === undefined) listeners.clear()
    else listeners.delete(listener)
  },
}

function emit(): void {
  for (const listener of [...listeners]) listener({ isConnected: !isOffline(), networkType: networkType() })
}

window.addEventListener('online', emit)
window.addEventListener('offline', emit)

interface RequestOptions extends ApiOptions {
  readonly url: string
  readonly method?: string
  readonly header?: Readonly<Record<string, unknown>>
  readonly data?: unknown
  readonly responseType?: string
  readonly timeout?: number
}

/** WeChat's default, in milliseconds. */
const defaultTimeout = 60_000

export function request(options: RequestOptions): { abort(): void } {
  const controller = new AbortController()
  let reason = 'abort'
  const timer = setTimeout(() => {
    reason = 'timeout'
    controller.abort()
  }, options.timeout ?? defaultTimeout)
  void nextTask()
    .then(() => send(options, controller.signal))
    .then(
      (result) => callBack(options, true, result),
      () => {
        const isAborted = controller.signal.aborted
        callBack(options, false, {
          errMsg: `request:fail ${isAborted ? reason : 'net::ERR_FAILED'}`,
          errno: isAborted && reason === 'timeout' ? 5 : 600001,
        })
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
  // WeChat does not allow a custom `referer`.
  return Object.fromEntries(entries.filter(([name]) => name.toLowerCase() !== 'referer'))
}

function bodyOf(data: unknown): ArrayBuffer | string | null {
  if (data === undefined || data === null) return null
  if (data instanceof ArrayBuffer || typeof data === 'string') return data
  return JSON.stringify(data)
}

interface SocketOptions extends ApiOptions {
  readonly url: string
  readonly protocols?: string[]
}

interface SendOptions extends ApiOptions {
  readonly data: string | ArrayBuffer
}

type Handler = (event: object) => void

/** A `SocketTask`; binary messages are ArrayBuffers. */
export function connectSocket(options: SocketOptions): object {
  const socket = new WebSocket(options.url, options.protocols ?? [])
  socket.binaryType = 'arraybuffer'
  void nextTask().then(() => callBack(options, true, { errMsg: 'connectSocket:ok' }))
  return {
    onOpen: (handler: Handler) => socket.addEventListener('open', () => handler({ header: {} })),
    onMessage: (handler: Handler) => {
      socket.addEventListener('message', ({ data }: MessageEvent) => handler({ data }))
    },
    onClose: (handler: Handler) => {
      socket.addEventListener('close', ({ code, reason }) => handler({ code, reason }))
    },
    onError: (handler: Handler) => {
      socket.addEventListener('error', () => handler({ errMsg: 'connectSocket:fail' }))
    },
    send: (message: SendOptions) => sendMessage(socket, message),
    close: ({ code = 1000, reason = '' }: { code?: number; reason?: string } = {}) =>
      socket.close(code, reason),
    get readyState() {
      return socket.readyState
    },
  }
}

function sendMessage(socket: WebSocket, options: SendOptions): void {
  const isOpen = socket.readyState === WebSocket.OPEN
  if (isOpen) socket.send(options.data)
  const result = {
    errMsg: isOpen ? 'sendSocketMessage:ok' : 'sendSocketMessage:fail SocketTask.readyState is not OPEN',
  }
  void nextTask().then(() => callBack(options, isOpen, result))
}
