/** The names of leaves: UUIDv7 (RFC 9562, section 5.7), so that their order is about that of their times. */
import { decodeHex } from 'miniseal-protocol/text'
import { randomBytes } from '../keys/sodium-primitives.ts'

/** 16 bytes. @param milliseconds since 1970 */
export function newLeafId(milliseconds: number): Uint8Array {
  const id = randomBytes(16)
  const view = new DataView(id.buffer)
  view.setUint16(0, Math.floor(milliseconds / 2 ** 32))
  view.setUint32(2, milliseconds % 2 ** 32)
  view.setUint8(6, (view.getUint8(6) & 0x0f) | 0x70)
  view.setUint8(8, (view.getUint8(8) & 0x3f) | 0x80)
  return id
}

/** As it stands in a leaf: lower case, with hyphens. */
export function leafIdText(id: Uint8Array): string {
  const hex = Buffer.from(id).toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}

/** Reads an attacker-controlled name. @returns `undefined` unless it is a UUID in lower case with hyphens */
export function parseLeafId(text: string): Uint8Array | undefined {
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text)) return undefined
  return decodeHex(text.replaceAll('-', ''))
}
