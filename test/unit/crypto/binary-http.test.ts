import { BHttpDecoder, BHttpEncoder } from 'bhttp-js'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { concatBytes } from '../../../crypto/bytes.ts'
import { FormatError } from '../../../crypto/errors.ts'
import {
  encodeRequest,
  encodeResponse,
  type Field,
  findField,
  parseRequest,
  parseResponse,
  type RequestMessage,
  type ResponseMessage,
} from '../../../crypto/frames/binary-http.ts'
import { encodeVarint, readVarint } from '../../../crypto/frames/varint.ts'

/** RFC 9292, figure 8: the known-length request, as printed. */
const FIGURE_8 = bytesOf(`
  00034745 54056874 74707300 0a2f6865 6c6c6f2e 74787440 6c0a7573 65722d61
  67656e74 34637572 6c2f372e 31362e33 206c6962 6375726c 2f372e31 362e3320
  4f70656e 53534c2f 302e392e 376c207a 6c69622f 312e322e 3304686f 73740f77
  77772e65 78616d70 6c652e63 6f6d0f61 63636570 742d6c61 6e677561 67650665
  6e2c206d 690000`)

/** The same request with the authority in its place, so without `host` (20 bytes less in the field section). */
const EXAMPLE_REQUEST = bytesOf(`
  00034745 54056874 747073 0f7777772e6578616d706c652e636f6d 0a2f6865 6c6c6f2e 747874 4057 0a7573 65722d61
  67656e74 34637572 6c2f372e 31362e33 206c6962 6375726c 2f372e31 362e3320
  4f70656e 53534c2f 302e392e 376c207a 6c69622f 312e322e 33
  0f61 63636570 742d6c61 6e677561 67650665 6e2c206d 69 00 00`)

/** RFC 9292, figure 9: the request of figure 8 in the indeterminate-length form. */
const FIGURE_9 = bytesOf(`
  02034745 54056874 74707300 0a2f6865 6c6c6f2e 7478740a 75736572 2d616765
  6e743463 75726c2f 372e3136 2e33206c 69626375 726c2f37 2e31362e 33204f70
  656e5353 4c2f302e 392e376c 207a6c69 622f312e 322e3304 686f7374 0f777777
  2e657861 6d706c65 2e636f6d 0f616363 6570742d 6c616e67 75616765 06656e2c
  206d6900 00000000 00000000 00000000`)

/** RFC 9292, figure 13: the known-length response with a trailer, as printed. */
const FIGURE_13 = bytesOf(`
  0140c800 1d546869 7320636f 6e74656e 7420636f 6e746169 6e732043 524c462e
  0d0a0d07 74726169 6c657204 74657874`)

const EXAMPLE: RequestMessage = {
  method: 'GET',
  scheme: 'https',
  authority: 'www.example.com',
  path: '/hello.txt',
  fields: [
    ['user-agent', 'curl/7.16.3 libcurl/7.16.3 OpenSSL/0.9.7l zlib/1.2.3'],
    ['accept-language', 'en, mi'],
  ],
  content: new Uint8Array(0),
}

const REQUEST: RequestMessage = {
  method: 'POST',
  scheme: 'https',
  authority: 'pay.example.com:8443',
  path: '/orders?currency=CNY',
  fields: [
    ['content-type', 'application/json'],
    ['content-length', '2'],
    ['x-empty', ''],
  ],
  content: bytesOf('7b7d'),
}

const RESPONSE: ResponseMessage = {
  status: 201,
  fields: [['content-type', 'text/plain']],
  content: bytesOf('6f6b'),
}

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex.replace(/\s/g, ''), 'hex'))
}

function vector(text: string | Uint8Array): Uint8Array {
  const bytes = typeof text === 'string' ? Uint8Array.from(Buffer.from(text, 'latin1')) : text
  return concatBytes(encodeVarint(bytes.length), bytes)
}

/** The bytes of a request, with no rule applied. */
function rawRequest(message: RequestMessage): Uint8Array {
  const lines = message.fields.flatMap(([name, value]) => [vector(name), vector(value)])
  return concatBytes(
    Uint8Array.of(0),
    ...[message.method, message.scheme, message.authority, message.path].map(vector),
    vector(concatBytes(...lines)),
    vector(message.content),
    Uint8Array.of(0),
  )
}

const visible = Array.from({ length: 0x5e }, (_, i) => String.fromCharCode(0x21 + i))
const fieldName = fc
  .string({
    unit: fc.constantFrom(..."!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"),
    minLength: 1,
    maxLength: 20,
  })
  .filter((name) => !['connection', 'host', 'te', 'upgrade', 'content-length'].includes(name))
const fieldValue = fc
  .string({ unit: fc.constantFrom(...visible, ' ', '\t'), maxLength: 80 })
  .map((value) => value.trim())
const fields = fc.uniqueArray(fc.tuple(fieldName, fieldValue), { selector: ([name]) => name, maxLength: 8 })
const content = fc.uint8Array({ maxLength: 100 })
const segment = fc
  .string({
    unit: fc.constantFrom(..."abcXYZ019-._~!$&'()*+,=:@", '%3F', '%C3%A4'),
    minLength: 1,
    maxLength: 10,
  })
  .filter((text) => !/^\.\.?$/.test(text))
const path = fc
  .tuple(fc.array(segment, { minLength: 1, maxLength: 4 }), fc.option(segment))
  .map(([segments, query]) => `/${segments.join('/')}${query === null ? '' : `?${query}`}`)
const request: fc.Arbitrary<RequestMessage> = fc.record({
  method: fc.constantFrom('GET', 'POST', 'DELETE', 'PROPFIND'),
  scheme: fc.constantFrom('https', 'http'),
  authority: fc.constantFrom('example.com', 'pay.example.com:8443', '[::1]:80', '127.0.0.1'),
  path,
  fields,
  content,
})
const response: fc.Arbitrary<ResponseMessage> = fc.record({
  status: fc.integer({ min: 200, max: 599 }),
  fields,
  content,
})

it('encoding gives the bytes of the examples of RFC 9292', () => {
  expect(encodeRequest(EXAMPLE)).toEqual(EXAMPLE_REQUEST)
  const chunked: ResponseMessage = {
    status: 200,
    fields: [],
    content: Uint8Array.from(Buffer.from('This content contains CRLF.\r\n')),
  }
  expect(encodeResponse(chunked)).toEqual(concatBytes(FIGURE_13.subarray(0, 34), Uint8Array.of(0)))
  expect(parseResponse(FIGURE_13.subarray(0, 34))).toEqual(chunked)
})

it('parsing accepts the examples of RFC 9292 in full, truncated by one or two bytes, and padded', () => {
  for (const end of [EXAMPLE_REQUEST.length, EXAMPLE_REQUEST.length - 1, EXAMPLE_REQUEST.length - 2]) {
    expect(parseRequest(EXAMPLE_REQUEST.slice(0, end))).toEqual(EXAMPLE)
    expect(parseRequest(concatBytes(EXAMPLE_REQUEST.slice(0, end), new Uint8Array(300)))).toEqual(EXAMPLE)
  }
})

it('parsing refuses a host field, as in figure 8 of RFC 9292', () => {
  expect(() => parseRequest(FIGURE_8)).toThrow(new FormatError('authority is not host[:port]'))
  const both = { ...EXAMPLE, fields: [...EXAMPLE.fields, ['host', 'www.example.com'] as const] }
  expect(() => parseRequest(rawRequest(both))).toThrow(new FormatError('field not allowed in binary http'))
})

it('parsing refuses indeterminate length, as in figure 9 of RFC 9292', () => {
  expect(() => parseRequest(FIGURE_9)).toThrow(new FormatError('not a known-length request'))
  expect(() => parseResponse(Uint8Array.of(3, 0x40, 0xc8, 0))).toThrow(
    new FormatError('not a known-length response'),
  )
})

it('parsing refuses trailers, as in figure 13 of RFC 9292', () => {
  expect(() => parseResponse(FIGURE_13)).toThrow(new FormatError('trailers are not supported'))
})

it('bhttp-js decodes encoded requests', async () => {
  const read = new BHttpDecoder().decodeRequest(encodeRequest(REQUEST))
  expect([read.method, read.url]).toEqual(['POST', 'https://pay.example.com:8443/orders?currency=CNY'])
  expect(read.headers.get('content-type')).toBe('application/json')
  expect(new Uint8Array(await read.arrayBuffer())).toEqual(REQUEST.content)
})

it('bhttp-js decodes encoded responses', async () => {
  const read = new BHttpDecoder().decodeResponse(encodeResponse(RESPONSE))
  expect([read.status, read.headers.get('content-type'), await read.text()]).toEqual([
    201,
    'text/plain',
    'ok',
  ])
})

it('parsing accepts requests that bhttp-js encodes', async () => {
  const init = { method: 'PUT', headers: { 'x-order': '7' }, body: bytesOf('00ff') }
  const written = await new BHttpEncoder().encodeRequest(new Request('https://example.com/a%20b', init))
  expect(parseRequest(written)).toEqual({
    method: 'PUT',
    scheme: 'https',
    authority: 'example.com',
    path: '/a%20b',
    fields: [['x-order', '7']],
    content: bytesOf('00ff'),
  })
})

it('parsing accepts responses that bhttp-js encodes', async () => {
  const written = await new BHttpEncoder().encodeResponse(
    new Response('ok', { status: 404, headers: { 'x-a': 'b' } }),
  )
  const read = parseResponse(written)
  expect([read.status, findField(read.fields, 'x-a'), Buffer.from(read.content).toString()]).toEqual([
    404,
    'b',
    'ok',
  ])
})

it('parsing inverts encoding for every request and response', () => {
  fc.assert(
    fc.property(request, response, (anyRequest, anyResponse) => {
      expect(parseRequest(encodeRequest(anyRequest))).toEqual(anyRequest)
      expect(parseResponse(encodeResponse(anyResponse))).toEqual(anyResponse)
    }),
  )
})

it('a message with any byte changed is refused or is another message', () => {
  const bytes = encodeRequest(REQUEST)
  const seen = new Set([JSON.stringify(REQUEST)])
  for (let offset = 0; offset < bytes.length; offset++) {
    for (let value = 0; value < 256; value++) {
      if (value === bytes[offset]) continue
      const mutated = bytes.slice()
      mutated[offset] = value
      const message = parsedOrRefused(mutated)
      if (message === undefined) continue
      // What was accepted is written as it was, up to a cut or padding with zeros.
      expect(stripped(encodeRequest(message))).toBe(stripped(mutated))
      seen.add(JSON.stringify(message))
      expect(message).not.toEqual(REQUEST)
    }
  }
  expect(seen.size).toBeGreaterThan(1000)
})

it('parsing refuses truncation, except before empty content and empty trailers', () => {
  const bytes = encodeRequest(REQUEST)
  for (let end = 0; end < bytes.length - 1; end++) {
    // Cut before the content, the message is whole, but its content-length is then untrue.
    expect(() => parseRequest(bytes.subarray(0, end)), String(end)).toThrow(FormatError)
  }
  expect(parseRequest(bytes.subarray(0, bytes.length - 1))).toEqual(REQUEST)
})

it('parsing ignores zero padding and refuses any other', () => {
  const bytes = encodeResponse(RESPONSE)
  for (const length of [1, 7, 1000]) {
    expect(parseResponse(concatBytes(bytes, new Uint8Array(length)))).toEqual(RESPONSE)
    const dirty = concatBytes(bytes, new Uint8Array(length))
    dirty[dirty.length - 1] = 1
    expect(() => parseResponse(dirty)).toThrow(new FormatError('padding is not zero'))
  }
})

it('parsing reads a view inside a larger buffer and keeps no reference to it', () => {
  const bytes = encodeRequest(REQUEST)
  const buffer = new Uint8Array(bytes.length + 20).fill(0xff)
  buffer.set(bytes, 10)
  const message = parseRequest(buffer.subarray(10, 10 + bytes.length))
  buffer.fill(0)
  expect(message).toEqual(REQUEST)
})

it('parsing refuses a request as a response and a response as a request', () => {
  expect(() => parseResponse(encodeRequest(REQUEST))).toThrow(FormatError)
  expect(() => parseRequest(encodeResponse(RESPONSE))).toThrow(FormatError)
})

describe('the rules for messages', () => {
  const withField = (...added: Field[]): RequestMessage => ({ ...EXAMPLE, fields: added })
  const method = 'method is not 1 to 16 upper-case letters'
  const path = 'path is not a uri path with an optional query'
  const dots = 'path with a dot segment'
  const authority = 'authority is not host[:port]'
  const forbidden = 'field not allowed in binary http'
  const name = 'field name is not a lower-case token'
  const value = 'field value is not trimmed visible ascii'

  it.each<[string, RequestMessage, string]>([
    ['a lower-case method', { ...EXAMPLE, method: 'get' }, method],
    ['an empty method', { ...EXAMPLE, method: '' }, method],
    ['a long method', { ...EXAMPLE, method: 'A'.repeat(17) }, method],
    ['an upper-case scheme', { ...EXAMPLE, scheme: 'HTTPS' }, 'scheme is not a lower-case uri scheme'],
    ['no scheme', { ...EXAMPLE, scheme: '' }, 'scheme is not a lower-case uri scheme'],
    ['no authority', { ...EXAMPLE, authority: '' }, authority],
    ['userinfo', { ...EXAMPLE, authority: 'user@example.com' }, authority],
    ['a path in the authority', { ...EXAMPLE, authority: 'example.com/a' }, authority],
    ['a port without digits', { ...EXAMPLE, authority: 'example.com:' }, authority],
    ['a long authority', { ...EXAMPLE, authority: 'a'.repeat(262) }, authority],
    ['no path', { ...EXAMPLE, path: '' }, path],
    ['a path without a slash', { ...EXAMPLE, path: '*' }, path],
    ['a fragment', { ...EXAMPLE, path: '/a#b' }, path],
    ['a backslash', { ...EXAMPLE, path: '/a\\b' }, path],
    ['a space in the path', { ...EXAMPLE, path: '/a b' }, path],
    ['a line break in the path', { ...EXAMPLE, path: '/a\n' }, path],
    ['a broken escape', { ...EXAMPLE, path: '/a%2' }, path],
    ['an empty query', { ...EXAMPLE, path: '/a?' }, 'path with an empty query'],
    ['a dot segment', { ...EXAMPLE, path: '/a/../b' }, dots],
    ['a dot segment at the end', { ...EXAMPLE, path: '/a/.' }, dots],
    ['a dot segment before the query', { ...EXAMPLE, path: '/..?a' }, dots],
    ['an escaped dot segment', { ...EXAMPLE, path: '/a/%2E./b' }, path],
    ['a long path', { ...EXAMPLE, path: `/${'a'.repeat(4096)}` }, 'path too long'],
    ['an upper-case field name', withField(['Accept', 'a']), name],
    ['an empty field name', withField(['', 'a']), name],
    ['a pseudo-field', withField([':path', '/b']), name],
    ['a field name with a space', withField(['a b', '']), name],
    ['a line break in a value', withField(['a', 'b\r\nc: d']), value],
    ['a leading space in a value', withField(['a', ' b']), value],
    ['a trailing tab in a value', withField(['a', 'b\t']), value],
    ['a value of white space', withField(['a', ' ']), value],
    ['a zero byte in a value', withField(['a', 'b\0c']), value],
    ['a delete character in a value', withField(['a', '\x7f']), value],
    ['a repeated field', withField(['a', 'b'], ['c', 'd'], ['a', 'b']), 'field name repeated'],
    ['connection', withField(['connection', 'close']), forbidden],
    ['keep-alive', withField(['keep-alive', 'timeout=5']), forbidden],
    ['proxy-connection', withField(['proxy-connection', 'close']), forbidden],
    ['transfer-encoding', withField(['transfer-encoding', 'chunked']), forbidden],
    ['upgrade', withField(['upgrade', 'websocket']), forbidden],
    ['te', withField(['te', 'trailers']), forbidden],
    ['host', withField(['host', 'www.example.com']), forbidden],
    ['an untrue content-length', withField(['content-length', '1']), 'content-length is wrong'],
    ['a content-length with a zero in front', withField(['content-length', '00']), 'content-length is wrong'],
    ['65 fields', withField(...numberedFields(65, '')), 'too many fields'],
    [
      'a field section over 16384 bytes',
      withField(...numberedFields(2, 'v'.repeat(8200))),
      'section too long',
    ],
  ])('encoding and parsing refuse %s', (_title, message, reason) => {
    expect(() => encodeRequest(message)).toThrow(new FormatError(reason))
    expect(() => parseRequest(rawRequest(message))).toThrow(new FormatError(reason))
  })

  it.each<[string, Field, string]>([
    ['a connection-specific field', ['connection', 'close'], forbidden],
    ['an upper-case field name', ['Date', 'today'], name],
    ['an untrimmed value', ['date', ' today'], value],
    ['an untrue content-length', ['content-length', '3'], 'content-length is wrong'],
  ])('encoding and parsing refuse %s in a response', (_title, field, reason) => {
    expect(() => encodeResponse({ ...RESPONSE, fields: [field] })).toThrow(new FormatError(reason))
    const section = vector(concatBytes(...field.map(vector)))
    const bytes = concatBytes(bytesOf('0140c8'), section, vector(RESPONSE.content))
    expect(() => parseResponse(bytes)).toThrow(new FormatError(reason))
  })

  it('encoding and parsing allow a message at each limit', () => {
    const widest: RequestMessage = {
      method: 'A'.repeat(16),
      scheme: 'https',
      authority: `${'a'.repeat(255)}:65535`,
      path: `/${'a'.repeat(4095)}`,
      fields: numberedFields(64, 'v\tv v'),
      content: new Uint8Array(0),
    }
    expect(parseRequest(encodeRequest(widest))).toEqual(widest)
    // Name and its length 2, length of the value 2: 16384 in all.
    const section = { ...RESPONSE, fields: [['a', 'v'.repeat(16380)] as const] }
    expect(parseResponse(encodeResponse(section))).toEqual(section)
  })

  it('encoding and parsing refuse bytes above ascii in fields and control data', () => {
    for (const message of [{ ...EXAMPLE, path: '/\xe9' }, withField(['a', '\xe9'])]) {
      expect(() => encodeRequest(message)).toThrow(FormatError)
      expect(() => parseRequest(rawRequest(message))).toThrow(new FormatError('not ASCII'))
    }
  })

  it.each([0, 100, 103, 199, 600, 1000, 200.5])('encoding and parsing refuse the status %d', (status) => {
    const reason = new FormatError('status not within 200 to 599')
    expect(() => encodeResponse({ ...RESPONSE, status })).toThrow(reason)
    if (Number.isInteger(status)) {
      const bytes = concatBytes(Uint8Array.of(1), encodeVarint(status), Uint8Array.of(0))
      expect(() => parseResponse(bytes)).toThrow(reason)
    }
  })

  it('parsing refuses a field section that ends inside a field', () => {
    const head = rawRequest({ ...EXAMPLE, fields: [] }).slice(0, -3)
    for (const section of ['0161', '016102', '01610262']) {
      expect(() => parseRequest(concatBytes(head, vector(bytesOf(section)))), section).toThrow(FormatError)
    }
    expect(parseRequest(concatBytes(head, vector(bytesOf('01610162')))).fields).toEqual([['a', 'b']])
  })

  it('findField refuses a repeated field', () => {
    const twice: Field[] = [
      ['a', '1'],
      ['b', '2'],
      ['a', '3'],
    ]
    expect(findField(twice, 'b')).toBe('2')
    expect(findField(twice, 'c')).toBeUndefined()
    expect(() => findField(twice, 'a')).toThrow(new FormatError('field name repeated'))
  })
})

it.each([
  ['25', 37],
  ['7bbd', 15293],
  ['9d7f3e7d', 494878333],
])('the variable-length integer %s of RFC 9000 is %d', (hex, value) => {
  expect(readVarint(bytesOf(hex), 0)).toEqual({ value, next: hex.length / 2 })
  expect(encodeVarint(value)).toEqual(bytesOf(hex))
})

it('readVarint inverts encodeVarint over the whole range', () => {
  const edges = [0, 63, 64, 16383, 16384, 2 ** 30 - 1, 2 ** 30, 2 ** 53 - 1]
  fc.assert(
    fc.property(fc.oneof(fc.constantFrom(...edges), fc.maxSafeNat()), (value) => {
      const bytes = encodeVarint(value)
      expect(readVarint(bytes, 0)).toEqual({ value, next: bytes.length })
    }),
  )
})

it.each(['4025', '403f', '80003fff', 'c00000003fffffff'])('readVarint refuses the long form %s', (hex) => {
  expect(() => readVarint(bytesOf(hex), 0)).toThrow(new FormatError('integer not in its shortest form'))
})

it('readVarint refuses values above 2^53-1 and truncation', () => {
  expect(() => readVarint(bytesOf('c020000000000000'), 0)).toThrow(new FormatError('integer too large'))
  expect(() => readVarint(bytesOf('ffffffffffffffff'), 0)).toThrow(new FormatError('integer too large'))
  expect(() => readVarint(bytesOf('c01fffffffffff'), 0)).toThrow(new FormatError('unexpected end of input'))
  for (const value of [-1, 0.5, 2 ** 53, Number.NaN]) expect(() => encodeVarint(value)).toThrow(FormatError)
})

function numberedFields(count: number, value: string): Field[] {
  return Array.from({ length: count }, (_, i) => [`f${i}`, value] as const)
}

function parsedOrRefused(bytes: Uint8Array): RequestMessage | undefined {
  try {
    return parseRequest(bytes)
  } catch (error) {
    expect(error).toBeInstanceOf(FormatError)
    return undefined
  }
}

/** The bytes without the zeros at the end, which padding and truncation leave free. */
function stripped(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .toString('hex')
    .replace(/(?:00)+$/, '')
}
