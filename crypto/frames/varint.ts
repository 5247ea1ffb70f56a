/**
 * Variable-length integers of QUIC (RFC 9000, section 16), as Binary HTTP uses them.
 *
 * The two high bits of the first byte are the length (1, 2, 4 or 8 bytes); the rest is big-endian. Values are at most
 * 2^53-1, because not every phone has BigInt.
 */
import { byteAt } from '../bytes.ts'
import { FormatError } from '../errors.ts'

interface Varint {
  readonly value: number
  /** The offset after the integer. */
  readonly next: number
}

/** The shortest encoding of `value`. @throws FormatError outside 0..2^53-1. */
export function encodeVarint(value: number): Uint8Array {
  if (!Number.isSafeInteger(value) || value < 0) throw new FormatError('not a safe unsigned integer')
  const exponent = shortestExponent(value)
  const bytes = new Uint8Array(1 << exponent)
  let rest = value
  for (let i = bytes.length - 1; i >= 0; i--) {
    bytes[i] = rest % 256
    rest = Math.floor(rest / 256)
  }
  // A safe integer has 53 bits, so the two high bits of 8 bytes are free.
  bytes[0] = byteAt(bytes, 0) | (exponent << 6)
  return bytes
}

/**
 * Reads the integer at `offset` of attacker-controlled bytes.
 * @throws FormatError when it is truncated, not in its shortest form, or above 2^53-1.
 */
export function readVarint(bytes: Uint8Array, offset: number): Varint {
  const first = byteAt(bytes, offset)
  const exponent = first >> 6
  const next = offset + (1 << exponent)
  let value = first & 0x3f
  for (let i = offset + 1; i < next; i++) value = value * 256 + byteAt(bytes, i)
  if (!Number.isSafeInteger(value)) throw new FormatError('integer too large')
  // RFC 9000 allows longer forms; this protocol does not.
  if (exponent !== shortestExponent(value)) throw new FormatError('integer not in its shortest form')
  return { value, next }
}

function shortestExponent(value: number): number {
  if (value < 0x40) return 0
  if (value < 0x4000) return 1
  if (value < 0x40000000) return 2
  return 3
}
