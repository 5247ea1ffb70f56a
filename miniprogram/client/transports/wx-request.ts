/** The transport of the phone: `wx.request`. */
import { ChannelError } from '../errors.ts'
import type { WeChat, WeChatFailure } from '../wx.ts'
import type { Transport, TransportAnswer, TransportRequest } from './transport.ts'

/** Sends with `wx.request`; WeChat itself keeps at most ten in flight and queues the rest. */
export function wxRequestTransport(wx: WeChat): Transport {
  return {
    send: (request) =>
      new Promise((resolve, reject) => {
        wx.request({
          url: request.url,
          method: request.method,
          header: { ...request.headers },
          // The data type `json`, which is the default, would parse the answer.
          dataType: 'other',
          responseType: 'arraybuffer',
          timeout: request.timeoutMs,
          ...bodyOf(request),
          success: (result) => {
            try {
              resolve(answerOf(result))
            } catch (error) {
              reject(error)
            }
          },
          fail: (failure) => reject(transportError(failure)),
        })
      }),
  }
}

/** An ArrayBuffer of exactly the body: a view's buffer may be longer, and the phone would send all of it. */
function bodyOf({ body }: TransportRequest): { readonly data?: ArrayBuffer } {
  return body === undefined ? {} : { data: new Uint8Array(body).buffer }
}

function answerOf(result: { statusCode: number; header: object; data: unknown }): TransportAnswer {
  // `instanceof` would fail for an ArrayBuffer of another realm, which some containers hand out.
  if (Object.prototype.toString.call(result.data) !== '[object ArrayBuffer]') {
    throw new ChannelError('unexpected_answer', 'wx.request gave no arraybuffer')
  }
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(result.header)) headers[name.toLowerCase()] = String(value)
  return { status: result.statusCode, headers, body: new Uint8Array(result.data as ArrayBuffer) }
}

function transportError(failure: WeChatFailure): ChannelError {
  // The texts are not documented; `timeout` is in all that were seen, and 5 is its public errno.
  const isTimeout = failure.errno === 5 || /time(d )?-?out/i.test(failure.errMsg)
  return new ChannelError(isTimeout ? 'timeout' : 'network', 'wx.request failed', { cause: failure })
}
