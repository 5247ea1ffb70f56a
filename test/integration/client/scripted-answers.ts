/** Answers and storage for tests of the client that need no service. */
import type { ResponseMessage } from '../../../crypto/frames/binary-http.ts'
import { encodeUtf8 } from '../../../crypto/text.ts'
import type { ChannelOptions } from '../../../miniprogram/client/index.ts'
import type { TransportAnswer } from '../../../miniprogram/client/transports/transport.ts'

export function memoryStorage(
  stored: Map<string, string> = new Map(),
): NonNullable<ChannelOptions['storage']> {
  return {
    get: async (key) => stored.get(key),
    set: async (key, value) => {
      stored.set(key, value)
    },
    remove: async (key) => {
      stored.delete(key)
    },
  }
}

export function json(status: number, body: unknown, type = 'application/json'): ResponseMessage {
  return { status, fields: [['content-type', type]], content: encodeUtf8(JSON.stringify(body)) }
}

/** An inner problem document without the service's mark: a backend's, whatever it says. */
export function backendProblem(code: string, time: number, status = 401, more: object = {}): ResponseMessage {
  return json(status, { title: code, status, code, time, ...more }, 'application/problem+json')
}

/** An inner problem document, as the service writes it. */
export function problem(code: string, time: number, status = 401, more: object = {}): ResponseMessage {
  const unmarked = backendProblem(code, time, status, more)
  return { ...unmarked, fields: [...unmarked.fields, ['miniseal-problem', code]] }
}

/** An answer without a frame, as anyone on the way could give it. */
export function clearAnswer(status: number, code: string): TransportAnswer {
  const body = encodeUtf8(JSON.stringify({ title: code, status, code, time: 1 }))
  return { status, headers: { 'content-type': 'application/problem+json' }, body }
}

export function frameAnswer(body: Uint8Array): TransportAnswer {
  return { status: 200, headers: { 'content-type': 'application/vnd.miniseal' }, body }
}

/** The answer with one bit changed; a negative offset counts from the end. */
export function flipped(answer: TransportAnswer, offset: number): TransportAnswer {
  const body = Uint8Array.from(answer.body)
  const at = offset < 0 ? body.length + offset : offset
  body[at] = (body[at] ?? 0) ^ 1
  return { ...answer, body }
}
