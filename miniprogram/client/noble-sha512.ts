/**
 * SHA-512 for noble's Ed25519, in the place of `@noble/hashes/sha2.js`: the one of tweetnacl, which is in the bundle
 * anyway. It makes the bundle 8 KB smaller, and without a JIT it is twice as fast (1.2 against 2.5 ms per KB).
 */
import nacl from 'tweetnacl'

/** What noble asks of a hash: a function that tells the bytes of its output and of its blocks. */
interface Hash {
  (message: Uint8Array): Uint8Array
  readonly outputLen: number
  readonly blockLen: number
}

export const sha512: Hash = Object.assign((message: Uint8Array) => nacl.hash(message), {
  outputLen: 64,
  blockLen: 128,
})
