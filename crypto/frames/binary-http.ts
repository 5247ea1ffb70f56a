/**
 * Binary HTTP in its known-length form (RFC 9292), with one encoding per message.
 *
 * Stricter than the RFC: shortest integers, no informational responses, no trailers, no indeterminate-length messages, and
 * the rules of `message-rules.ts`. As in the RFC, empty content and the empty trailer section may be omitted at the end, and
 * any number of zero bytes may follow.
 *
 * ```
 * request   0 ‖ vec(method) ‖ vec(scheme) ‖ vec(authority) ‖ vec(path) ‖ vec(fields) ‖ vec(content) ‖ vec("") ‖ zeros
 * response  1 ‖ status                                                ‖ vec(fields) ‖ vec(content) ‖ vec("") ‖ zeros
 * fields    (vec(name) ‖ vec(value))*            vec(x) = length of x ‖ x; numbers as in varint.ts
 * ```
 */
import { concatBytes, isAllZero } from '../bytes.ts'
import { FormatError } from '../errors.ts'
import {
  assertAuthority,
  assertFields,
  assertMethod,
  assertPath,
  assertScheme,
  assertStatus,
} from '../http-signatures/message-rules.ts'
import { decodeAscii, encodeAscii } from '../text.ts'
import { encodeVarint, readVarint } from './varint.ts'

/** One header field; the name is a lower-case token, the value trimmed. */
export type Field = readonly [name: string, value: string]

export interface RequestMessage {
  readonly method: string
  readonly scheme: string
  readonly authority: string
  /** Absolute path with the query, percent-encoded as on the wire. */
  readonly path: string
  readonly fields: readonly Field[]
  readonly content: Uint8Array
}

export interface ResponseMessage {
  /** A final status, 200 to 599. */
  readonly status: number
  readonly fields: readonly Field[]
  readonly content: Uint8Array
}

const REQUEST = 0
const RESPONSE = 1
/** Bytes of the field section, without its length prefix. */
const MAX_FIELD_SECTION = 16384

/** @throws FormatError for a message that {@link parseRequest} rejects. */
export function encodeRequest(message: RequestMessage): Uint8Array {
  assertRequest(message)
  return concatBytes(
    encodeVarint(REQUEST),
    encodeVector(encodeAscii(message.method)),
    encodeVector(encodeAscii(message.scheme)),
    encodeVector(encodeAscii(message.authority)),
    encodeVector(encodeAscii(message.path)),
    encodeSections(message.fields, message.content),
  )
}

/** @throws FormatError for a message that {@link parseResponse} rejects. */
export function encodeResponse(message: ResponseMessage): Uint8Array {
  assertResponse(message)
  return concatBytes(
    encodeVarint(RESPONSE),
    encodeVarint(message.status),
    encodeSections(message.fields, message.content),
  )
}

/**
 * Parses a request from attacker-controlled bytes, including padding. `content` is a copy.
 * @throws FormatError unless {@link encodeRequest} would write the bytes, apart from omitted ends and padding.
 */
export function parseRequest(bytes: Uint8Array): RequestMessage {
  const reader = new Reader(bytes)
  if (reader.readNumber() !== REQUEST) throw new FormatError('not a known-length request')
  const method = decodeAscii(reader.readVector())
  const scheme = decodeAscii(reader.readVector())
  const authority = decodeAscii(reader.readVector())
  const path = decodeAscii(reader.readVector())
  const message = { method, scheme, authority, path, ...parseSections(reader) }
  assertRequest(message)
  return message
}

/**
 * Parses a response from attacker-controlled bytes, including padding. `content` is a copy.
 * @throws FormatError unless {@link encodeResponse} would write the bytes, apart from omitted ends and padding.
 */
export function parseResponse(bytes: Uint8Array): ResponseMessage {
  const reader = new Reader(bytes)
  if (reader.readNumber() !== RESPONSE) throw new FormatError('not a known-length response')
  const status = reader.readNumber()
  // The field section of an informational response must not be parsed as that of the final response.
  assertStatus(status)
  const message = { status, ...parseSections(reader) }
  assertResponse(message)
  return message
}

/**
 * The value of a field; `undefined` when it is absent.
 * @param name in lower case
 * @throws FormatError when the field is repeated.
 */
export function findField(fields: readonly Field[], name: string): string | undefined {
  let found: string | undefined
  for (const [candidate, value] of fields) {
    if (candidate !== name) continue
    if (found !== undefined) throw new FormatError('field name repeated')
    found = value
  }
  return found
}

/** Reads one message; every read checks the bounds. */
class Reader {
  private readonly bytes: Uint8Array
  private offset = 0

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  isAtEnd(): boolean {
    return this.offset === this.bytes.length
  }

  readNumber(): number {
    const { value, next } = readVarint(this.bytes, this.offset)
    this.offset = next
    return value
  }

  /** A view, not a copy. */
  readVector(limit: number = this.bytes.length): Uint8Array {
    const length = this.readNumber()
    if (length > limit) throw new FormatError('section too long')
    if (length > this.bytes.length - this.offset) throw new FormatError('unexpected end of input')
    const start = this.offset
    this.offset += length
    return this.bytes.subarray(start, this.offset)
  }

  /** Checks that the rest is zero. */
  readPadding(): void {
    if (!isAllZero(this.bytes.subarray(this.offset))) throw new FormatError('padding is not zero')
    this.offset = this.bytes.length
  }
}

function assertRequest(message: RequestMessage): void {
  assertMethod(message.method)
  assertScheme(message.scheme)
  assertAuthority(message.authority)
  assertPath(message.path)
  assertFields(message.fields, message.content.length)
}

function assertResponse(message: ResponseMessage): void {
  assertStatus(message.status)
  assertFields(message.fields, message.content.length)
}

function encodeVector(bytes: Uint8Array): Uint8Array {
  return concatBytes(encodeVarint(bytes.length), bytes)
}

/** Field section, content and the empty trailer section. */
function encodeSections(fields: readonly Field[], content: Uint8Array): Uint8Array {
  const lines: Uint8Array[] = []
  for (const [name, value] of fields) {
    lines.push(encodeVector(encodeAscii(name)), encodeVector(encodeAscii(value)))
  }
  const section = concatBytes(...lines)
  if (section.length > MAX_FIELD_SECTION) throw new FormatError('section too long')
  return concatBytes(encodeVector(section), encodeVector(content), encodeVarint(0))
}

function parseSections(reader: Reader): { fields: Field[]; content: Uint8Array } {
  const fields = parseFields(reader.readVector(MAX_FIELD_SECTION))
  // RFC 9292, section 3.8: the message may end at these two points only.
  const content = reader.isAtEnd() ? new Uint8Array(0) : reader.readVector().slice()
  if (!reader.isAtEnd() && reader.readNumber() !== 0) throw new FormatError('trailers are not supported')
  reader.readPadding()
  return { fields, content }
}

function parseFields(section: Uint8Array): Field[] {
  const reader = new Reader(section)
  const fields: Field[] = []
  while (!reader.isAtEnd()) {
    fields.push([decodeAscii(reader.readVector()), decodeAscii(reader.readVector())])
  }
  return fields
}
