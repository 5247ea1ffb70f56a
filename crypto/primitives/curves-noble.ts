/**
 * The curves of noble: 10 times faster than tweetnacl on engines without a JIT, thanks to BigInt, whose arithmetic is not
 * constant-time.
 *
 * Load it with `loadCurves` only: it does not load where BigInt is missing. Where the engine has WebCrypto, noble blinds
 * its secret scalars with random bytes of its own; no result depends on them.
 */
import { ed25519, x25519 } from '@noble/curves/ed25519.js'
import { bytesToNumberLE } from '@noble/curves/utils.js'
import { sha512 } from '@noble/hashes/sha2.js'
import { concatBytes, equalBytes } from '../bytes.ts'
import type { Curves } from './primitives.ts'

const { Point } = ed25519

export const nobleCurves: Curves = {
  name: 'noble',
  ed25519KeyPair(seed) {
    const publicKey = ed25519.getPublicKey(seed)
    return { publicKey, secretKey: concatBytes(seed, publicKey) }
  },
  ed25519Sign: (message, secretKey) => ed25519.sign(message, secretKey.subarray(0, 32)),
  ed25519Verify(signature, message, publicKey) {
    const r = signature.subarray(0, 32)
    const s = bytesToNumberLE(signature.subarray(32))
    const k = Point.Fn.create(bytesToNumberLE(sha512(concatBytes(r, publicKey, message))))
    const key = decodePoint(publicKey)
    // Not noble's own `verify`: it multiplies by the cofactor even with `zip215: false`, so it accepts an R or a key with
    // a small-order part that libsodium refuses.
    return (
      key !== undefined &&
      equalBytes(Point.BASE.multiplyUnsafe(s).subtract(key.multiplyUnsafe(k)).toBytes(), r)
    )
  },
  x25519PublicKey: (secret) => x25519.getPublicKey(secret),
  x25519(secret, publicKey) {
    try {
      return x25519.getSharedSecret(secret, publicKey)
    } catch {
      // The lengths are right, so noble refuses a public key of small order.
      return new Uint8Array(32)
    }
  },
}

/** `undefined` when there is no such point; the encoding is attacker-controlled. */
function decodePoint(encoding: Uint8Array): typeof Point.BASE | undefined {
  try {
    return Point.fromBytes(encoding, false)
  } catch {
    return undefined
  }
}
