/** Parsing of received JSON. */
import { FormatError } from 'miniseal-protocol/errors'
import { decodeUtf8 } from 'miniseal-protocol/text'

/** @throws FormatError unless `bytes` is a JSON object in UTF-8. */
export function parseJsonObject(bytes: Uint8Array): Record<string, unknown> {
  return jsonObject(parseJson(bytes))
}

/** @throws FormatError unless `bytes` is JSON in UTF-8. */
export function parseJson(bytes: Uint8Array): unknown {
  const text = decodeUtf8(bytes)
  try {
    return JSON.parse(text)
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

/** The member if it is a string. */
export function stringMember(value: Record<string, unknown> | undefined, name: string): string | undefined {
  const member = value?.[name]
  return typeof member === 'string' ? member : undefined
}

/** The member if it is a non-negative integer. */
export function numberMember(value: Record<string, unknown> | undefined, name: string): number | undefined {
  const member = value?.[name]
  return typeof member === 'number' && Number.isSafeInteger(member) && member >= 0 ? member : undefined
}

/** @throws FormatError unless the member is a non-empty string. */
export function requiredString(value: Record<string, unknown>, name: string): string {
  const member = stringMember(value, name)
  if (member === undefined || member === '') throw new FormatError(`member ${name}: string expected`)
  return member
}

/** @throws FormatError unless the member is a non-negative integer. */
export function requiredNumber(value: Record<string, unknown>, name: string): number {
  const member = numberMember(value, name)
  if (member === undefined) throw new FormatError(`member ${name}: integer expected`)
  return member
}
