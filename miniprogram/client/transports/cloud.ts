/** The transport of WeChat cloud hosting: `wx.cloud.callContainer` and `wx.cloud.connectContainer`. */
import { decodeBase64, encodeBase64, encodeUtf8 } from 'miniseal-protocol/text'
import { ChannelError } from '../errors.ts'
import type { WeChatAnswer, WeChatCloud, WeChatContainerCall, WeChatFailure } from '../wx.ts'
import { weChat } from '../wx.ts'
import { bufferOf } from './array-buffers.ts'
import type { Socket, Transport, TransportAnswer, TransportRequest } from './transport.ts'
import { answerOf, transportError } from './wx-request.ts'
import { listenTo } from './wx-socket.ts'

export interface CloudHosting {
  /** The id of the environment, and the name of the service in it. */
  readonly env: string
  readonly service: string
  /**
   * `binary` frames, or their base64 as `text` for places that spoil bytes. `auto`, which is the default, begins with
   * bytes and changes to text, for good, once they were spoiled.
   */
  readonly form?: 'auto' | 'binary' | 'text'
}

const binaryType = 'application/vnd.miniseal'
const textType = 'application/vnd.miniseal+base64'
/** What `callContainer` carries as text, in bytes. */
const MAX_TEXT_LENGTH = 102_400
const FRAME_VERSION = 1

/**
 * Sends through WeChat's own network, to a service in cloud hosting. The origin of the channel stays the service's
 * public one: it names the service in signatures, and nothing is sent there.
 *
 * @throws ChannelError `unsupported` where there is no `wx.cloud`. Call `wx.cloud.init` first.
 */
export function cloudTransport(
  hosting: CloudHosting,
  cloud: WeChatCloud | undefined = weChat().cloud,
): Transport {
  if (cloud === undefined) throw new ChannelError('unsupported', 'there is no wx.cloud here')
  let isText = hosting.form === 'text'
  return {
    send: async (request) => {
      const wasText = isText
      const answer = await call(cloud, hosting, request, wasText)
      if (wasText || hosting.form === 'binary' || !isSpoiled(request, answer)) return answer
      isText = true
      // It may have run all the same, if it was the answer that was spoiled.
      throw new ChannelError('network', 'bytes were spoiled on the way, from now on they go as text')
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

function call(
  cloud: WeChatCloud,
  { env, service }: CloudHosting,
  request: TransportRequest,
  isText: boolean,
): Promise<TransportAnswer> {
  return new Promise((resolve, reject) => {
    const options: Omit<WeChatContainerCall, 'success' | 'fail'> = {
      config: { env },
      path: request.url.replace(/^\w+:\/\/[^/]*/, ''),
      method: request.method,
      header: { ...request.headers, 'X-WX-SERVICE': service },
      dataType: 'other',
      responseType: 'arraybuffer',
      timeout: request.timeoutMs,
    }
    cloud.callContainer({
      ...options,
      ...(isText ? asText(request, options.header) : request.body && { data: bufferOf(request.body) }),
      success: (result) => {
        try {
          resolve(isText ? fromText(result) : answerOf(result))
        } catch (cause) {
          reject(new ChannelError('unexpected_answer', 'the container’s answer cannot be read', { cause }))
        }
      },
      fail: (failure) => reject(cloudError(failure)),
    })
  })
}

function asText({ body }: TransportRequest, header: Record<string, string>): Partial<WeChatContainerCall> {
  if (body === undefined) return { responseType: 'text' }
  const data = encodeBase64(body)
  if (data.length > MAX_TEXT_LENGTH)
    throw new ChannelError('frame_too_large', 'over what a container takes as text')
  return { responseType: 'text', data, header: { ...header, 'content-type': textType, accept: textType } }
}

/** @throws FormatError for what is no base64, though it says that it is. */
function fromText({ data, ...rest }: WeChatAnswer): TransportAnswer {
  const answer = answerOf({ ...rest, data: new ArrayBuffer(0) })
  const isFrame = answer.headers['content-type']?.startsWith(textType) === true
  if (!isFrame) return { ...answer, body: encodeUtf8(String(data)) }
  const headers = { ...answer.headers, 'content-type': binaryType }
  return { ...answer, headers, body: decodeBase64(String(data)) }
}

/** A frame came out as something else, or went in as something else. Attacker-controlled: it costs a retry, no more. */
function isSpoiled({ method }: TransportRequest, { status, headers, body }: TransportAnswer): boolean {
  if (method === 'GET') return false
  if (status === 400) return true
  return (
    status === 200 && headers['content-type']?.startsWith(binaryType) === true && body[0] !== FRAME_VERSION
  )
}

function cloudError(failure: WeChatFailure): ChannelError {
  // At most 1000 KiB come back; how WeChat says so is not documented.
  if (/exceed|too large|size limit/i.test(failure.errMsg)) {
    return new ChannelError('answer_too_large', 'over what a container gives back', { cause: failure })
  }
  return transportError(failure)
}
