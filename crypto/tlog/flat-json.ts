/** Flat JSON objects in the one encoding of RFC 8785: members sorted by name, strings and integers, no white space. */
import { FormatError } from '../errors.ts'
import { jsonObject } from '../json.ts'
import { encodeUtf8 } from '../text.ts'

/** A JSON object of strings and safe integers. */
export type FlatObject = Readonly<Record<string, string | number>>

/** Excludes `__proto__`. */
const memberName = /^[a-z][a-z0-9_]{0,39}$/

/** Text without any is not checked for lone ones. */
const surrogate = /[\ud800-\udfff]/

/** @throws FormatError for an invalid member name, a lone surrogate, a fraction or another type. */
export function encodeFlat(members: FlatObject): string {
  const names = Object.keys(members).sort()
  return `{${names.map((name) => `${encodeMemberName(name)}:${encodeScalar(members[name])}`).join(',')}}`
}

function encodeMemberName(name: string): string {
  if (!memberName.test(name)) throw new FormatError('invalid member name')
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

/** The members of a parsed JSON value, attacker-controlled. @throws FormatError unless it is a flat object. */
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
