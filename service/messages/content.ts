/** The content of inner messages: gzip, and JSON that is parsed once, at the edge, into a checked type (protocol, section 5). */
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { bulkhead } from 'cockatiel'
import { refuseFormat } from 'miniseal-protocol/errors'
import { findField, type RequestMessage, type ResponseMessage } from 'miniseal-protocol/frames/binary-http'
import { isOwnRoute, MAX_OWN_CONTENT } from 'miniseal-protocol/http-signatures/own-routes'
import { decodeUtf8, encodeUtf8 } from 'miniseal-protocol/text'
import type { ZodType } from 'zod'
import { ProblemError } from '../problems/problem-error.ts'

/** Bytes of a decompressed content: eight times the largest frame. */
const maxDecoded = 8_388_608

/** The maximum compression ratio, more than that of JSON and text; any content may decompress to `freeBytes`. */
const maxRatio = 50
const freeBytes = 65_536

/** Concurrent decompressions in the thread pool of zlib: half of its threads. */
const decompressions = bulkhead(2, Number.POSITIVE_INFINITY)

/** Bytes of the decompressed contents of all requests in progress, in this process. */
const maxHeld = 67_108_864
let held = 0

const unzip = promisify(gunzip)

/**
 * Refuses a content coding, and content over 16 KiB, for an own route. Checked before the signature, so that an
 * unauthenticated sender cannot make the service decompress or parse large content.
 *
 * @throws ProblemError `payload_invalid`
 */
export function assertPlainContent({ path, fields, content }: RequestMessage): void {
  if (!isOwnRoute(path)) return
  if (findField(fields, 'content-encoding') !== undefined)
    throw new ProblemError('payload_invalid', 'a route of the service accepts no content coding')
  if (content.length > MAX_OWN_CONTENT)
    throw new ProblemError(
      'payload_invalid',
      `a route of the service accepts at most ${MAX_OWN_CONTENT} bytes`,
    )
}

/**
 * Runs `use` with the content, decompressed if it has `content-encoding: gzip`. Attacker-controlled: decompression runs
 * off the event loop, two at a time, with limits of size, ratio, and total memory.
 *
 * @throws ProblemError `payload_invalid` for another coding, for malformed gzip, and over the limits of one content;
 *   `rate_limited` (503) over the total memory.
 */
export async function withDecodedContent<T>(
  message: RequestMessage,
  use: (content: Uint8Array) => T | Promise<T>,
): Promise<T> {
  const coding = findField(message.fields, 'content-encoding')
  if (coding === undefined) return await use(message.content)
  if (coding !== 'gzip') throw new ProblemError('payload_invalid', 'the only content coding is gzip')
  const maxLength = Math.min(maxDecoded, Math.max(freeBytes, message.content.length * maxRatio))
  let reserved = reserve(maxLength)
  try {
    const content = await decompress(message.content, maxLength)
    held -= reserved - content.length
    reserved = content.length
    return await use(content)
  } finally {
    held -= reserved
  }
}

function reserve(bytes: number): number {
  if (held + bytes > maxHeld) {
    const details = { status: 503, retryAfter: 1 } as const
    throw new ProblemError('rate_limited', 'the memory for decompressed content is in use', details)
  }
  held += bytes
  return bytes
}

async function decompress(content: Uint8Array, maxOutputLength: number): Promise<Uint8Array> {
  try {
    const { buffer, byteOffset, length } = await decompressions.execute(() =>
      unzip(content, { maxOutputLength }),
    )
    return new Uint8Array(buffer, byteOffset, length)
  } catch {
    throw new ProblemError('payload_invalid', 'the content is not gzip, or too large when decompressed')
  }
}

/** Nesting levels of JSON. */
const maxDepth = 32

/** Strings (names of members too), numbers, `true`, `false`, `null`, `{` and `[` of one JSON text. */
const maxTokens = 4_096

/** Bytes of JSON: parsing them takes a few milliseconds at most. */
const maxJson = 262_144

/** A JSON reply that no cache stores, typed by its shape in the OpenAPI document. */
export function jsonReply<T>(_shape: ZodType<T>, status: number, value: NoInfer<T>): ResponseMessage {
  return {
    status,
    fields: [
      ['content-type', 'application/json'],
      ['cache-control', 'no-store'],
    ],
    content: encodeUtf8(JSON.stringify(value)),
  }
}

/** `204`, which no cache stores. */
export function noContent(): ResponseMessage {
  return { status: 204, fields: [['cache-control', 'no-store']], content: new Uint8Array(0) }
}

/** Attacker-controlled. @throws ProblemError `payload_invalid` unless the content is JSON of this shape, without a coding. */
export function parseJsonContent<T>(message: RequestMessage, shape: ZodType<T>): T {
  const type = findField(message.fields, 'content-type')?.split(';')[0]?.trim().toLowerCase()
  if (type !== 'application/json')
    throw new ProblemError('payload_invalid', 'the content must be application/json')
  if (findField(message.fields, 'content-encoding') !== undefined)
    throw new ProblemError('payload_invalid', 'the content must have no coding')
  return parseJson(message.content, shape)
}

function parseJson<T>(content: Uint8Array, shape: ZodType<T>): T {
  if (content.length > maxJson) throw new ProblemError('payload_invalid', `JSON has at most ${maxJson} bytes`)
  assertSmallJson(content)
  const text = refuseFormat('payload_invalid', () => decodeUtf8(content))
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new ProblemError('payload_invalid', 'the content is not JSON')
  }
  // Parsers differ in which of two equal members they use: a backend could use one that was not checked.
  if (hasDuplicateMember(text)) throw new ProblemError('payload_invalid', 'an object has a duplicate member')
  const parsed = shape.safeParse(value)
  if (parsed.success) return parsed.data
  const paths = parsed.error.issues.map(({ path }) => (path.length === 0 ? 'the object' : path.join('.')))
  throw new ProblemError('payload_invalid', `invalid: ${[...new Set(paths)].join(', ').slice(0, 200)}`)
}

const quote = 0x22
const backslash = 0x5c

type ByteClass = 'separator' | 'open' | 'close' | 'string'

/** The class of each byte; a byte without one belongs to a number or a literal. */
const byteClasses = tableOf({ separator: ' \t\n\r:,', open: '{[', close: '}]', string: '"' })

function tableOf(bytes: Readonly<Record<ByteClass, string>>): readonly (ByteClass | undefined)[] {
  const table = Array.from({ length: 256 }, (): ByteClass | undefined => undefined)
  for (const byteClass of Object.keys(bytes) as ByteClass[]) {
    for (const character of bytes[byteClass]) table[character.charCodeAt(0)] = byteClass
  }
  return table
}

/**
 * Refuses JSON that is expensive to parse: one pass over the bytes, in linear time, without allocation. It does not decide
 * whether the bytes are JSON.
 *
 * @throws ProblemError `payload_invalid` for more than 32 levels or 4096 tokens.
 */
function assertSmallJson(bytes: Uint8Array): void {
  let depth = 0
  let tokens = 0
  let isInToken = false
  for (let i = 0; i < bytes.length; i++) {
    const byteClass = byteClasses[bytes[i] ?? 0]
    if (byteClass === 'open') depth += 1
    if (byteClass === 'close') depth -= 1
    if (byteClass === 'string') i = endOfString(bytes, i)
    const isLiteral = byteClass === undefined
    if (byteClass === 'open' || byteClass === 'string' || (isLiteral && !isInToken)) tokens += 1
    isInToken = isLiteral
    if (depth > maxDepth || tokens > maxTokens)
      throw new ProblemError('payload_invalid', `JSON has at most ${maxDepth} levels and ${maxTokens} tokens`)
  }
}

/** The index of the quote that ends the string which begins at `start`, or the end of the bytes. */
function endOfString(bytes: Uint8Array, start: number): number {
  let i = start + 1
  while (i < bytes.length && bytes[i] !== quote) i += bytes[i] === backslash ? 2 : 1
  return i
}

/** @param text valid JSON */
function hasDuplicateMember(text: string): boolean {
  const objects: Set<unknown>[] = []
  for (const [token, colon] of text.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?|[{}]/g)) {
    if (token === '{') objects.push(new Set())
    else if (token === '}') objects.pop()
    else if (colon !== undefined) {
      const name: unknown = JSON.parse(token.slice(0, -colon.length))
      if (objects.at(-1)?.has(name)) return true
      objects.at(-1)?.add(name)
    }
  }
  return false
}
