import { hkdfSync } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { FormatError } from '../../../crypto/errors.ts'
import { decodeHex as bytes, encodeHex as hex } from '../../../crypto/text.ts'
import { littleEndian } from './crafted-signatures.ts'
import { namedImplementations, tweetnacl } from './implementations.ts'
import {
  derivations,
  diffieHellman,
  iterated,
  scalarMultiplications,
  secretbox,
  signatures,
} from './primitives-vectors.ts'

const fieldPrime = (1n << 255n) - 19n
const secret = new Uint8Array(32).fill(7)
const message = bytes('00010203')

describe.each(namedImplementations)('%s', (_, primitives) => {
  const pair = primitives.ed25519KeyPair(secret)
  const signature = primitives.ed25519Sign(message, pair.secretKey)

  describe('hashes and derivations', () => {
    test('SHA-256 gives the digests of FIPS 180-4', () => {
      expect(hex(primitives.sha256(bytes('616263')))).toBe(
        'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
      )
      expect(hex(primitives.sha256(new Uint8Array(0)))).toBe(
        'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
      )
    })

    test.each(derivations)('HKDF derives the key of RFC 5869, $name', ({ ikm, salt, info, okm }) => {
      expect(hex(primitives.hkdf(bytes(ikm), bytes(salt), bytes(info)))).toBe(okm)
    })

    test.each([63, 64, 65, 128])('HKDF derives what OpenSSL derives with a salt of %i bytes', (length) => {
      const salt = new Uint8Array(length).fill(0xa5)
      expect(Buffer.from(primitives.hkdf(secret, salt, message))).toEqual(
        Buffer.from(hkdfSync('sha256', secret, salt, message, 32)),
      )
    })

    test('HKDF treats an empty salt as 32 zero bytes', () => {
      expect(primitives.hkdf(secret, new Uint8Array(0), message)).toEqual(
        primitives.hkdf(secret, new Uint8Array(32), message),
      )
    })

    test('HKDF refuses an info of more than 1024 bytes', () => {
      expect(primitives.hkdf(secret, secret, new Uint8Array(1024))).toHaveLength(32)
      expect(() => primitives.hkdf(secret, secret, new Uint8Array(1025))).toThrow(FormatError)
    })
  })

  describe('signatures', () => {
    test.each(signatures)('Ed25519 makes and verifies the signature of RFC 8032, $name', (vector) => {
      const made = primitives.ed25519KeyPair(bytes(vector.seed))
      expect(hex(made.publicKey)).toBe(vector.publicKey)
      expect(hex(made.secretKey)).toBe(vector.seed + vector.publicKey)
      expect(hex(primitives.ed25519Sign(bytes(vector.message), made.secretKey))).toBe(vector.signature)
      expect(
        primitives.ed25519Verify(bytes(vector.signature), bytes(vector.message), bytes(vector.publicKey)),
      ).toBe(true)
    })
  })

  describe('X25519', () => {
    test.each(scalarMultiplications)(
      'X25519 gives the result of RFC 7748, section 5.2, for $scalar',
      (vector) => {
        expect(hex(primitives.x25519(bytes(vector.scalar), bytes(vector.u)))).toBe(vector.result)
      },
    )

    test('X25519 gives the result of RFC 7748 after iterating', () => {
      let k: Uint8Array = littleEndian(9n)
      let u = k
      const rounds = primitives === tweetnacl ? 1 : 1000
      for (let i = 0; i < rounds; i++) [k, u] = [primitives.x25519(k, u), k]
      expect(hex(k)).toBe(rounds === 1 ? iterated.once : iterated.thousandTimes)
    })

    test('X25519 agrees on the secret of RFC 7748, section 6.1', () => {
      const { alice, bob, shared } = diffieHellman
      expect(hex(primitives.x25519PublicKey(bytes(alice.secret)))).toBe(alice.publicKey)
      expect(hex(primitives.x25519PublicKey(bytes(bob.secret)))).toBe(bob.publicKey)
      expect(hex(primitives.x25519(bytes(alice.secret), bytes(bob.publicKey)))).toBe(shared)
      expect(hex(primitives.x25519(bytes(bob.secret), bytes(alice.publicKey)))).toBe(shared)
    })

    test('X25519 ignores the most significant bit of the public key and reduces it modulo p', () => {
      const publicKey = primitives.x25519PublicKey(secret)
      const marked = publicKey.slice()
      marked[31] = (marked[31] ?? 0) | 0x80
      expect(primitives.x25519(secret, marked)).toEqual(primitives.x25519(secret, publicKey))
      expect(primitives.x25519(secret, littleEndian(fieldPrime + 9n))).toEqual(publicKey)
    })
  })

  describe('secretbox', () => {
    const key = bytes(secretbox.key)
    const nonce = bytes(secretbox.nonce)

    test('secretbox gives the known answer of NaCl, both ways', () => {
      expect(hex(primitives.secretboxSeal(bytes(secretbox.plaintext), nonce, key))).toBe(secretbox.box)
      expect(hex(primitives.secretboxOpen(bytes(secretbox.box), nonce, key) ?? secret)).toBe(
        secretbox.plaintext,
      )
    })

    test('secretbox seals an empty plaintext to its tag', () => {
      const box = primitives.secretboxSeal(new Uint8Array(0), nonce, key)
      expect(box).toHaveLength(16)
      expect(primitives.secretboxOpen(box, nonce, key)).toEqual(new Uint8Array(0))
    })

    test('secretbox does not open a box that was changed, truncated, or made with another nonce or key', () => {
      const box = bytes(secretbox.box)
      for (let i = 0; i < box.length; i++) {
        const changed = box.slice()
        changed[i] = (changed[i] ?? 0) ^ (1 << (i % 8))
        expect(primitives.secretboxOpen(changed, nonce, key)).toBeUndefined()
      }
      for (const length of [0, 1, 15, 16, 17, box.length - 1]) {
        expect(primitives.secretboxOpen(box.subarray(0, length), nonce, key)).toBeUndefined()
      }
      expect(primitives.secretboxOpen(box, new Uint8Array(24), key)).toBeUndefined()
      expect(primitives.secretboxOpen(box, nonce, secret)).toBeUndefined()
    })
  })

  test('keys, seeds, secrets and nonces of a wrong length throw a FormatError', () => {
    const nonce = new Uint8Array(24)
    const box = primitives.secretboxSeal(message, nonce, secret)
    for (const wrong of [0, 16, 23, 25, 31, 33, 63, 65].map((length) => new Uint8Array(length))) {
      expect(() => primitives.ed25519KeyPair(wrong)).toThrow(FormatError)
      expect(() => primitives.ed25519Sign(message, wrong)).toThrow(FormatError)
      expect(() => primitives.x25519PublicKey(wrong)).toThrow(FormatError)
      expect(() => primitives.x25519(wrong, pair.publicKey)).toThrow(FormatError)
      expect(() => primitives.x25519(secret, wrong)).toThrow(FormatError)
      expect(() => primitives.secretboxSeal(message, wrong, secret)).toThrow(FormatError)
      expect(() => primitives.secretboxSeal(message, nonce, wrong)).toThrow(FormatError)
      expect(() => primitives.secretboxOpen(box, wrong, secret)).toThrow(FormatError)
      expect(() => primitives.secretboxOpen(box, nonce, wrong)).toThrow(FormatError)
    }
  })

  test('primitives accept views into larger buffers', () => {
    const view = (part: Uint8Array): Uint8Array => {
      const longer = new Uint8Array(part.length + 9).fill(0xaa)
      longer.set(part, 5)
      return longer.subarray(5, 5 + part.length)
    }
    expect(primitives.ed25519Sign(view(message), view(pair.secretKey))).toEqual(signature)
    expect(primitives.ed25519Verify(view(signature), view(message), view(pair.publicKey))).toBe(true)
    expect(primitives.sha256(view(message))).toEqual(primitives.sha256(message))
    const peer = primitives.x25519PublicKey(view(secret))
    expect(primitives.x25519(view(secret), view(peer))).toEqual(primitives.x25519(secret, peer))
  })

  test('primitives return new arrays and do not change their arguments', () => {
    const nonce = new Uint8Array(24)
    const seed = secret.slice()
    const made = primitives.ed25519KeyPair(seed)
    const peer = primitives.x25519PublicKey(seed)
    const box = primitives.secretboxSeal(message, nonce, seed)
    const results = [
      primitives.sha256(message),
      primitives.hkdf(seed, message, message),
      made.publicKey,
      made.secretKey,
      primitives.ed25519Sign(message, made.secretKey),
      peer,
      primitives.x25519(seed, peer),
      box,
      primitives.secretboxOpen(box, nonce, seed),
    ]
    for (const result of results) {
      expect(result?.constructor).toBe(Uint8Array)
      expect(result?.buffer.byteLength).toBe(result?.length)
    }
    expect(seed).toEqual(secret)
    expect(message).toEqual(bytes('00010203'))
  })
})
