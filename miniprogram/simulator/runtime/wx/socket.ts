/** `wx.connectSocket` on the browser's WebSocket. */
import { later } from './api.ts'

interface SocketOptions {
  readonly url: string
  readonly protocols?: string[]
  readonly success?: (result: object) => void
  readonly fail?: (failure: object) => void
  readonly complete?: (result: object) => void
}

interface SendOptions {
  readonly data: string | ArrayBuffer
  readonly success?: (result: object) => void
  readonly fail?: (failure: object) => void
  readonly complete?: (result: object) => void
}

type Handler = (event: object) => void

/** A `SocketTask`; binary messages are ArrayBuffers. */
export function connectSocket(options: SocketOptions): object {
  const socket = new WebSocket(options.url, options.protocols ?? [])
  socket.binaryType = 'arraybuffer'
  void later().then(() => {
    options.success?.({ errMsg: 'connectSocket:ok' })
    options.complete?.({ errMsg: 'connectSocket:ok' })
  })
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
    send: (message: SendOptions) => send(socket, message),
    close: ({ code = 1000, reason = '' }: { code?: number; reason?: string } = {}) =>
      socket.close(code, reason),
    get readyState() {
      return socket.readyState
    },
  }
}

function send(socket: WebSocket, { data, success, fail, complete }: SendOptions): void {
  const isOpen = socket.readyState === WebSocket.OPEN
  if (isOpen) socket.send(data)
  const result = {
    errMsg: isOpen ? 'sendSocketMessage:ok' : 'sendSocketMessage:fail SocketTask.readyState is not OPEN',
  }
  void later().then(() => {
    if (isOpen) success?.(result)
    else fail?.(result)
    complete?.(result)
  })
}
