/**
 * Text and bytes: UTF-8, ASCII, hex, base64 and base64url (RFC 3629, RFC 4648).
 *
 * Each decoder accepts exactly what its encoder writes, so no two texts encode the same bytes. All inputs of decoders are
 * attacker-controlled. Phones lack TextDecoder and atob, or have faulty ones.
 */
import { byteAt } from './bytes.ts'
import { FormatError } from './errors.ts'

/** Code units per call of String.fromCharCode, because engines limit the number of arguments. */
const UNITS_PER_CALL = 4096

/** Marks characters that are not digits. */
const NO_DIGIT = 0xff

const HEX = '0123456789abcdef'
const BASE64 = alphabet('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/')
const BASE64_URL = alphabet('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_')

interface Alphabet {
  readonly digits: string
  /** The value of each ASCII character, or NO_DIGIT. */
  readonly values: Uint8Array
}

/** UTF-8 of `text`, without a byte order mark. @throws FormatError for a lone surrogate. */
export function encodeUtf8(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length * 3)
  let length = 0
  for (let i = 0; i < text.length; i++) {
    const point = text.charCodeAt(i)
    // Fast path: almost everything that is signed is ASCII.
    if (point < 0x80) bytes[length++] = point
    else {
      length = writeCodePoint(bytes, length, codePointAt(text, i))
      if (point >= 0xd800 && point < 0xdc00) i++
    }
  }
  return bytes.slice(0, length)
}

/**
 * Decodes strict UTF-8. A byte order mark is an ordinary character.
 * @throws FormatError for overlong or truncated sequences, surrogates and anything above U+10FFFF.
 */
export function decodeUtf8(bytes: Uint8Array): string {
  const units = new Uint16Array(bytes.length)
  let length = 0
  for (let i = 0; i < bytes.length; ) {
    const lead = byteAt(bytes, i)
    if (lead < 0x80) {
      units[length++] = lead
      i++
      continue
    }
    const size = sequenceLength(lead)
    const point = readCodePoint(bytes, i, size)
    i += size
    if (point > 0xffff) {
      units[length++] = 0xd800 + ((point - 0x10000) >> 10)
      units[length++] = 0xdc00 + ((point - 0x10000) & 0x3ff)
    } else {
      units[length++] = point
    }
  }
  return textOfUnits(units.subarray(0, length))
}

/** One byte per character. @throws FormatError for a character above 0x7f. */
export function encodeAscii(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit > 0x7f) throw new FormatError('not ASCII')
    bytes[i] = unit
  }
  return bytes
}

/** One character per byte. @throws FormatError for a byte above 0x7f. */
export function decodeAscii(bytes: Uint8Array): string {
  for (let i = 0; i < bytes.length; i++) {
    if (byteAt(bytes, i) > 0x7f) throw new FormatError('not ASCII')
  }
  return textOfUnits(bytes)
}

/** Lower-case hex, two digits per byte. */
export function encodeHex(bytes: Uint8Array): string {
  let text = ''
  for (let i = 0; i < bytes.length; i++) {
    const byte = byteAt(bytes, i)
    text += HEX.charAt(byte >> 4) + HEX.charAt(byte & 15)
  }
  return text
}

/** @throws FormatError for an odd length or characters other than 0-9 and a-f. */
export function decodeHex(text: string): Uint8Array {
  if (text.length % 2 !== 0) throw new FormatError('hex of odd length')
  const bytes = new Uint8Array(text.length / 2)
  for (let i = 0; i < bytes.length; i++) {
    const high = HEX.indexOf(text.charAt(2 * i))
    const low = HEX.indexOf(text.charAt(2 * i + 1))
    if (high < 0 || low < 0) throw new FormatError('not lower-case hex')
    bytes[i] = high * 16 + low
  }
  return bytes
}

/** Standard base64 with padding (RFC 4648, section 4). */
export function encodeBase64(bytes: Uint8Array): string {
  const digits = encodeDigits(bytes, BASE64)
  return digits + '='.repeat((4 - (digits.length % 4)) % 4)
}

/** @throws FormatError unless `text` is what {@link encodeBase64} writes: padded, no line breaks, zero trailing bits. */
export function decodeBase64(text: string): Uint8Array {
  if (text.length % 4 !== 0) throw new FormatError('base64 without padding')
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0
  return decodeDigits(text.slice(0, text.length - padding), BASE64)
}

/** base64url without padding (RFC 4648, section 5). */
export function encodeBase64Url(bytes: Uint8Array): string {
  return encodeDigits(bytes, BASE64_URL)
}

/** @throws FormatError unless `text` is what {@link encodeBase64Url} writes: no padding, zero trailing bits. */
export function decodeBase64Url(text: string): Uint8Array {
  return decodeDigits(text, BASE64_URL)
}

function codePointAt(text: string, index: number): number {
  const unit = text.charCodeAt(index)
  if (unit < 0xd800 || unit > 0xdfff) return unit
  // At the end of the text charCodeAt returns NaN, and all comparisons are false.
  const next = text.charCodeAt(index + 1)
  if (unit < 0xdc00 && next >= 0xdc00 && next <= 0xdfff) {
    return 0x10000 + ((unit - 0xd800) << 10) + (next - 0xdc00)
  }
  throw new FormatError('lone surrogate')
}

/** Writes one code point above ASCII at `offset` and returns the offset after it. */
function writeCodePoint(bytes: Uint8Array, offset: number, point: number): number {
  const size = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4
  let rest = point
  for (let i = size - 1; i > 0; i--) {
    bytes[offset + i] = 0x80 | (rest & 0x3f)
    rest >>= 6
  }
  bytes[offset] = ((0xf00 >> size) & 0xff) | rest
  return offset + size
}

/** The length of the sequence that starts with this byte above ASCII. */
function sequenceLength(lead: number): number {
  if (lead >= 0xc2 && lead < 0xe0) return 2
  if (lead >= 0xe0 && lead < 0xf0) return 3
  if (lead >= 0xf0 && lead < 0xf5) return 4
  throw new FormatError('not UTF-8')
}

function readCodePoint(bytes: Uint8Array, offset: number, size: number): number {
  let point = byteAt(bytes, offset) & (0x7f >> size)
  for (let i = 1; i < size; i++) {
    const byte = byteAt(bytes, offset + i)
    if ((byte & 0xc0) !== 0x80) throw new FormatError('not UTF-8')
    point = (point << 6) | (byte & 0x3f)
  }
  const overlong = (size === 3 && point < 0x800) || (size === 4 && point < 0x10000)
  const surrogate = point >= 0xd800 && point <= 0xdfff
  if (overlong || surrogate || point > 0x10ffff) throw new FormatError('not UTF-8')
  return point
}

function textOfUnits(units: Uint8Array | Uint16Array): string {
  let text = ''
  for (let i = 0; i < units.length; i += UNITS_PER_CALL) {
    // Without a JIT, spread is twenty times slower than `apply`.
    text += String.fromCharCode.apply(null, units.subarray(i, i + UNITS_PER_CALL) as unknown as number[])
  }
  return text
}

function alphabet(digits: string): Alphabet {
  const values = new Uint8Array(128).fill(NO_DIGIT)
  for (let i = 0; i < digits.length; i++) values[digits.charCodeAt(i)] = i
  return { digits, values }
}

function encodeDigits(bytes: Uint8Array, { digits }: Alphabet): string {
  let text = ''
  let bits = 0
  let count = 0
  for (let i = 0; i < bytes.length; i++) {
    // At most 4 bits are left from before, so `bits` has at most 12.
    bits = ((bits << 8) | byteAt(bytes, i)) & 0xfff
    count += 8
    while (count >= 6) {
      count -= 6
      text += digits.charAt((bits >> count) & 63)
    }
  }
  return count === 0 ? text : text + digits.charAt((bits << (6 - count)) & 63)
}

function decodeDigits(text: string, { values }: Alphabet): Uint8Array {
  if (text.length % 4 === 1) throw new FormatError('base64 of invalid length')
  const bytes = new Uint8Array(Math.floor((text.length * 3) / 4))
  let bits = 0
  let count = 0
  let length = 0
  for (let i = 0; i < text.length; i++) {
    const value = values[text.charCodeAt(i)]
    if (value === undefined || value === NO_DIGIT) throw new FormatError('not base64')
    bits = ((bits << 6) | value) & 0xfff
    count += 6
    if (count >= 8) {
      count -= 8
      bytes[length++] = (bits >> count) & 0xff
    }
  }
  // One byte string must have one text.
  if ((bits & ((1 << count) - 1)) !== 0) throw new FormatError('base64 with trailing bits')
  return bytes
}
