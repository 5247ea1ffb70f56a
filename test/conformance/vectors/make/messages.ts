/** messages.json: Binary HTTP in the one form that is written, other forms that are read, and forms that are refused. */

import { concatBytes } from '../../../../crypto/bytes.ts'
import type { Field, RequestMessage } from '../../../../crypto/frames/binary-http.ts'
import { encodeRequest, encodeResponse } from '../../../../crypto/frames/binary-http.ts'
import { encodeVarint } from '../../../../crypto/frames/varint.ts'
import { encodeHex, encodeUtf8 } from '../../../../crypto/text.ts'
import { answers, fixed, unsigned } from '../../../unit/crypto/fixed-inputs.ts'
import { jsonRequest, jsonResponse } from './json.ts'

/** The parts of a request, each of which may be any bytes. */
interface Parts {
  readonly framing?: Uint8Array
  readonly method?: string
  readonly scheme?: string
  readonly authority?: string
  readonly path?: string
  readonly fields?: readonly Field[]
  readonly section?: Uint8Array
  readonly tail?: Uint8Array
}

const of = (...bytes: readonly number[]): Uint8Array => Uint8Array.of(...bytes)
const vec = (bytes: Uint8Array): Uint8Array => concatBytes(encodeVarint(bytes.length), bytes)
const text = (value: string): Uint8Array => vec(encodeUtf8(value))
/** Fields by hand: the library's writer refuses most of what follows. */
const section = (fields: readonly Field[]): Uint8Array =>
  concatBytes(...fields.flatMap(([name, value]) => [text(name), text(value)]))

function rawRequest(parts: Parts): Uint8Array {
  return concatBytes(
    parts.framing ?? of(0),
    text(parts.method ?? 'GET'),
    text(parts.scheme ?? 'https'),
    text(parts.authority ?? 'pay.example.com'),
    text(parts.path ?? '/wallet'),
    vec(parts.section ?? section(parts.fields ?? [['accept', '*/*']])),
    parts.tail ?? of(0, 0),
  )
}

const withPath = (path: string): Parts => ({ path })
const withField = (name: string, value: string): Parts => ({ fields: [[name, value]] })
const manyFields = (count: number): readonly Field[] =>
  Array.from({ length: count }, (_, i): Field => [`x-${i}`, ''])

const refusedParts: readonly (readonly [string, Parts])[] = [
  ['of the response form', { framing: of(1) }],
  ['of indeterminate length', { framing: of(2) }],
  ['with its form in two bytes', { framing: of(0x40, 0x00) }],
  ['with its content length in two bytes', { tail: of(0x40, 0x01, 0x61, 0x00) }],
  ['with its content length in eight bytes', { tail: of(0xc0, 0, 0, 0, 0, 0, 0, 1, 0x61, 0x00) }],
  ['with its trailer length in two bytes', { tail: of(0, 0x40, 0x00) }],
  ['with a content length over 2^53-1', { tail: of(0xff, 255, 255, 255, 255, 255, 255, 255) }],
  ['with content that is cut short', { tail: of(5, 1, 2) }],
  ['with a trailer', { tail: concatBytes(of(0), vec(section([['x', 'y']]))) }],
  ['with a lower-case method', { method: 'get' }],
  ['without a method', { method: '' }],
  ['with a method of 17 letters', { method: 'A'.repeat(17) }],
  ['with an upper-case scheme', { scheme: 'HTTPS' }],
  ['with userinfo in its authority', { authority: 'a@pay.example.com' }],
  ['without an authority', { authority: '' }],
  ['with a line break in its authority', { authority: 'pay.example.com\n' }],
  ['without a path', withPath('')],
  ['with an absolute target', withPath('https://pay.example.com/')],
  ['with a path that does not begin with a slash', withPath('wallet')],
  ['with an empty query', withPath('/wallet?')],
  ['with a dot segment', withPath('/a/../b')],
  ['with a percent-encoded dot segment', withPath('/a/%2E%2E/b')],
  ['with a single dot segment', withPath('/a/./b')],
  ['with an empty segment', withPath('/wallet//transfers')],
  ['with an empty first segment', withPath('//wallet')],
  ['with two slashes at its end', withPath('/wallet//')],
  ['with a path parameter', withPath('/wallet;x=1')],
  ['with a percent-encoded semicolon in its path', withPath('/wallet%3Bx')],
  ['with a percent-encoded slash in its path', withPath('/x%2Fwallet')],
  ['with a percent-encoded backslash in its path', withPath('/x%5Cwallet')],
  ['with a percent-encoded percent sign in its path', withPath('/wallet%2520')],
  ['with a percent-encoded letter in its path', withPath('/%77allet')],
  ['with a percent-encoded tilde in its path', withPath('/%7Ewallet')],
  ['with a percent-encoded control in its path', withPath('/wallet%00')],
  ['with a percent-encoded delete character in its path', withPath('/wallet%7F')],
  ['with percent-encoding in lower case in its path', withPath('/caf%c3%a9')],
  ['with percent-encoding in lower case in its query', withPath('/wallet?a=%c3%a9')],
  ['with an overlong UTF-8 sequence in its path', withPath('/%C0%AE')],
  ['with a surrogate in its path', withPath('/%ED%A0%80')],
  ['with a path whose UTF-8 is cut short', withPath('/%E5%8D/x')],
  ['with a quotation mark in its query', withPath('/wallet?a="b"')],
  ['with a fragment', withPath('/wallet#x')],
  ['with a backslash', withPath('/a\\b')],
  ['with a space in its path', withPath('/a b')],
  ['with a broken escape', withPath('/%4')],
  ['with a path that is not ascii', withPath('/é')],
  ['with a path of 4097 characters', withPath(`/${'a'.repeat(4096)}`)],
  ['with an upper-case field name', withField('Accept', 'x')],
  ['with an empty field name', withField('', 'x')],
  ['with a pseudo-field', withField(':path', '/')],
  ['with a space before a value', withField('accept', ' x')],
  ['with a tab after a value', withField('accept', 'x\t')],
  ['with a line break in a value', withField('accept', 'a\r\nb: c')],
  ['with a value that is not ascii', withField('accept', 'é')],
  [
    'with a field twice',
    {
      fields: [
        ['accept', 'a'],
        ['accept', 'a'],
      ],
    },
  ],
  ['with host', withField('host', 'pay.example.com')],
  ['with connection', withField('connection', 'close')],
  ['with transfer-encoding', withField('transfer-encoding', 'chunked')],
  ['with a wrong content-length', withField('content-length', '1')],
  ['with content-length written with a zero', withField('content-length', '00')],
  ['with 65 fields', { fields: manyFields(65) }],
  ['with fields of 16385 bytes', { fields: [['x', 'a'.repeat(16381)]] }],
  ['with a field section cut in the middle', { section: section([['accept', 'abc']]).slice(0, -1) }],
  ['with a field name without a value', { section: text('accept') }],
]

const refusedResponses: readonly (readonly [string, Uint8Array])[] = [
  ['of the request form', concatBytes(of(0), encodeVarint(200), of(0, 0, 0))],
  ['with status 199', concatBytes(of(1), encodeVarint(199), of(0, 0, 0))],
  ['with status 100', concatBytes(of(1), encodeVarint(100), of(0), encodeVarint(200), of(0, 0, 0))],
  ['with status 600', concatBytes(of(1), encodeVarint(600), of(0, 0, 0))],
  ['with its status in four bytes', of(1, 0x80, 0, 0, 200, 0, 0, 0)],
  ['that ends after its status', concatBytes(of(1), encodeVarint(200))],
  ['with a trailer', concatBytes(of(1), encodeVarint(200), of(0, 0), vec(section([['x', 'y']])))],
]

/** Paths at the edges of the grammar, all of them accepted. */
const oddPaths = Object.fromEntries(
  [
    ['with the shortest path', '/'],
    ['with a slash at the end of its path', '/wallet/transfers/'],
    ['with a segment of three dots', '/.../a.'],
    ['with every character that a segment holds as it is', "/-._~!$&'()*+,=:@/azAZ09"],
    ['with every ASCII character that a segment holds encoded', asciiEscapes()],
    ['with UTF-8 of two, three and four bytes in its path', '/caf%C3%A9/%E5%8D%88/%F0%9F%92%B0'],
    ['with a query of everything that may stand in one', '/wallet?a=;/?:@&b=%2F%3B%25%00%7E'],
    ['with two question marks', '/wallet??'],
  ].map(([title, path]) => [title, { ...unsigned.read, path }]),
) as Readonly<Record<string, RequestMessage>>

function asciiEscapes(): string {
  const characters = [...' !"#$&\'()*+,:<=>?@[]^`{|}']
  return `/${characters.map((c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`).join('')}`
}

/** `tolerated` forms read as `message`; no writer makes them. */
export function messageVectors() {
  const hex = encodeHex
  const large = {
    ...unsigned.read,
    content: concatBytes(...Array.from({ length: 3 }, (_, i) => fixed(`content ${i}`))),
  }
  const short = encodeRequest(unsigned.read)
  const requests = Object.entries({ ...unsigned, 'with content of 96 bytes': large, ...oddPaths })
  const cut = (count: number): Uint8Array => short.slice(0, short.length - count)
  return {
    requests: requests.map(([title, m]) => ({
      title,
      message: jsonRequest(m),
      encoded: hex(encodeRequest(m)),
    })),
    responses: Object.entries(answers).map(([title, m]) => {
      return { title, message: jsonResponse(m), encoded: hex(encodeResponse(m)) }
    }),
    tolerated: [
      { title: 'cut before the empty trailers', message: jsonRequest(unsigned.read), encoded: hex(cut(1)) },
      { title: 'cut before the empty content', message: jsonRequest(unsigned.read), encoded: hex(cut(2)) },
    ],
    refused: [
      refused('that is empty', 'request', of()),
      refused('cut inside its fields', 'request', cut(3)),
      ...refusedParts.map(([title, parts]) => refused(title, 'request', rawRequest(parts))),
      ...refusedResponses.map(([title, bytes]) => refused(title, 'response', bytes)),
    ],
  }
}

function refused(title: string, kind: 'request' | 'response', bytes: Uint8Array) {
  return { title, kind, code: 'payload_invalid', encoded: encodeHex(bytes) }
}
