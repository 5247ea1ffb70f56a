/** The exact bounds of parsed and decompressed content (protocol, section 5, "Bounds of content"). */
import { gzipSync } from 'node:zlib'
import { expect, it } from 'vitest'
import { z } from 'zod'
import type { Field, RequestMessage } from '../../../crypto/frames/binary-http.ts'
import { encodeUtf8 } from '../../../crypto/text.ts'
import { parseJsonContent, withDecodedContent } from '../../../service/messages/content.ts'
import { random } from '../../support/raw-client.ts'

function saying(content: Uint8Array, coding?: string): RequestMessage {
  const fields: Field[] = [['content-type', 'application/json']]
  if (coding !== undefined) fields.push(['content-encoding', coding])
  return { method: 'POST', scheme: 'https', authority: 'a', path: '/orders', fields, content }
}

const parse = (text: string): unknown => parseJsonContent(saying(encodeUtf8(text)), z.unknown())
const refused = expect.objectContaining({ code: 'payload_invalid' })

it.each([
  ['lists', '[', ']'],
  ['objects', '{"a":', '}'],
])('JSON with 32 levels of %s is accepted and with 33 refused', (_, open, close) => {
  const nested = (levels: number): string => `${open.repeat(levels)}1${close.repeat(levels)}`
  expect(parse(nested(32))).toBeDefined()
  expect(() => parse(nested(33))).toThrow(refused)
})

it.each([
  ['numbers in a list', (count: number) => `[${'1,'.repeat(count - 2)}1]`],
  ['words in a list', (count: number) => `[${'null , '.repeat(count - 2)}true]`],
  ['strings in a list', (count: number) => `[${'"[{\\"",'.repeat(count - 2)}""]`],
  ['lists in a list', (count: number) => `[${'[],'.repeat(count - 2)}[]]`],
  [
    'members and their values',
    (count: number) => `{${Array.from({ length: (count - 1) / 2 }, (_, i) => `"${i}":${i}`).join(',')}}`,
  ],
])('JSON with 4096 tokens is accepted and with more refused: %s', (_, text) => {
  // An object has an odd number: itself, and two for each member.
  const isOdd = text(5).startsWith('{')
  expect(parse(text(isOdd ? 4095 : 4096))).toBeDefined()
  expect(() => parse(text(isOdd ? 4099 : 4097))).toThrow('4096 tokens')
})

it('JSON over 256 KiB is not parsed', () => {
  const text = (length: number): Uint8Array => encodeUtf8(`"${'a'.repeat(length - 2)}"`)
  expect(parseJsonContent(saying(text(262_144)), z.string())).toHaveLength(262_142)
  expect(() => parseJsonContent(saying(text(262_145)), z.string())).toThrow(refused)
})

it('content is decompressed up to 64 KiB or fifty times its size, and never past 8 MiB', async () => {
  const unpacked = (bytes: Uint8Array): Promise<number> =>
    withDecodedContent(saying(gzipSync(bytes), 'gzip'), ({ length }) => length)
  await expect(unpacked(new Uint8Array(65_536))).resolves.toBe(65_536)
  await expect(unpacked(new Uint8Array(65_537))).rejects.toThrow(refused)
  const mixed = (noise: number, length: number): Uint8Array => {
    const bytes = new Uint8Array(length)
    bytes.set(random(noise))
    return bytes
  }
  await expect(unpacked(mixed(10_000, 450_000))).resolves.toBe(450_000)
  await expect(unpacked(mixed(10_000, 600_000))).rejects.toThrow(refused)
  await expect(unpacked(mixed(400_000, 8_388_608))).resolves.toBe(8_388_608)
  await expect(unpacked(mixed(400_000, 8_388_609))).rejects.toThrow(refused)
})

it('64 MiB of decompressed content is held at a time; more is refused until responses are sent', async () => {
  const large = new Uint8Array(8_388_608)
  large.set(random(400_000))
  const message = saying(gzipSync(large), 'gzip')
  let answer = (): void => {}
  const answered = new Promise<void>((resolve) => {
    answer = resolve
  })
  const holding = Array.from({ length: 8 }, () => withDecodedContent(message, () => answered))
  await expect(withDecodedContent(message, () => 1)).rejects.toMatchObject({
    code: 'rate_limited',
    details: { status: 503 },
  })
  // What has no coding holds nothing here.
  await expect(withDecodedContent(saying(large), ({ length }) => length)).resolves.toBe(8_388_608)
  answer()
  await Promise.all(holding)
  await expect(withDecodedContent(message, () => 1)).resolves.toBe(1)
})

it('decompression does not block the event loop', async () => {
  const large = new Uint8Array(8_388_608)
  large.set(random(400_000))
  let turns = 0
  let isOver = false
  const turn = (): void => {
    turns += 1
    if (!isOver) setImmediate(turn)
  }
  setImmediate(turn)
  await withDecodedContent(saying(gzipSync(large), 'gzip'), () => undefined)
  isOver = true
  expect(turns).toBeGreaterThan(10)
})
