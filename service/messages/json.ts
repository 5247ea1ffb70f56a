/** JSON in inner messages: parsed once, at the edge, into a checked type. */

import { ProtocolError, refuseFormat } from 'miniseal-protocol/errors'
import type { RequestMessage, ResponseMessage } from 'miniseal-protocol/frames/binary-http'
import { findField } from 'miniseal-protocol/frames/binary-http'
import { decodeUtf8, encodeUtf8 } from 'miniseal-protocol/text'
import type { ZodType } from 'zod'

/** Braces and brackets of JSON that may stand inside one another. */
const maxDepth = 32

/** Strings (names of members too), numbers, `true`, `false`, `null`, `{` and `[` of one JSON text. */
const maxTokens = 4_096

/** Bytes of JSON, unpacked: decoding and checking them takes a few milliseconds at most. */
const maxJson = 262_144

/** A reply with a JSON body that nobody may keep. */
function jsonReply(status: number, value: unknown): ResponseMessage {
  return {
    status,
    fields: [
      ['content-type', 'application/json'],
      ['cache-control', 'no-store'],
    ],
    content: encodeUtf8(JSON.stringify(value)),
  }
}

/** The same, typed by the shape that the OpenAPI document says of this answer. */
export function shapedReply<T>(_shape: ZodType<T>, status: number, value: NoInfer<T>): ResponseMessage {
  return jsonReply(status, value)
}

/** @throws ProtocolError `payload_invalid` unless the content is JSON of this shape, without a coding. Attacker-controlled. */
export function parseJsonContent<T>(message: RequestMessage, shape: ZodType<T>): T {
  assertJsonType(message)
  if (findField(message.fields, 'content-encoding') !== undefined)
    throw new ProtocolError('payload_invalid', 'the content must have no coding')
  return parseJson(message.content, shape)
}

function assertJsonType({ fields }: RequestMessage): void {
  const type = findField(fields, 'content-type')?.split(';')[0]?.trim().toLowerCase()
  if (type !== 'application/json')
    throw new ProtocolError('payload_invalid', 'the content must be application/json')
}

function parseJson<T>(content: Uint8Array, shape: ZodType<T>): T {
  if (content.length > maxJson)
    throw new ProtocolError('payload_invalid', `JSON has at most ${maxJson} bytes`)
  assertSmallJson(content)
  const text = refuseFormat('payload_invalid', () => decodeUtf8(content))
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new ProtocolError('payload_invalid', 'the content is not JSON')
  }
  // Parsers differ in which of two equal members they take: what was checked here must be what a backend reads.
  if (hasDuplicateMember(text)) throw new ProtocolError('payload_invalid', 'an object has a member twice')
  const parsed = shape.safeParse(value)
  if (parsed.success) return parsed.data
  const paths = parsed.error.issues.map(({ path }) => (path.length === 0 ? 'the object' : path.join('.')))
  throw new ProtocolError(
    'payload_invalid',
    `not as it must be: ${[...new Set(paths)].join(', ').slice(0, 200)}`,
  )
}

const quote = 0x22
const backslash = 0x5c

type Meaning = 'between' | 'open' | 'close' | 'string'

/** What a byte means to the scan of JSON. Every byte that is not in the table belongs to a number or a word. */
const meanings = tableOf({ between: ' \t\n\r:,', open: '{[', close: '}]', string: '"' })

function tableOf(bytes: Readonly<Record<Meaning, string>>): readonly (Meaning | undefined)[] {
  const table = Array.from({ length: 256 }, (): Meaning | undefined => undefined)
  for (const meaning of Object.keys(bytes) as Meaning[]) {
    for (const character of bytes[meaning]) table[character.charCodeAt(0)] = meaning
  }
  return table
}

/**
 * Refuses JSON that costs much to parse and to check: one pass over the bytes, in linear time, that builds nothing. Whether
 * it is JSON is not decided here.
 *
 * @throws ProtocolError `payload_invalid` for more than 32 levels or 4096 tokens.
 */
function assertSmallJson(bytes: Uint8Array): void {
  let depth = 0
  let tokens = 0
  let isInWord = false
  for (let i = 0; i < bytes.length; i++) {
    const meaning = meanings[bytes[i] ?? 0]
    if (meaning === 'open') depth += 1
    if (meaning === 'close') depth -= 1
    if (meaning === 'string') i = endOfString(bytes, i)
    const isWord = meaning === undefined
    if (meaning === 'open' || meaning === 'string' || (isWord && !isInWord)) tokens += 1
    isInWord = isWord
    if (depth > maxDepth || tokens > maxTokens) throw tooMuch()
  }
}

function tooMuch(): ProtocolError {
  return new ProtocolError('payload_invalid', `JSON has at most ${maxDepth} levels and ${maxTokens} tokens`)
}

/** The index of the quote that ends the string which begins at `start`, or the end of the bytes. */
function endOfString(bytes: Uint8Array, start: number): number {
  let i = start + 1
  while (i < bytes.length && bytes[i] !== quote) i += bytes[i] === backslash ? 2 : 1
  return i
}

/** @param text JSON that was parsed before, so that its strings and braces are what they seem */
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
