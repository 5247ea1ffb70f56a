/** Requests that are cheap to send and expensive to parse, for attacks before and after login. */
import { gzipSync } from 'node:zlib'
import type { RequestMessage } from '../../crypto/frames/binary-http.ts'
import { encodeUtf8 } from '../../crypto/text.ts'

/** A JSON content and its claimed coding. */
export interface HeavyContent {
  readonly content: Uint8Array
  readonly coding?: string
}

const gzipped = (text: string): HeavyContent => ({ content: gzipSync(text, { level: 9 }), coding: 'gzip' })
const plain = (text: string): HeavyContent => ({ content: encodeUtf8(text) })
const members = (count: number): string =>
  `{${Array.from({ length: count }, (_, i) => `"${i.toString(36)}":1`).join(',')}}`

/** Eight megabytes of opening brackets in nine kilobytes. */
export const gzippedDepth = gzipped('['.repeat(8_388_000))
/** Eight megabytes of one object's members. */
const gzippedMembers = gzipped(`{${'"a":1,'.repeat(1_380_000)}"b":1}`)
/** Eight megabytes of spaces around an honest order. */
export const gzippedSpaces = gzipped(`{"payee":"bob","amount":7,"currency":"CNY"${' '.repeat(8_000_000)}}`)

/** Worst-case login contents by name; each fits its frame or is rejected for its size. */
export const heavyLogins: Readonly<Record<string, HeavyContent>> = {
  'gzip of nested JSON': gzippedDepth,
  'gzip of a million members': gzippedMembers,
  'gzip of spaces': gzippedSpaces,
  'nested JSON': plain('['.repeat(16_384)),
  'nested objects': plain('{"a":'.repeat(3_276)),
  'many members': plain(members(2_200)),
  'many elements': plain(`[${'1,'.repeat(8_190)}1]`),
  'quotes that never end': plain(`"${'\\"'.repeat(8_191)}`),
  'a long number': plain('1'.repeat(16_384)),
  'one byte too many': plain(`"${'a'.repeat(16_383)}"`),
}

/** For `RequestParts.before`: replaces the content of a request. */
export function carrying({ content, coding }: HeavyContent): (message: RequestMessage) => RequestMessage {
  return (message) => ({
    ...message,
    fields: coding === undefined ? message.fields : [...message.fields, ['content-encoding', coding]],
    content,
  })
}

/** Worst-case HTTP header fields, each as long as Node's limit for all of them (16 KiB). */
export const heavyHeaders: readonly (readonly [string, string])[] = [
  ['accept-language', 'a;q=0.1,'.repeat(1_900)],
  ['accept-language', '-'.repeat(15_000)],
  ['accept', 'text/html;q=0.1,'.repeat(950)],
  ['accept', `${';'.repeat(15_000)}`],
  ['x-forwarded-for', '::1,'.repeat(3_800)],
  ['x-forwarded-for', ','.repeat(15_000)],
  ['cookie', 'a=b; '.repeat(3_000)],
  ['cookie', `miniseal-audit=${'%'.repeat(15_000)}`],
  ['authorization', `Bearer ${' '.repeat(14_900)}x y`],
  ['content-type', `application/vnd.miniseal${' '.repeat(14_900)};`],
  ['signature-input', `a=("";${'b;'.repeat(7_400)})`],
  ['signature', `sig=:${'A'.repeat(15_000)}:`],
  ['if-none-match', '"a",'.repeat(3_700)],
  ['user-agent', '('.repeat(15_000)],
]
