/** The default transport: `wx.request` and `wx.connectSocket`. */
import { ChannelError } from '../errors.ts'
import type { WeChat, WeChatAnswer, WeChatFailure, WeChatSocket } from '../wx.ts'
import { promised } from '../wx.ts'
import type { Socket, SocketListener, Transport, TransportAnswer, TransportRequest } from './transport.ts'

/** WeChat runs at most ten requests concurrently and queues the rest. */
export function wxRequestTransport(wx: WeChat): Transport {
  const send = async (request: TransportRequest): Promise<TransportAnswer> => {
    const options = {
      url: request.url,
      method: request.method,
      header: { ...request.headers },
      // The default, `json`, would parse the answer.
      dataType: 'other',
      responseType: 'arraybuffer',
      timeout: request.timeoutMs,
      ...(request.body && { data: bufferOf(request.body) }),
    } as const
    const sent = promised<WeChatAnswer>((callbacks) => wx.request({ ...options, ...callbacks }))
    return answerOf(await sent.catch(throwTransportError))
  }
  if (wx.connectSocket === undefined) return { send }
  return {
    send,
    connect: (url, protocol, listener) => {
      const fail = (): void => listener.closed(1006, '')
      const task = wx.connectSocket?.({ url, protocols: [protocol], success: () => {}, fail })
      return listenTo(task, listener)
    },
  }
}

/** @throws ChannelError `unexpected_answer` when the data is not an ArrayBuffer */
export function answerOf(result: WeChatAnswer): TransportAnswer {
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(result.header)) headers[name.toLowerCase()] = String(value)
  return { status: result.statusCode, headers, body: bytesOf(result.data) }
}

/** @throws ChannelError `timeout`, `interrupted` or `network` for a failure of `wx` */
export function throwTransportError(failure: WeChatFailure): never {
  // The texts are not documented; all observed ones contain `timeout`. 5 is the documented errno.
  const isTimeout = failure.errno === 5 || /time(d )?-?out/i.test(failure.errMsg)
  // WeChat interrupts requests after five seconds in the background, with errno 600003.
  const isInterrupted = failure.errno === 600_003 || failure.errMsg.includes('interrupted')
  const code = isTimeout ? 'timeout' : isInterrupted ? 'interrupted' : 'network'
  throw new ChannelError(code, 'wx.request failed', { cause: failure })
}

const NORMAL_CLOSURE = 1000
const ABNORMAL_CLOSURE = 1006

/** Adapts a SocketTask. @param task `undefined`, as WeChat returns beyond five open sockets, counts as closed */
export function listenTo(task: WeChatSocket | undefined, listener: SocketListener): Socket {
  let isClosed = false
  const closed = (code: number, reason = ''): void => {
    if (isClosed) return
    isClosed = true
    listener.closed(code, reason)
  }
  task?.onOpen(() => listener.opened())
  task?.onMessage(({ data }) => {
    if (!isClosed) receive(data)
  })
  task?.onError(() => closed(ABNORMAL_CLOSURE))
  task?.onClose(({ code, reason }) => closed(code, reason))
  const receive = (data: unknown): void => {
    try {
      listener.received(bytesOf(data))
    } catch {
      // Not binary: the peer does not implement the protocol.
      end()
    }
  }
  const end = (): void => {
    task?.close({ code: NORMAL_CLOSURE })
    closed(ABNORMAL_CLOSURE)
  }
  if (task === undefined) void Promise.resolve().then(end)
  return {
    send: (message) => {
      task?.send({ data: bufferOf(message), success: () => {}, fail: () => closed(ABNORMAL_CLOSURE) })
    },
    close: end,
  }
}

/** An ArrayBuffer of exactly these bytes. The buffer of a view may be longer. */
export function bufferOf(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer
}

/** @throws ChannelError `unexpected_answer` unless `data` is an ArrayBuffer */
function bytesOf(data: unknown): Uint8Array {
  // `instanceof` fails for an ArrayBuffer of another realm, which some containers return.
  if (Object.prototype.toString.call(data) !== '[object ArrayBuffer]') {
    throw new ChannelError('unexpected_answer', 'not an ArrayBuffer')
  }
  return new Uint8Array(data as ArrayBuffer)
}
