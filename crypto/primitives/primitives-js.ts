/**
 * The primitives for phones: stablelib's SHA-256, HKDF over it, tweetnacl's secretbox, and the curves of whichever
 * library runs well there (`curves.ts`). Nothing here draws random bytes or needs a global of the platform.
 */
import { hash } from '@stablelib/sha256'
import nacl from 'tweetnacl'
import { isAllZero } from '../bytes.ts'
import { FormatError } from '../errors.ts'
import { hasSmallOrder, isCanonicalPoint, isCanonicalScalar } from './ed25519-encoding.ts'
import { hkdfSha256 } from './hkdf.ts'
import { assertInfoLength, assertLength } from './input-lengths.ts'
import type { Ed25519KeyPair, Primitives } from './primitives.ts'

const keyLength = 32
const nonceLength = 24
const secretKeyLength = 64
const signatureLength = 64

/**
 * What differs between the curve libraries. {@link createJsPrimitives} checks lengths and encodings before it
 * calls one of these, and a result that is all zero after, so that an implementation needs only the
 * mathematics.
 */
export interface Curves {
  /** For diagnostics only, for example `noble`. */
  readonly name: string

  /** The key pair of a 32-byte seed (RFC 8032, section 5.1.5). */
  keyPair(seed: Uint8Array): Ed25519KeyPair

  /** A signature by the 64-byte secret key of {@link Curves.keyPair}. */
  sign(message: Uint8Array, secretKey: Uint8Array): Uint8Array

  /**
   * The equation S·B = R + k·A without cofactor, as libsodium, OpenSSL and `jose` check it: a verifier that
   * multiplies by 8 accepts signatures that theirs refuse. Given a canonical S, and canonical encodings of R
   * and A that are not of small order, though there may be no such points. False, never an exception.
   */
  verify(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean

  /**
   * True when the 32 bytes decode to a point that L times gives the identity. Canonical, not of small order.
   */
  isPrimeOrderKey(publicKey: Uint8Array): boolean

  /** X25519 with the base point. */
  x25519PublicKey(secret: Uint8Array): Uint8Array

  /** X25519; 32 zero bytes when `publicKey` is of small order. */
  x25519(secret: Uint8Array, publicKey: Uint8Array): Uint8Array
}

/** Wraps raw curves in the strictness that {@link Primitives} asks for. */
export function createJsPrimitives(curves: Curves): Primitives {
  return {
    name: curves.name,
    sha256,
    hkdf,
    secretboxSeal,
    secretboxOpen,
    ...ed25519(curves),
    ...x25519(curves),
  }
}

type Ed25519 = Pick<Primitives, 'ed25519KeyPair' | 'ed25519Sign' | 'ed25519Verify' | 'isPrimeOrderKey'>
type X25519 = Pick<Primitives, 'x25519PublicKey' | 'x25519'>

function ed25519(curves: Curves): Ed25519 {
  return {
    ed25519KeyPair: (seed) => {
      assertLength(seed, keyLength, 'seed')
      return curves.keyPair(seed)
    },
    ed25519Sign: (message, secretKey) => {
      assertLength(secretKey, secretKeyLength, 'secret key')
      return curves.sign(message, secretKey)
    },
    ed25519Verify: (signature, message, publicKey) =>
      signature.length === signatureLength &&
      isCanonicalScalar(signature.subarray(32)) &&
      isStrictPoint(signature.subarray(0, 32)) &&
      isStrictPoint(publicKey) &&
      curves.verify(signature, message, publicKey),
    isPrimeOrderKey: (publicKey) => isStrictPoint(publicKey) && curves.isPrimeOrderKey(publicKey),
  }
}

function x25519(curves: Curves): X25519 {
  return {
    x25519PublicKey: (secret) => {
      assertLength(secret, keyLength, 'secret')
      return curves.x25519PublicKey(secret)
    },
    x25519: (secret, publicKey) => {
      assertLength(secret, keyLength, 'secret')
      assertLength(publicKey, keyLength, 'public key')
      const shared = curves.x25519(secret, publicKey)
      if (isAllZero(shared)) throw new FormatError('the shared secret is all zero')
      return shared
    },
  }
}

/** 32 bytes, canonical, and not of small order; the encoding is attacker-controlled. */
function isStrictPoint(encoding: Uint8Array): boolean {
  return isCanonicalPoint(encoding) && !hasSmallOrder(encoding)
}

function sha256(message: Uint8Array): Uint8Array {
  return hash(message)
}

function hkdf(ikm: Uint8Array, salt: Uint8Array, info: Uint8Array): Uint8Array {
  assertInfoLength(info)
  return hkdfSha256(hash, ikm, salt, info)
}

function secretboxSeal(plaintext: Uint8Array, nonce: Uint8Array, key: Uint8Array): Uint8Array {
  assertLength(nonce, nonceLength, 'nonce')
  assertLength(key, keyLength, 'key')
  // tweetnacl's result is a view into a longer buffer; a copy has a `buffer` that can be sent as it is.
  return nacl.secretbox(plaintext, nonce, key).slice()
}

function secretboxOpen(box: Uint8Array, nonce: Uint8Array, key: Uint8Array): Uint8Array | undefined {
  assertLength(nonce, nonceLength, 'nonce')
  assertLength(key, keyLength, 'key')
  const plaintext = nacl.secretbox.open(box, nonce, key)
  return plaintext === null ? undefined : plaintext.slice()
}
