/** Bytes as the phone gives and takes them. */
import { ChannelError } from '../errors.ts'

/** An ArrayBuffer of exactly these bytes: a view's buffer may be longer, and the phone would send all of it. */
export function bufferOf(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer
}

/** @throws ChannelError `unexpected_answer` for anything else than an ArrayBuffer. */
export function bytesOf(data: unknown): Uint8Array {
  // `instanceof` would fail for an ArrayBuffer of another realm, which some containers hand out.
  if (Object.prototype.toString.call(data) !== '[object ArrayBuffer]') {
    throw new ChannelError('unexpected_answer', 'the phone gave no arraybuffer')
  }
  return new Uint8Array(data as ArrayBuffer)
}
