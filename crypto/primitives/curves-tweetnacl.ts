/**
 * The curves of tweetnacl: 10 times slower than noble without a JIT, but it needs no BigInt and its arithmetic is written
 * to be constant-time.
 *
 * tweetnacl calls `require('crypto')` when it loads. Bundling for the browser removes the call; nothing here draws random
 * bytes.
 */
import nacl from 'tweetnacl'
import type { Curves } from './primitives.ts'

export const tweetnaclCurves: Curves = {
  name: 'tweetnacl',
  ed25519KeyPair: (seed) => nacl.sign.keyPair.fromSeed(seed),
  ed25519Sign: (message, secretKey) => nacl.sign.detached(message, secretKey),
  ed25519Verify: (signature, message, publicKey) => nacl.sign.detached.verify(message, signature, publicKey),
  x25519PublicKey: (secret) => nacl.scalarMult.base(secret),
  x25519: (secret, publicKey) => nacl.scalarMult(secret, publicKey),
}
