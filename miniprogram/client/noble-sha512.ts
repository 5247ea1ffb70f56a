/**
 * SHA-512 of tweetnacl, which the bundle aliases to `@noble/hashes/sha2.js` for noble's Ed25519. On engines without a
 * JIT it is twice as fast (1.2 ms instead of 2.5 ms per KB), and it saves 8 KB.
 */
import nacl from 'tweetnacl'

/** The interface of noble's hash functions; lengths in bytes. */
interface Hash {
  (message: Uint8Array): Uint8Array
  readonly outputLen: number
  readonly blockLen: number
}

export const sha512: Hash = Object.assign((message: Uint8Array) => nacl.hash(message), {
  outputLen: 64,
  blockLen: 128,
})
