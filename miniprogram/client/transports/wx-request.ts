/** The transport of the phone: `wx.request` and `wx.connectSocket`. */
import { ChannelError } from '../errors.ts'
import type { WeChat, WeChatAnswer, WeChatFailure } from '../wx.ts'
import { bufferOf, bytesOf } from './array-buffers.ts'
import type { Transport, TransportAnswer, TransportRequest } from './transport.ts'
import { listenTo } from './wx-socket.ts'

/** Sends with `wx.request`; WeChat itself keeps at most ten in flight and queues the rest. */
export function wxRequestTransport(wx: WeChat): Transport {
  const send = (request: TransportRequest): Promise<TransportAnswer> =>
    new Promise((resolve, reject) => {
      wx.request({
        url: request.url,
        method: request.method,
        header: { ...request.headers },
        // The data type `json`, which is the default, would parse the answer.
        dataType: 'other',
        responseType: 'arraybuffer',
        timeout: request.timeoutMs,
        ...(request.body === undefined ? {} : { data: bufferOf(request.body) }),
        success: (result) => {
          try {
            resolve(answerOf(result))
          } catch (error) {
            reject(error)
          }
        },
        fail: (failure) => reject(transportError(failure)),
      })
    })
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

/** @throws ChannelError `unexpected_answer` when the phone gave something else than bytes. */
export function answerOf(result: WeChatAnswer): TransportAnswer {
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(result.header)) headers[name.toLowerCase()] = String(value)
  return { status: result.statusCode, headers, body: bytesOf(result.data) }
}

/** What a failure of the phone's network says. */
export function transportError(failure: WeChatFailure): ChannelError {
  // The texts are not documented; `timeout` is in all that were seen, and 5 is its public errno.
  const isTimeout = failure.errno === 5 || /time(d )?-?out/i.test(failure.errMsg)
  // Five seconds in the background end what is under way; 600003 is its public errno.
  const isInterrupted = failure.errno === 600_003 || failure.errMsg.includes('interrupted')
  const code = isTimeout ? 'timeout' : isInterrupted ? 'interrupted' : 'network'
  return new ChannelError(code, 'wx.request failed', { cause: failure })
}
