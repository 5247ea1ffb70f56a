/**
 * Flat JSON objects with one encoding (RFC 8785): members in the order of their names, strings and whole numbers, no
 * space. All that is parsed here is attacker-controlled.
 */
import { FormatError } from '../errors.ts'
import { encodeUtf8 } from '../text.ts'

/** A JSON object of strings and safe integers. */
export type FlatObject = Readonly<Record<string, string | number>>

/** Excludes `__proto__`. */
const memberName = /^[a-z][a-z0-9_]{0,39}$/

/** A lone one is looked for only where there is any. */
const surrogate = /[\ud800-\udfff]/

/** @throws FormatError for a member whose name or value has no form here: lone surrogates, fractions, other types. */
export function encodeFlat(members: FlatObject): string {
  const names = Object.keys(members).sort()
  return `{${names.map((name) => `${encodeMemberName(name)}:${encodeScalar(members[name])}`).join(',')}}`
}

function encodeMemberName(name: string): string {
  if (!memberName.test(name)) throw new FormatError('not the name of a member')
  return `"${name}"`
}

function encodeScalar(value: unknown): string {
  if (typeof value === 'string') {
    if (surrogate.test(value)) encodeUtf8(value)
    return JSON.stringify(value)
  }
  if (!Number.isSafeInteger(value)) throw new FormatError('neither a string nor a safe integer')
  return String(value)
}

/** The members of a flat object as they were parsed from JSON. @throws FormatError for any other value. */
export function flatMembers(value: unknown): FlatObject {
  const members = jsonObject(value)
  const flat: Record<string, string | number> = {}
  for (const name of Object.keys(members)) {
    const member = members[name]
    encodeMemberName(name)
    if (typeof member !== 'string' && typeof member !== 'number')
      throw new FormatError('neither a string nor a number')
    flat[name] = member
  }
  return flat
}

/** @throws FormatError for what is no JSON. Repeated members and spaces pass: compare with the encoding. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    throw new FormatError('not json')
  }
}

/** @throws FormatError for anything but an object. */
export function jsonObject(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new FormatError('not an object')
  return value as Readonly<Record<string, unknown>>
}
