/**
 * Structured field values (RFC 8941), the part that signatures need: dictionaries, items and inner lists of integers,
 * strings, tokens, byte sequences and booleans.
 *
 * Stricter than the RFC: repeated keys, decimals, and base64 that is not canonical and padded are errors. Signatures cover the
 * re-serialized value, so leading zeros and white space between members have no meaning.
 */
import { FormatError } from '../errors.ts'
import { decodeBase64, encodeBase64 } from '../text.ts'

export type BareItem =
  | { readonly kind: 'integer'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'token'; readonly value: string }
  | { readonly kind: 'bytes'; readonly value: Uint8Array }
  | { readonly kind: 'boolean'; readonly value: boolean }

/** In their order in the field. */
export type Parameters = ReadonlyMap<string, BareItem>

export interface Item {
  readonly kind: 'item'
  readonly value: BareItem
  readonly params: Parameters
}

export interface InnerList {
  readonly kind: 'inner-list'
  readonly items: readonly Item[]
  readonly params: Parameters
}

/** In their order in the field. */
export type Dictionary = ReadonlyMap<string, Item | InnerList>

/** Characters of one field value. */
const MAX_LENGTH = 16384
/** 15 digits (RFC 8941, section 3.3.1). */
const MAX_INTEGER = 999999999999999

const KEY = /^[a-z*][a-z0-9_.*-]*$/
const TOKEN = /^[A-Za-z*][!#$%&'*+.^_`|~0-9A-Za-z:/-]*$/
const PRINTABLE = /^[\x20-\x7e]*$/

/** @throws FormatError for malformed text, over 16384 characters, a repeated key or an unsupported type. */
export function parseDictionary(text: string): Dictionary {
  return parseWhole(text, (cursor) => cursor.readDictionary())
}

/** @throws FormatError for malformed text, over 16384 characters, a repeated key or an unsupported type. */
export function parseItem(text: string): Item {
  return parseWhole(text, (cursor) => cursor.readItem())
}

/** Strict serialization (RFC 8941, section 4.1). @throws FormatError for an invalid key or value. */
export function serializeDictionary(dictionary: Dictionary): string {
  const members: string[] = []
  for (const [key, member] of dictionary) {
    // A member with the value true is serialized as its key and parameters.
    const implied = member.kind === 'item' && isTrue(member.value)
    const value = implied ? serializeParameters(member.params) : `=${serializeMember(member)}`
    members.push(serializeKey(key) + value)
  }
  return members.join(', ')
}

/** @throws FormatError as {@link serializeDictionary}. */
export function serializeItem(item: Item): string {
  return serializeBareItem(item.value) + serializeParameters(item.params)
}

/** @throws FormatError as {@link serializeDictionary}. */
export function serializeInnerList(list: InnerList): string {
  return `(${list.items.map(serializeItem).join(' ')})${serializeParameters(list.params)}`
}

/** A single item or inner list, without the short form of true. @throws FormatError as {@link serializeDictionary}. */
export function serializeMember(member: Item | InnerList): string {
  return member.kind === 'item' ? serializeItem(member) : serializeInnerList(member)
}

/** @throws FormatError as {@link serializeDictionary}. */
export function serializeBareItem(item: BareItem): string {
  switch (item.kind) {
    case 'integer':
      return serializeInteger(item.value)
    case 'string':
      if (!PRINTABLE.test(item.value)) throw new FormatError('string is not printable ascii')
      return `"${item.value.replace(/[\\"]/g, '\\$&')}"`
    case 'token':
      if (!TOKEN.test(item.value)) throw new FormatError('not a token')
      return item.value
    case 'bytes':
      return `:${encodeBase64(item.value)}:`
    case 'boolean':
      return item.value ? '?1' : '?0'
  }
}

function serializeInteger(value: number): string {
  if (!Number.isInteger(value) || Math.abs(value) > MAX_INTEGER)
    throw new FormatError('not an integer of 15 digits')
  return String(value)
}

function serializeParameters(params: Parameters): string {
  let text = ''
  for (const [key, value] of params) {
    text += `;${serializeKey(key)}${isTrue(value) ? '' : `=${serializeBareItem(value)}`}`
  }
  return text
}

function serializeKey(key: string): string {
  if (!KEY.test(key)) throw new FormatError('not a key')
  return key
}

function isTrue(item: BareItem): boolean {
  return item.kind === 'boolean' && item.value
}

/** Runs `parse` over `text` without spaces at its ends (RFC 8941, section 4.2). It must consume everything. */
function parseWhole<T>(text: string, parse: (cursor: Cursor) => T): T {
  if (text.length > MAX_LENGTH) throw new FormatError('structured field too long')
  const cursor = new Cursor(text)
  cursor.take(/ */y)
  const value = parse(cursor)
  cursor.take(/ */y)
  if (!cursor.isAtEnd()) throw new FormatError('structured field with trailing characters')
  return value
}

/** Reads attacker-controlled text from left to right with sticky patterns. */
class Cursor {
  private readonly text: string
  private offset = 0

  constructor(text: string) {
    this.text = text
  }

  isAtEnd(): boolean {
    return this.offset === this.text.length
  }

  /** Consumes and returns the match of a sticky pattern; `undefined` when it does not match. */
  take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.offset
    const match = pattern.exec(this.text)?.[0]
    if (match !== undefined) this.offset += match.length
    return match
  }

  readDictionary(): Dictionary {
    const members = new Map<string, Item | InnerList>()
    if (this.isAtEnd()) return members
    do {
      const key = this.readNewKey(members)
      members.set(key, this.take(/=/y) === undefined ? this.readImpliedTrue() : this.readMember())
    } while (this.take(/[ \t]*,[ \t]*/y) !== undefined)
    return members
  }

  readItem(): Item {
    return { kind: 'item', value: this.readBareItem(), params: this.readParameters() }
  }

  private readMember(): Item | InnerList {
    return this.take(/\(/y) === undefined ? this.readItem() : this.readInnerList()
  }

  private readImpliedTrue(): Item {
    return { kind: 'item', value: { kind: 'boolean', value: true }, params: this.readParameters() }
  }

  /** After the opening parenthesis. */
  private readInnerList(): InnerList {
    const items: Item[] = []
    let separated = true
    this.take(/ */y)
    while (this.take(/\)/y) === undefined) {
      if (!separated) throw new FormatError('inner list without a space between items')
      items.push(this.readItem())
      separated = this.take(/ +/y) !== undefined
    }
    return { kind: 'inner-list', items, params: this.readParameters() }
  }

  private readParameters(): Parameters {
    const params = new Map<string, BareItem>()
    while (this.take(/; */y) !== undefined) {
      const key = this.readNewKey(params)
      params.set(key, this.take(/=/y) === undefined ? { kind: 'boolean', value: true } : this.readBareItem())
    }
    return params
  }

  /** In the RFC, the last of equal keys wins. Parsers that differ in this would read different messages. */
  private readNewKey(known: ReadonlyMap<string, unknown>): string {
    const key = this.take(/[a-z*][a-z0-9_.*-]*/y)
    if (key === undefined) throw new FormatError('not a key')
    if (known.has(key)) throw new FormatError('key repeated')
    return key
  }

  private readBareItem(): BareItem {
    const integer = this.take(/-?[0-9]+/y)
    if (integer !== undefined) return this.integerOf(integer)
    const string = this.take(/"[\x20\x21\x23-\x5b\x5d-\x7e]*(?:\\["\\][\x20\x21\x23-\x5b\x5d-\x7e]*)*"/y)
    if (string !== undefined) return { kind: 'string', value: string.slice(1, -1).replace(/\\(.)/g, '$1') }
    const token = this.take(/[A-Za-z*][!#$%&'*+.^_`|~0-9A-Za-z:/-]*/y)
    if (token !== undefined) return { kind: 'token', value: token }
    const bytes = this.take(/:[A-Za-z0-9+/=]*:/y)
    if (bytes !== undefined) return { kind: 'bytes', value: decodeBase64(bytes.slice(1, -1)) }
    const boolean = this.take(/\?[01]/y)
    if (boolean !== undefined) return { kind: 'boolean', value: boolean === '?1' }
    throw new FormatError('not a bare item of a supported type')
  }

  private integerOf(digits: string): BareItem {
    if (digits.replace('-', '').length > 15) throw new FormatError('integer of more than 15 digits')
    if (this.take(/\./y) !== undefined) throw new FormatError('decimals are not supported')
    // Adding zero turns -0 into 0, as it is serialized.
    return { kind: 'integer', value: Number(digits) + 0 }
  }
}
