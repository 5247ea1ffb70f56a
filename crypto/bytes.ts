/** Byte strings: lengths, joining, comparing, big-endian integers. */
import { FormatError } from './errors.ts'

/**
 * @param name what the bytes are, for the message; never their content
 * @throws FormatError unless `bytes` has exactly `length` bytes.
 */
export function assertLength(bytes: Uint8Array, length: number, name: string): void {
  if (bytes.length !== length) throw new FormatError(`${name} must have ${length} bytes`)
}

/** The concatenation of all parts, in a new array. */
export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0
  for (const part of parts) length += part.length
  const joined = new Uint8Array(length)
  let offset = 0
  for (const part of parts) {
    joined.set(part, offset)
    offset += part.length
  }
  return joined
}

/** Equality in constant time: the duration depends on the lengths only. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  let difference = 0
  for (let i = 0; i < a.length; i++) difference |= byteAt(a, i) ^ byteAt(b, i)
  return difference === 0
}

/** True when every byte is zero. Reads all bytes. */
export function isAllZero(bytes: Uint8Array): boolean {
  let seen = 0
  for (let i = 0; i < bytes.length; i++) seen |= byteAt(bytes, i)
  return seen === 0
}

/** Overwrites a secret with zeros. It cannot reach copies that the engine made. */
export function wipe(bytes: Uint8Array): void {
  bytes.fill(0)
}

/** @throws FormatError when `offset` lies outside `bytes`. */
export function byteAt(bytes: Uint8Array, offset: number): number {
  const byte = bytes[offset]
  if (byte === undefined) throw new FormatError('unexpected end of input')
  return byte
}

/** `u16`, big-endian. @throws FormatError outside 0..65535. */
export function encodeU16(value: number): Uint8Array {
  if (!Number.isInteger(value) || value < 0 || value > 0xffff)
    throw new FormatError('not an unsigned 16-bit integer')
  return Uint8Array.of(value >>> 8, value & 0xff)
}

/** `u64`, big-endian. @throws FormatError outside 0..2^53-1. */
export function encodeU64(value: number): Uint8Array {
  if (!Number.isSafeInteger(value) || value < 0) throw new FormatError('not a safe unsigned integer')
  const bytes = new Uint8Array(8)
  let rest = value
  for (let i = 7; i >= 0; i--) {
    bytes[i] = rest % 256
    rest = Math.floor(rest / 256)
  }
  return bytes
}

/** Reads a big-endian `u64` of exactly 8 bytes. @throws FormatError for another length or a value over 2^53-1. */
export function parseU64(bytes: Uint8Array): number {
  if (bytes.length !== 8) throw new FormatError('not 8 bytes')
  let value = 0
  for (let i = 0; i < 8; i++) value = value * 256 + byteAt(bytes, i)
  if (!Number.isSafeInteger(value)) throw new FormatError('integer too large')
  return value
}

/** `lp(x)`: the length of `x` as `u16`, then `x`. @throws FormatError when `x` is over 65535 bytes. */
export function lengthPrefixed(bytes: Uint8Array): Uint8Array {
  return concatBytes(encodeU16(bytes.length), bytes)
}
