/** JSON in inner messages: parsed once, at the edge, into a checked type. */
import type { ZodType } from 'zod'
import type { RequestMessage, ResponseMessage } from '../../crypto/binary-http.ts'
import { findField } from '../../crypto/binary-http.ts'
import { ProtocolError, refuseFormat } from '../../crypto/errors.ts'
import { decodeUtf8, encodeUtf8 } from '../../crypto/text.ts'
import { decodedContent } from './content.ts'

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

/** @throws ProtocolError `payload_invalid` unless the content is JSON of this shape. Attacker-controlled. */
export function parseJsonContent<T>(message: RequestMessage, shape: ZodType<T>): T {
  const type = findField(message.fields, 'content-type')?.split(';')[0]?.trim().toLowerCase()
  if (type !== 'application/json')
    throw new ProtocolError('payload_invalid', 'the content must be application/json')
  const text = refuseFormat('payload_invalid', () => decodeUtf8(decodedContent(message)))
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
  const places = parsed.error.issues.map(({ path }) => (path.length === 0 ? 'the object' : path.join('.')))
  throw new ProtocolError(
    'payload_invalid',
    `not as it must be: ${[...new Set(places)].join(', ').slice(0, 200)}`,
  )
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
