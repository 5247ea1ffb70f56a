/**
 * The curves of tweetnacl: 10 times slower than noble without a JIT, but it needs no BigInt and its
 * arithmetic is written to be constant-time.
 *
 * tweetnacl asks for `require('crypto')` when it loads; bundling for the browser takes that out, and nothing
 * here draws random bytes.
 */
import nacl from 'tweetnacl'
import { equalBytes } from '../bytes.ts'
import type { Ed25519KeyPair } from './primitives.ts'
import type { Curves } from './primitives-js.ts'

/** A field element: 16 limbs of 16 bits. */
type Element = Float64Array

/** Extended coordinates X, Y, Z, T. */
type Point = readonly [Element, Element, Element, Element]

/**
 * The part of `nacl.lowlevel` that is used here; tweetnacl's own types leave it out. The first argument is
 * the result.
 */
interface LowLevel {
  gf(init?: readonly number[]): Element
  /** -121665/121666, the constant of the curve. */
  readonly D: Element
  /** The order of the prime-order subgroup, little-endian bytes. */
  readonly L: Float64Array
  pack25519(bytes: Uint8Array, a: Element): void
  unpack25519(a: Element, bytes: Uint8Array): void
  M(product: Element, a: Element, b: Element): void
  A(sum: Element, a: Element, b: Element): void
  Z(difference: Element, a: Element, b: Element): void
  S(square: Element, a: Element): void
  /** a^((p-5)/8) */
  pow2523(power: Element, a: Element): void
  /** `product` = `scalar` · `point`; overwrites `point`. */
  scalarmult(product: Point, point: Point, scalar: Float64Array): void
}

const { lowlevel } = nacl as unknown as { readonly lowlevel: LowLevel }
const { gf, D, L, pack25519, unpack25519, M, A, Z, S, pow2523, scalarmult } = lowlevel

const one: Element = gf([1])

export const tweetnaclCurves: Curves = {
  name: 'tweetnacl',
  keyPair: (seed): Ed25519KeyPair => nacl.sign.keyPair.fromSeed(seed),
  sign: (message, secretKey) => nacl.sign.detached(message, secretKey),
  verify: (signature, message, publicKey) => nacl.sign.detached.verify(message, signature, publicKey),
  isPrimeOrderKey: (publicKey) => {
    const point = findPoint(publicKey)
    return point !== undefined && isTorsionFree(point)
  },
  x25519PublicKey: (secret) => nacl.scalarMult.base(secret),
  x25519: (secret, publicKey) => nacl.scalarMult(secret, publicKey),
}

/** L · `point` is the identity. Y = Z says so alone: y = 1 leaves only x = 0 on the curve. */
function isTorsionFree(point: Point): boolean {
  const product: Point = [gf(), gf(), gf(), gf()]
  scalarmult(product, point, L)
  return isEqual(product[1], product[2])
}

/**
 * One of the two points with this y, without regard to the sign bit: both are of one order. `undefined` when
 * there is none. RFC 8032, section 5.1.3; the encoding is attacker-controlled.
 */
function findPoint(encoding: Uint8Array): Point | undefined {
  const y = gf()
  unpack25519(y, encoding)
  const x = findX(y)
  if (x === undefined) return undefined
  const t = gf()
  M(t, x, y)
  return [x, y, gf([1]), t]
}

/** x = (u/v)^((p+3)/8) with u = y^2 - 1 and v = d·y^2 + 1, computed as u·v^3·(u·v^7)^((p-5)/8). */
function findX(y: Element): Element | undefined {
  const [u, v, v3, v7, x] = [gf(), gf(), gf(), gf(), gf()] as const
  S(u, y)
  M(v, u, D)
  Z(u, u, one)
  A(v, v, one)
  S(v3, v)
  M(v3, v3, v)
  S(v7, v3)
  M(v7, v7, v)
  M(x, u, v7)
  pow2523(x, x)
  M(x, x, u)
  M(x, x, v3)
  if (isRoot(x, u, v)) return x
  M(x, x, rootOfMinusOne())
  return isRoot(x, u, v) ? x : undefined
}

/** v · x^2 = u */
function isRoot(x: Element, u: Element, v: Element): boolean {
  const check = gf()
  S(check, x)
  M(check, check, v)
  return isEqual(check, u)
}

/** 2^((p-1)/4), that is 2 · (2^((p-5)/8))^2. */
function rootOfMinusOne(): Element {
  const two = gf([2])
  const root = gf()
  pow2523(root, two)
  S(root, root)
  M(root, root, two)
  return root
}

function isEqual(a: Element, b: Element): boolean {
  return equalBytes(packed(a), packed(b))
}

/** The one canonical encoding of a field element. */
function packed(a: Element): Uint8Array {
  const bytes = new Uint8Array(32)
  pack25519(bytes, a)
  return bytes
}
