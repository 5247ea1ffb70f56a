import fc from 'fast-check'
import { expect, it } from 'vitest'
import { FormatError } from '../../../crypto/errors.ts'
import {
  decodeAscii,
  decodeBase64,
  decodeBase64Url,
  decodeHex,
  decodeUtf8,
  encodeAscii,
  encodeBase64,
  encodeBase64Url,
  encodeHex,
  encodeUtf8,
} from '../../../crypto/text.ts'

const anyBytes = fc.uint8Array({ maxLength: 200 })
const wellFormed = fc.string({ unit: 'binary', maxLength: 200 })

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, 'hex'))
}

it('encodeUtf8 encodes as TextEncoder does', () => {
  fc.assert(
    fc.property(wellFormed, (text) => {
      expect(encodeUtf8(text)).toEqual(new TextEncoder().encode(text))
    }),
  )
})

it('decodeUtf8 accepts exactly what a fatal TextDecoder accepts', () => {
  const judge = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  const pieces = fc.constantFrom(
    '00',
    '41',
    '7f',
    '80',
    'bf',
    'c0',
    'c2',
    'df',
    'e0',
    'ed',
    'ef',
    'f0',
    'f4',
    'f5',
    'ff',
    '9f',
    'a0',
    '8f',
    '90',
  )
  const nearUtf8 = fc.array(pieces, { maxLength: 8 }).map((parts) => bytesOf(parts.join('')))
  const verdict = (decode: () => string): string | undefined => {
    try {
      return decode()
    } catch (error) {
      expect(error instanceof FormatError || error instanceof TypeError).toBe(true)
      return undefined
    }
  }
  fc.assert(
    fc.property(fc.oneof(nearUtf8, anyBytes), (bytes) => {
      expect(verdict(() => decodeUtf8(bytes))).toBe(verdict(() => judge.decode(bytes)))
    }),
    { numRuns: 5000 },
  )
})

it('decodeUtf8 inverts encodeUtf8 at the boundaries of each length', () => {
  const text = '\0\x7f\x80\u07ff\u0800\ud7ff\ue000\uffff\u{10000}\u{10ffff}'
  expect(decodeUtf8(encodeUtf8(text))).toBe(text)
})

it('decodeUtf8 keeps a byte order mark', () => {
  expect(decodeUtf8(bytesOf('efbbbf41'))).toBe('\ufeffA')
})

it('decodeUtf8 decodes text longer than one call of String.fromCharCode', () => {
  const text = '付款😀'.repeat(20000)
  expect(decodeUtf8(encodeUtf8(text))).toBe(text)
})

it('decodeUtf8 decodes a view inside a buffer', () => {
  expect(decodeUtf8(bytesOf('ffc3a9ff').subarray(1, 3))).toBe('é')
})

it.each([
  ...['\ud800', '\udbff', '\udc00', '\udfff', 'a\ud800', '\ud800a', '\ud800\ue000', '\ud800\ud7ff'],
  ...['\udc00\ud800', '\udc00\udc00', '\ud800\ud800\udc00'],
])('encodeUtf8 refuses the lone surrogate in %j', (text) => {
  expect(() => encodeUtf8(text)).toThrow(FormatError)
})

it.each([
  ['an overlong slash', 'c0af'],
  ['an overlong two-byte form', 'c1bf'],
  ['an overlong three-byte form', 'e09fbf'],
  ['an overlong four-byte form', 'f08fbfbf'],
  ['a surrogate', 'eda080'],
  ['a code point above U+10FFFF', 'f4908080'],
  ['a truncated sequence', 'e282'],
  ['a lone continuation', '80'],
  ['a sequence broken by ascii', 'c341'],
  ['the byte ff', 'ff'],
])('decodeUtf8 refuses %s', (_title, hex) => {
  expect(() => decodeUtf8(bytesOf(hex))).toThrow(FormatError)
})

it('encodeAscii and decodeAscii map one byte to one character', () => {
  expect(encodeAscii('\0Az\x7f')).toEqual(bytesOf('00417a7f'))
  expect(decodeAscii(bytesOf('00417a7f'))).toBe('\0Az\x7f')
})

it('encodeAscii and decodeAscii refuse everything above 0x7f', () => {
  for (const text of ['\x80', 'é', '付']) expect(() => encodeAscii(text)).toThrow(FormatError)
  for (const hex of ['80', '41ff', 'c3a9']) expect(() => decodeAscii(bytesOf(hex))).toThrow(FormatError)
})

it('hex and base64 encode as Buffer does and decode it', () => {
  fc.assert(
    fc.property(anyBytes, (bytes) => {
      const buffer = Buffer.from(bytes)
      expect(encodeHex(bytes)).toBe(buffer.toString('hex'))
      expect(encodeBase64(bytes)).toBe(buffer.toString('base64'))
      expect(encodeBase64Url(bytes)).toBe(buffer.toString('base64url'))
      expect(decodeHex(encodeHex(bytes))).toEqual(bytes)
      expect(decodeBase64(encodeBase64(bytes))).toEqual(bytes)
      expect(decodeBase64Url(encodeBase64Url(bytes))).toEqual(bytes)
    }),
  )
})

it.each(['A', 'abc', 'AB', 'zz', '0x', ' 0', 'é0'])('decodeHex refuses %j', (text) => {
  expect(() => decodeHex(text)).toThrow(FormatError)
})

it.each([
  ['missing padding', 'QQ'],
  ['too much padding', 'QQ==='],
  ['padding inside', 'QQ==QQ=='],
  ['padding alone', '===='],
  ['one digit', 'Q==='],
  ['trailing bits after one byte', 'QR=='],
  ['trailing bits after two bytes', 'QUF='],
  ['the url alphabet', '-_-_'],
  ['a line break', 'QUFB\n'],
  ['white space', ' QUF'],
  ['a character above ascii', 'QUF\u0141'],
])('decodeBase64 refuses %s', (_title, text) => {
  expect(() => decodeBase64(text)).toThrow(FormatError)
})

it.each([
  ['padding', 'QQ=='],
  ['one digit too many', 'QUFBQ'],
  ['trailing bits after one byte', 'QR'],
  ['trailing bits after two bytes', 'QUF'],
  ['the standard alphabet', '+/+/'],
])('decodeBase64Url refuses %s', (_title, text) => {
  expect(() => decodeBase64Url(text)).toThrow(FormatError)
})
