import fc from 'fast-check'
import { expect, it } from 'vitest'
import {
  byteAt,
  concatBytes,
  encodeU16,
  encodeU64,
  equalBytes,
  isAllZero,
  lengthPrefixed,
  parseU64,
  wipe,
} from '../../../crypto/bytes.ts'
import { FormatError } from '../../../crypto/errors.ts'

const anyBytes = fc.uint8Array({ maxLength: 40 })

it('concatBytes concatenates as Buffer.concat does, into a new array', () => {
  fc.assert(
    fc.property(fc.array(anyBytes), (parts) => {
      const joined = concatBytes(...parts)
      expect(Buffer.from(joined).equals(Buffer.concat(parts))).toBe(true)
      expect(joined.buffer.byteLength).toBe(joined.length)
    }),
  )
})

it('concatBytes returns an empty array for no parts and a copy for one', () => {
  expect(concatBytes()).toEqual(new Uint8Array(0))
  const part = Uint8Array.of(1)
  concatBytes(part)[0] = 2
  expect(part).toEqual(Uint8Array.of(1))
})

it('equalBytes agrees with Buffer.equals', () => {
  fc.assert(
    fc.property(anyBytes, anyBytes, (a, b) => {
      expect(equalBytes(a, b)).toBe(Buffer.from(a).equals(b))
      expect(equalBytes(a, a.slice())).toBe(true)
    }),
  )
})

it('equalBytes detects any single bit, and two bits that would cancel out', () => {
  const zeros = new Uint8Array(8)
  for (let i = 0; i < 64; i++) {
    const one = new Uint8Array(8)
    one[i >> 3] = 1 << (i & 7)
    expect(equalBytes(zeros, one)).toBe(false)
  }
  expect(equalBytes(zeros, Uint8Array.of(1, 1, 0, 0, 0, 0, 0, 0))).toBe(false)
})

it('equalBytes distinguishes a prefix from the whole', () => {
  expect(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2, 0))).toBe(false)
  expect(equalBytes(new Uint8Array(0), new Uint8Array(0))).toBe(true)
})

it('isAllZero detects any single bit', () => {
  expect(isAllZero(new Uint8Array(32))).toBe(true)
  expect(isAllZero(new Uint8Array(0))).toBe(true)
  for (let i = 0; i < 256; i++) {
    const bytes = new Uint8Array(32)
    bytes[i >> 3] = 1 << (i & 7)
    expect(isAllZero(bytes)).toBe(false)
  }
})

it('wipe overwrites the array itself', () => {
  const secret = Uint8Array.of(1, 2, 3)
  wipe(secret)
  expect(secret).toEqual(new Uint8Array(3))
})

it('byteAt reads inside and refuses outside', () => {
  expect(byteAt(Uint8Array.of(7), 0)).toBe(7)
  for (const offset of [-1, 1, 0.5, Number.NaN]) {
    expect(() => byteAt(Uint8Array.of(7), offset), `${offset}`).toThrow(FormatError)
  }
})

it.each([
  [0, '0000'],
  [0x1234, '1234'],
  [65535, 'ffff'],
])('encodeU16 encodes %i as %s', (value, hex) =>
  expect(Buffer.from(encodeU16(value)).toString('hex')).toBe(hex),
)

it.each([-1, 65536, 1.5, Number.NaN, Number.POSITIVE_INFINITY])('encodeU16 refuses %d', (value) => {
  expect(() => encodeU16(value)).toThrow(FormatError)
})

it('encodeU64 encodes as Node does, and parseU64 inverts it', () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), (value) => {
      const expected = Buffer.alloc(8)
      expected.writeBigUInt64BE(BigInt(value))
      expect(Buffer.from(encodeU64(value)).equals(expected)).toBe(true)
      expect(parseU64(encodeU64(value))).toBe(value)
    }),
  )
})

it.each([-1, 2 ** 53, 0.5, Number.NaN])('encodeU64 refuses %d', (value) => {
  expect(() => encodeU64(value)).toThrow(FormatError)
})

it('parseU64 refuses a value over 2^53-1 and another length', () => {
  expect(parseU64(Uint8Array.of(0, 0x1f, 255, 255, 255, 255, 255, 255))).toBe(Number.MAX_SAFE_INTEGER)
  expect(() => parseU64(Uint8Array.of(0, 0x20, 0, 0, 0, 0, 0, 0))).toThrow(FormatError)
  expect(() => parseU64(new Uint8Array(8).fill(255))).toThrow(FormatError)
  for (const length of [0, 7, 9]) expect(() => parseU64(new Uint8Array(length))).toThrow(FormatError)
})

it('lengthPrefixed writes the length before the bytes', () => {
  expect(lengthPrefixed(Uint8Array.of(9, 8))).toEqual(Uint8Array.of(0, 2, 9, 8))
  expect(lengthPrefixed(new Uint8Array(0))).toEqual(Uint8Array.of(0, 0))
  expect(lengthPrefixed(new Uint8Array(65535))).toHaveLength(65537)
  expect(() => lengthPrefixed(new Uint8Array(65536))).toThrow(FormatError)
})

it('lengthPrefixed encodes different lists of parts differently', () => {
  fc.assert(
    fc.property(fc.array(anyBytes), fc.array(anyBytes), (a, b) => {
      const isSame =
        a.length === b.length && a.every((part, i) => equalBytes(part, b[i] ?? new Uint8Array(1)))
      const join = (parts: Uint8Array[]): Uint8Array => concatBytes(...parts.map(lengthPrefixed))
      expect(equalBytes(join(a), join(b))).toBe(isSame)
    }),
  )
})
