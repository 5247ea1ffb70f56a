/**
 * Strict checks of the encodings of Ed25519 scalars and points (RFC 8032, section 5.1), for libraries that do not make them.
 *
 * All arguments are public and attacker-controlled, so the checks are not constant-time.
 */
import { byteAt } from '../bytes.ts'

const encodedLength = 32
const signBit = 0x80

/** L = 2^252 + 27742317777372353535851937790883648493, the order of the prime-order subgroup, little-endian. */
const groupOrder: readonly number[] = [
  0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
]

/** p = 2^255 - 19, little-endian. */
const fieldPrime: readonly number[] = nearFieldPrime(0xed)

/**
 * The y coordinates of the eight points whose order divides 8, with both encodings of those that have two.
 * The same list as libsodium's `ge25519_has_small_order`.
 */
const smallOrderYs: readonly (readonly number[])[] = [
  // 0: order 4
  smallNumber(0),
  // 1: the identity
  smallNumber(1),
  // two of order 8
  [
    0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5,
    0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
  ],
  [
    0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a,
    0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
  ],
  // p - 1: order 2
  nearFieldPrime(0xec),
  // p and p + 1: other encodings of 0 and 1
  nearFieldPrime(0xed),
  nearFieldPrime(0xee),
]

/**
 * Whether lengths and encodings of a signature (R and S) and its public key are those that `Primitives.ed25519Verify`
 * accepts. The signature itself is not verified.
 */
export function isStrictSignature(signature: Uint8Array, publicKey: Uint8Array): boolean {
  return (
    signature.length === 2 * encodedLength &&
    isCanonicalScalar(signature.subarray(encodedLength)) &&
    [signature.subarray(0, encodedLength), publicKey].every(
      (point) => isCanonicalPoint(point) && !hasSmallOrder(point),
    )
  )
}

/** True when the 32 bytes are a little-endian S with S < L (RFC 8032, section 5.1.7); false for another length. */
export function isCanonicalScalar(scalar: Uint8Array): boolean {
  return scalar.length === encodedLength && isBelow(scalar, groupOrder)
}

/**
 * True when the 32 bytes hold y < p beneath the sign bit; false for another length. There may be no such point. Both
 * encodings of x = 0 with a set sign bit pass; {@link hasSmallOrder} finds them.
 */
export function isCanonicalPoint(encoding: Uint8Array): boolean {
  return encoding.length === encodedLength && isBelow(withoutSign(encoding), fieldPrime)
}

/**
 * True for every encoding, canonical or not, of a point whose order divides 8, with either sign bit; false for another
 * length. With such a public key one signature verifies for every message.
 */
export function hasSmallOrder(encoding: Uint8Array): boolean {
  if (encoding.length !== encodedLength) return false
  const y = withoutSign(encoding)
  return smallOrderYs.some((small) => small.every((byte, i) => byteAt(y, i) === byte))
}

/** A copy with the sign bit of x cleared. */
function withoutSign(encoding: Uint8Array): Uint8Array {
  const y = encoding.slice()
  y[encodedLength - 1] = byteAt(y, encodedLength - 1) & ~signBit
  return y
}

/** Compares two little-endian numbers of 32 bytes. */
function isBelow(value: Uint8Array, bound: readonly number[]): boolean {
  for (let i = encodedLength - 1; i >= 0; i--) {
    const difference = byteAt(value, i) - (bound[i] ?? 0)
    if (difference !== 0) return difference < 0
  }
  return false
}

function smallNumber(value: number): number[] {
  return [value, ...new Array<number>(encodedLength - 1).fill(0)]
}

/** 2^255 - 256 + `lowest`: p and its neighbours. */
function nearFieldPrime(lowest: number): number[] {
  return [lowest, ...new Array<number>(encodedLength - 2).fill(0xff), 0x7f]
}
