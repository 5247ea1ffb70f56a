/** The transport for WeChat cloud hosting: `wx.cloud.callContainer` and `wx.cloud.connectContainer`. */
import { decodeBase64, encodeBase64, encodeUtf8 } from 'miniseal-protocol/text'
import { ChannelError } from '../errors.ts'
import type { WeChatAnswer, WeChatCloud, WeChatContainerCall, WeChatFailure } from '../wx.ts'
import { promised, weChat } from '../wx.ts'
import type { Socket, Transport, TransportAnswer, TransportRequest } from './transport.ts'
import { answerOf, bufferOf, listenTo, throwTransportError } from './wx.ts'

export interface CloudHosting {
  /** Environment id and service name. */
  readonly env: string
  readonly service: string
  /**
   * `binary` sends frames as bytes, `text` as base64 for containers that corrupt bytes. `auto` (default) starts with
   * `binary` and switches to `text` permanently after a corrupted answer.
   */
  readonly form?: 'auto' | 'binary' | 'text'
}

const binaryType = 'application/vnd.miniseal'
const textType = 'application/vnd.miniseal+base64'
/** Limit of `callContainer` for text bodies, in bytes. */
const MAX_TEXT_LENGTH = 102_400
const FRAME_VERSION = 1

/**
 * Sends over WeChat's private network to a service in cloud hosting. The channel's `origin` remains the service's public
 * origin: signatures contain it, but no request is sent to it. Call `wx.cloud.init` first.
 *
 * @throws ChannelError `unsupported` when `wx.cloud` is not available
 */
export function cloudTransport(
  hosting: CloudHosting,
  cloud: WeChatCloud | undefined = weChat().cloud,
): Transport {
  if (cloud === undefined) throw new ChannelError('unsupported', 'wx.cloud is not available')
  let isText = hosting.form === 'text'
  return {
    send: async (request) => {
      const wasText = isText
      const answer = await call(cloud, hosting, request, wasText)
      if (wasText || hosting.form === 'binary' || !isCorrupted(request, answer)) return answer
      isText = true
      // If only the answer was corrupted, the request may have been executed.
      throw new ChannelError('network', 'corrupted bytes; switching to text')
    },
    connect: (_url, protocol, listener) => {
      let socket: Socket | undefined
      let isClosed = false
      cloud.connectContainer({
        config: { env: hosting.env },
        service: hosting.service,
        path: '/seal',
        protocols: [protocol],
        success: ({ socketTask }) => {
          socket = listenTo(socketTask, listener)
          if (isClosed) socket.close()
        },
        fail: () => listener.closed(1006, ''),
      })
      return {
        send: (message) => socket?.send(message),
        close: () => {
          isClosed = true
          socket?.close()
        },
      }
    },
  }
}

async function call(
  cloud: WeChatCloud,
  { env, service }: CloudHosting,
  request: TransportRequest,
  isText: boolean,
): Promise<TransportAnswer> {
  const options: Omit<WeChatContainerCall, 'success' | 'fail'> = {
    config: { env },
    path: request.url.replace(/^\w+:\/\/[^/]*/, ''),
    method: request.method,
    header: { ...request.headers, 'X-WX-SERVICE': service },
    dataType: 'other',
    responseType: 'arraybuffer',
    timeout: request.timeoutMs,
    ...(request.body && { data: bufferOf(request.body) }),
  }
  const changed = isText ? { ...options, ...asText(request, options.header) } : options
  const result = await promised<WeChatAnswer>((callbacks) =>
    cloud.callContainer({ ...changed, ...callbacks }),
  ).catch(throwCloudError)
  try {
    return isText ? fromText(result) : answerOf(result)
  } catch (cause) {
    throw new ChannelError('unexpected_answer', 'malformed answer of the container', { cause })
  }
}

function asText({ body }: TransportRequest, header: Record<string, string>): Partial<WeChatContainerCall> {
  if (body === undefined) return { responseType: 'text' }
  const data = encodeBase64(body)
  if (data.length > MAX_TEXT_LENGTH)
    throw new ChannelError('frame_too_large', 'request too large for a text body')
  return { responseType: 'text', data, header: { ...header, 'content-type': textType, accept: textType } }
}

/** @throws FormatError for invalid base64 */
function fromText({ data, ...rest }: WeChatAnswer): TransportAnswer {
  const answer = answerOf({ ...rest, data: new ArrayBuffer(0) })
  const isFrame = answer.headers['content-type']?.startsWith(textType) === true
  if (!isFrame) return { ...answer, body: encodeUtf8(String(data)) }
  const headers = { ...answer.headers, 'content-type': binaryType }
  return { ...answer, headers, body: decodeBase64(String(data)) }
}

/** Whether the request or the answer was corrupted. The answer is attacker-controlled: a forged one causes one retry. */
function isCorrupted({ method }: TransportRequest, { status, headers, body }: TransportAnswer): boolean {
  if (method === 'GET') return false
  if (status === 400) return true
  return (
    status === 200 && headers['content-type']?.startsWith(binaryType) === true && body[0] !== FRAME_VERSION
  )
}

function throwCloudError(failure: WeChatFailure): never {
  // Answers are limited to 1000 KiB; WeChat does not document the error.
  if (/exceed|too large|size limit/i.test(failure.errMsg)) {
    throw new ChannelError('answer_too_large', 'answer too large for a container', { cause: failure })
  }
  return throwTransportError(failure)
}
