import { ed25519 } from '@noble/curves/ed25519.js'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FormatError } from '../../../crypto/errors.ts'
import { nobleCurves } from '../../../crypto/primitives/curves-noble.ts'
import { createJsPrimitives } from '../../../crypto/primitives/primitives-js.ts'
import { decodeHex as bytes, encodeHex as hex } from '../../../crypto/text.ts'
import { isPrimeOrderKey, sodiumPrimitives } from '../../../service/keys/sodium-primitives.ts'
import type { CraftedSignature } from './crafted-signatures.ts'
import {
  forgeForSmallOrderKey,
  holdsWithoutCofactor,
  honestKey,
  littleEndian,
  orderEight,
  signWithTorsion,
  smallOrderEncodings,
  torsionPoints,
  withScalarRaised,
} from './crafted-signatures.ts'
import { namedImplementations, noble, tweetnacl } from './implementations.ts'
import { signatures } from './primitives-vectors.ts'

const fieldPrime = (1n << 255n) - 19n
const secret = new Uint8Array(32).fill(7)
const message = bytes('00010203')
const [identity = honestKey] = torsionPoints

describe.each(namedImplementations)('%s', (_, primitives) => {
  const pair = primitives.ed25519KeyPair(secret)
  const signature = primitives.ed25519Sign(message, pair.secretKey)
  const verify = (made: CraftedSignature): boolean =>
    primitives.ed25519Verify(made.signature, made.message, made.publicKey)

  describe('signatures', () => {
    test('signatures are refused for another message, another key, or any changed byte', () => {
      const other = primitives.ed25519KeyPair(new Uint8Array(32).fill(8))
      expect(primitives.ed25519Verify(signature, bytes('00010204'), pair.publicKey)).toBe(false)
      expect(primitives.ed25519Verify(signature, message, other.publicKey)).toBe(false)
      for (let i = 0; i < 64; i += primitives === tweetnacl ? 9 : 1) {
        const changed = signature.slice()
        changed[i] = (changed[i] ?? 0) ^ (1 << (i % 8))
        expect(primitives.ed25519Verify(changed, message, pair.publicKey), `byte ${i}`).toBe(false)
      }
    })

    test('signatures and keys of a wrong length are refused without an exception', () => {
      for (const length of [0, 31, 32, 63, 65, 96]) {
        expect(primitives.ed25519Verify(new Uint8Array(length), message, pair.publicKey)).toBe(false)
      }
      const longer = new Uint8Array(65)
      longer.set(signature)
      expect(primitives.ed25519Verify(longer, message, pair.publicKey)).toBe(false)
      for (const length of [0, 31, 33, 64]) {
        const key = new Uint8Array(length)
        key.set(pair.publicKey.subarray(0, length))
        expect(primitives.ed25519Verify(signature, message, key)).toBe(false)
      }
    })

    test('signatures under the identity as key are refused for every message', () => {
      const forged = forgeForSmallOrderKey(identity.toBytes())
      for (const text of ['', '00', 'ff']) expect(verify({ ...forged, message: bytes(text) })).toBe(false)
    })

    test('signatures whose R has a small-order part are refused', () => {
      expect(verify(signWithTorsion(identity, identity, message))).toBe(true)
      for (const point of torsionPoints.slice(1)) {
        expect(verify(signWithTorsion(point, identity, message))).toBe(false)
      }
    })

    test('signatures under a key of mixed order verify exactly when the cofactorless equation holds', () => {
      const verdicts = Array.from({ length: 24 }, (_, i) => {
        const made = signWithTorsion(identity, orderEight, Uint8Array.of(i))
        const holds = holdsWithoutCofactor(made)
        expect(verify(made), `message ${i}`).toBe(holds)
        return holds
      })
      expect(new Set(verdicts).size).toBe(2)
    })

    test('signatures with y of R or of the key not below p are refused', () => {
      for (let y = fieldPrime; y < 1n << 255n; y++) {
        const encoding = littleEndian(y)
        const replaced = signature.slice()
        replaced.set(encoding)
        expect(primitives.ed25519Verify(replaced, message, pair.publicKey)).toBe(false)
        expect(primitives.ed25519Verify(signature, message, encoding)).toBe(false)
      }
    })
  })
})

describe('around curves that accept everything', () => {
  const credulous = createJsPrimitives({
    ...nobleCurves,
    ed25519Verify: () => true,
    x25519: () => new Uint8Array(32),
  })
  const { publicKey, secretKey } = noble.ed25519KeyPair(secret)
  const signature = noble.ed25519Sign(message, secretKey)
  const withR = (r: Uint8Array): Uint8Array => Uint8Array.of(...r, ...signature.subarray(32))
  const weak = [...smallOrderEncodings, littleEndian(fieldPrime + 3n), littleEndian((1n << 255n) - 1n)]

  test('the wrapper accepts a valid signature and key', () => {
    expect(credulous.ed25519Verify(signature, message, publicKey)).toBe(true)
  })

  test('the wrapper refuses weak or non-canonical keys, R and S before it calls the curves', () => {
    for (const encoding of weak) {
      expect(credulous.ed25519Verify(signature, message, encoding), `key ${hex(encoding)}`).toBe(false)
      expect(credulous.ed25519Verify(withR(encoding), message, publicKey), `R ${hex(encoding)}`).toBe(false)
    }
    expect(credulous.ed25519Verify(withScalarRaised(signature, 1n), message, publicKey)).toBe(false)
  })

  test('the wrapper refuses an all-zero shared secret', () => {
    expect(() => credulous.x25519(secret, publicKey)).toThrow(FormatError)
  })
})

describe('device and push keys', () => {
  const { publicKey } = sodiumPrimitives.ed25519KeyPair(secret)

  test('isPrimeOrderKey accepts keys of prime order', () => {
    for (const key of [publicKey, honestKey.toBytes(), honestKey.negate().toBytes()])
      expect(isPrimeOrderKey(key)).toBe(true)
    for (const vector of signatures) expect(isPrimeOrderKey(bytes(vector.publicKey))).toBe(true)
  })

  test('isPrimeOrderKey refuses y not below p, a wrong length and encodings off the curve', () => {
    for (let y = fieldPrime; y < 1n << 255n; y++) expect(isPrimeOrderKey(littleEndian(y))).toBe(false)
    for (const length of [0, 31, 33]) expect(isPrimeOrderKey(new Uint8Array(length).fill(3))).toBe(false)
    for (const y of [2n, 7n, 8n]) expect(isPrimeOrderKey(littleEndian(y))).toBe(false)
  })

  test('isPrimeOrderKey agrees with noble for arbitrary 32 bytes', () => {
    const encodings = fc.uint8Array({ minLength: 32, maxLength: 32 })
    fc.assert(
      fc.property(encodings, (encoding) => {
        expect(isPrimeOrderKey(encoding)).toBe(isPrimeOrderForNoble(encoding))
      }),
      { numRuns: 100 },
    )
  })
})

function isPrimeOrderForNoble(encoding: Uint8Array): boolean {
  try {
    const point = ed25519.Point.fromBytes(encoding, false)
    return point.isTorsionFree() && !point.is0()
  } catch {
    return false
  }
}
