/** A SocketTask of WeChat as a socket of the channel. */
import type { WeChatSocket } from '../wx.ts'
import { bufferOf, bytesOf } from './array-buffers.ts'
import type { Socket, SocketListener } from './transport.ts'

const NORMAL_CLOSURE = 1000
const ABNORMAL_CLOSURE = 1006

/** @param task `undefined` counts as closed: WeChat gives none when five sockets are open already. */
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
      // A text, or what no frame can be: the other end does not speak the protocol.
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
