import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { implementations } from './implementations.ts'

describe('between implementations', () => {
  const text = fc.uint8Array({ maxLength: 1200 })
  const key = fc.uint8Array({ minLength: 32, maxLength: 32 })
  const pairs = implementations.flatMap((one) =>
    implementations
      .filter((other) => other !== one)
      .map((other) => [one.name, other.name, one, other] as const),
  )

  test.each(pairs)('signatures of %s verify with %s', (_one, _other, one, other) => {
    fc.assert(
      fc.property(key, text, (seed, signed) => {
        const { publicKey, secretKey } = one.ed25519KeyPair(seed)
        const signature = one.ed25519Sign(signed, secretKey)
        expect(other.ed25519Sign(signed, secretKey)).toEqual(signature)
        expect(other.ed25519Verify(signature, signed, publicKey)).toBe(true)
      }),
      { numRuns: 6 },
    )
  })

  test.each(pairs)('boxes of %s open with %s', (_one, _other, one, other) => {
    const nonces = fc.uint8Array({ minLength: 24, maxLength: 24 })
    fc.assert(
      fc.property(key, nonces, text, (shared, nonce, plaintext) => {
        const box = one.secretboxSeal(plaintext, nonce, shared)
        expect(other.secretboxOpen(box, nonce, shared)).toEqual(plaintext)
      }),
      { numRuns: 25 },
    )
  })

  test.each(pairs)('%s and %s agree on secrets, hashes and derived keys', (_one, _other, one, other) => {
    fc.assert(
      fc.property(key, key, text, (mine, theirs, info) => {
        const shared = one.x25519(mine, other.x25519PublicKey(theirs))
        expect(other.x25519(theirs, one.x25519PublicKey(mine))).toEqual(shared)
        expect(other.hkdf(shared, mine, info)).toEqual(one.hkdf(shared, mine, info))
        expect(other.sha256(info)).toEqual(one.sha256(info))
      }),
      { numRuns: 6 },
    )
  })
})
