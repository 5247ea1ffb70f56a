/**
 * Signatures that some verifiers accept and strict ones must not, made with noble's point arithmetic.
 *
 * Each is built to satisfy the equation S·B = R + k·A that a verifier checks, so that only the check under
 * test can refuse it.
 */
import { ED25519_TORSION_SUBGROUP, ed25519 } from '@noble/curves/ed25519.js'
import { bytesToNumberLE } from '@noble/curves/utils.js'
import { sha512 } from '@noble/hashes/sha2.js'
import { concatBytes, equalBytes } from '../../../crypto/bytes.ts'

const { Point } = ed25519
type EdwardsPoint = typeof Point.BASE

export interface CraftedSignature {
  readonly signature: Uint8Array
  readonly message: Uint8Array
  readonly publicKey: Uint8Array
}

/** The eight points whose order divides 8; the first is the identity. */
export const torsionPoints: readonly EdwardsPoint[] = ED25519_TORSION_SUBGROUP.map((hex) =>
  Point.fromHex(hex),
)

/** One point of order 8. */
export const orderEight: EdwardsPoint =
  torsionPoints.find((point) => !point.double().double().is0()) ?? Point.ZERO

/** Every encoding of a small-order point: 7 values of y, canonical or not, each with either sign bit. */
export const smallOrderEncodings: readonly Uint8Array[] = everyEncoding([
  ...new Set(torsionPoints.map((point) => point.y)),
])

/** Every encoding of a small-order X25519 input: 7 values of u, each with the ignored bit clear and set. */
export const smallOrderInputs: readonly Uint8Array[] = everyEncoding([
  0n,
  1n,
  Point.Fp.ORDER - 1n,
  325606250916557431795983626356110631294008115727848805560023387167927233504n,
  39382357235489614581723060781553021112529911719440698176882885853963445705823n,
])

const secretScalar = Point.Fn.create(bytesToNumberLE(sha512(Uint8Array.of(1))))
const nonceScalar = Point.Fn.create(bytesToNumberLE(sha512(Uint8Array.of(2))))

/** A prime-order public key, and the same with each of the seven points of small order added. */
export const honestKey: EdwardsPoint = Point.BASE.multiply(secretScalar)
export const mixedOrderKeys: readonly EdwardsPoint[] = torsionPoints
  .slice(1)
  .map((point) => honestKey.add(point))

/** A key of small order: with k·A = 0 the equation holds for R = S·B, without a secret key. */
export function forgeForSmallOrderKey(publicKey: Uint8Array): CraftedSignature {
  const key = Point.fromBytes(publicKey, true)
  const r = Point.BASE.multiply(nonceScalar).toBytes()
  const message = findMessage((m) => key.multiplyUnsafe(challenge(r, publicKey, m)).is0())
  return { signature: concatBytes(r, Point.Fn.toBytes(nonceScalar)), message, publicKey }
}

/** R of small order: with S = k·a and A = a·B + T, the equation holds when R = -k·T. */
export function signWithSmallOrderR(r: Uint8Array): CraftedSignature {
  const wanted = Point.fromBytes(r, true)
  const publicKey = honestKey.add(orderEight).toBytes()
  const message = findMessage((m) =>
    orderEight
      .multiplyUnsafe(challenge(r, publicKey, m))
      .negate()
      .equals(wanted),
  )
  const s = Point.Fn.create(challenge(r, publicKey, message) * secretScalar)
  return { signature: concatBytes(r, Point.Fn.toBytes(s)), message, publicKey }
}

/**
 * A signature whose R or A, or both, carry a small-order part; it holds without cofactor only by luck of k.
 */
export function signWithTorsion(
  inR: EdwardsPoint,
  inKey: EdwardsPoint,
  message: Uint8Array,
): CraftedSignature {
  const r = Point.BASE.multiply(nonceScalar).add(inR).toBytes()
  const publicKey = honestKey.add(inKey).toBytes()
  const s = Point.Fn.create(nonceScalar + challenge(r, publicKey, message) * secretScalar)
  return { signature: concatBytes(r, Point.Fn.toBytes(s)), message, publicKey }
}

/** S·B - k·A encodes to R: what every cofactorless verifier agrees on. */
export function holdsWithoutCofactor({ signature, message, publicKey }: CraftedSignature): boolean {
  const r = signature.subarray(0, 32)
  const s = bytesToNumberLE(signature.subarray(32))
  const key = Point.fromBytes(publicKey)
  const expected = Point.BASE.multiplyUnsafe(s).subtract(key.multiplyUnsafe(challenge(r, publicKey, message)))
  return equalBytes(expected.toBytes(), r)
}

/** The same signature with S + `times`·L, as long as that fits into 32 bytes. */
export function withScalarRaised(signature: Uint8Array, times: bigint): Uint8Array {
  const raised = bytesToNumberLE(signature.subarray(32)) + times * Point.Fn.ORDER
  return concatBytes(signature.subarray(0, 32), littleEndian(raised))
}

export function littleEndian(value: bigint): Uint8Array {
  return Uint8Array.from({ length: 32 }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn))
}

function challenge(r: Uint8Array, publicKey: Uint8Array, message: Uint8Array): bigint {
  return Point.Fn.create(bytesToNumberLE(sha512(concatBytes(r, publicKey, message))))
}

function findMessage(fits: (message: Uint8Array) => boolean): Uint8Array {
  for (let i = 0; i < 1000; i++) {
    const message = Uint8Array.of(i >> 8, i & 0xff)
    if (fits(message)) return message
  }
  throw new Error('no fitting message')
}

/**
 * Each value in all the 256-bit forms that reduce to it: plus p where that stays below 2^255, and with the
 * top bit.
 */
function everyEncoding(values: readonly bigint[]): Uint8Array[] {
  const forms = values.flatMap((value) => (value < 19n ? [value, value + Point.Fp.ORDER] : [value]))
  return forms.flatMap((form) => [littleEndian(form), littleEndian(form + (1n << 255n))])
}
