/** Parsing of attacker-controlled JSON. */
import { FormatError } from './errors.ts'
import { decodeUtf8 } from './text.ts'

/** @throws FormatError unless `text` is JSON. Repeated members and white space are accepted. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    throw new FormatError('invalid JSON')
  }
}

/** @throws FormatError unless `value` is a JSON object. */
export function jsonObject(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new FormatError('not a JSON object')
  return value as Record<string, unknown>
}

/** @throws FormatError unless `bytes` is a JSON object in UTF-8. */
export function decodeJsonObject(bytes: Uint8Array): Record<string, unknown> {
  return jsonObject(parseJson(decodeUtf8(bytes)))
}

/** @throws FormatError unless `value` is a JSON array. */
export function jsonArray(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new FormatError('not a JSON array')
  return value
}

/** The member if it is a string. */
export function stringMember(value: Record<string, unknown> | undefined, name: string): string | undefined {
  const member = value?.[name]
  return typeof member === 'string' ? member : undefined
}

/** @throws FormatError unless the member is a non-empty string. */
export function requiredString(value: Record<string, unknown>, name: string): string {
  const member = stringMember(value, name)
  if (member === undefined || member === '')
    throw new FormatError(`member ${name} must be a non-empty string`)
  return member
}

/** @throws FormatError unless the member is a non-negative safe integer. */
export function requiredNumber(value: Record<string, unknown>, name: string): number {
  const member = value[name]
  if (typeof member !== 'number' || !Number.isSafeInteger(member) || member < 0)
    throw new FormatError(`member ${name} must be a non-negative integer`)
  return member
}
