/**
 * The primitives for phones: stablelib's SHA-256, HKDF over it, tweetnacl's secretbox, and the curves of noble or
 * tweetnacl. Nothing here draws random bytes or needs a global of the platform.
 */
import { hash } from '@stablelib/sha256'
import nacl from 'tweetnacl'
import { assertLength, isAllZero } from '../bytes.ts'
import { FormatError } from '../errors.ts'
import { tweetnaclCurves } from './curves-tweetnacl.ts'
import { isStrictSignature } from './ed25519-encoding.ts'
import { assertInfoLength, hkdfSha256 } from './hkdf.ts'
import type { Curves, Primitives } from './primitives.ts'

const keyLength = 32
const nonceLength = 24
const secretKeyLength = 64

/** Not in ES2018; used with `typeof` only. */
// biome-ignore lint/suspicious/noShadowRestrictedNames: this only declares the global for the type checker
declare const BigInt: unknown

/**
 * The fastest curves that load on this engine: noble where it has BigInt, else tweetnacl. noble is evaluated on the first
 * call. If it throws (WeChat's build turns `a ** b` into `Math.pow(a, b)`, which BigInt rejects), tweetnacl replaces it.
 */
export async function loadCurves(): Promise<Curves> {
  if (typeof BigInt !== 'function') return tweetnaclCurves
  try {
    const { nobleCurves } = await import('./curves-noble.ts')
    return nobleCurves
  } catch {
    return tweetnaclCurves
  }
}

/** Adds the checks that {@link Primitives} requires to raw curves, and the other primitives. */
export function createJsPrimitives(curves: Curves): Primitives {
  return {
    name: curves.name,
    sha256: hash,
    hkdf(ikm, salt, info) {
      assertInfoLength(info)
      return hkdfSha256(hash, ikm, salt, info)
    },
    ed25519KeyPair(seed) {
      assertLength(seed, keyLength, 'seed')
      return curves.ed25519KeyPair(seed)
    },
    ed25519Sign(message, secretKey) {
      assertLength(secretKey, secretKeyLength, 'secret key')
      return curves.ed25519Sign(message, secretKey)
    },
    ed25519Verify: (signature, message, publicKey) =>
      isStrictSignature(signature, publicKey) && curves.ed25519Verify(signature, message, publicKey),
    x25519PublicKey(secret) {
      assertLength(secret, keyLength, 'secret')
      return curves.x25519PublicKey(secret)
    },
    x25519(secret, publicKey) {
      assertLength(secret, keyLength, 'secret')
      assertLength(publicKey, keyLength, 'public key')
      const shared = curves.x25519(secret, publicKey)
      if (isAllZero(shared)) throw new FormatError('the shared secret is all zero')
      return shared
    },
    secretboxSeal(plaintext, nonce, key) {
      assertLength(nonce, nonceLength, 'nonce')
      assertLength(key, keyLength, 'key')
      // tweetnacl returns a view of a longer buffer; the `buffer` of a copy can be sent.
      return nacl.secretbox(plaintext, nonce, key).slice()
    },
    secretboxOpen(box, nonce, key) {
      assertLength(nonce, nonceLength, 'nonce')
      assertLength(key, keyLength, 'key')
      return nacl.secretbox.open(box, nonce, key)?.slice()
    },
  }
}
