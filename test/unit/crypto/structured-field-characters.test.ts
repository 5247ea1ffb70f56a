/** Every ASCII character at every place of the grammar (RFC 8941, section 3), as the working group's generated tests have it. */
import * as judge from 'structured-headers'
import { describe, expect, it } from 'vitest'
import { FormatError } from '../../../crypto/errors.ts'
import {
  parseDictionary,
  parseItem,
  serializeDictionary,
  serializeItem,
} from '../../../crypto/http-signatures/structured-fields.ts'

const ascii = Array.from({ length: 128 }, (_, code) => String.fromCharCode(code))
const lower = 'abcdefghijklmnopqrstuvwxyz'
const upper = lower.toUpperCase()
const digits = '0123456789'

interface Place {
  /** The field with a character at this place. */
  readonly field: (character: string) => string
  /** What may stand there. */
  readonly allowed: string
  /** What else is accepted there, because the field then means something else. */
  readonly otherwise?: string
  readonly read?: 'item'
}

const places: Readonly<Record<string, Place>> = {
  'first in a key': { field: (c) => `${c}a=1`, allowed: `${lower}*`, otherwise: ' ' },
  'within a key': { field: (c) => `a${c}b=1`, allowed: `${lower}${digits}_-.*`, otherwise: ',;' },
  'first in the key of a parameter': { field: (c) => `x;${c}a=1`, allowed: `${lower}*`, otherwise: ' ' },
  'within the key of a parameter': {
    field: (c) => `x;a${c}b=1`,
    allowed: `${lower}${digits}_-.*`,
    otherwise: ',;',
  },
  'first in a token': { field: (c) => `${c}`, allowed: `${lower}${upper}*`, otherwise: digits, read: 'item' },
  'within a token': {
    field: (c) => `a${c}b`,
    allowed: `${lower}${upper}${digits}!#$%&'*+-.^_\`|~:/`,
    otherwise: ';',
    read: 'item',
  },
  'in a string': {
    field: (c) => `"${c}"`,
    allowed: ascii
      .slice(0x20, 0x7f)
      .filter((c) => !'"\\'.includes(c))
      .join(''),
    read: 'item',
  },
  'escaped in a string': { field: (c) => `"\\${c}"`, allowed: '"\\', read: 'item' },
  'in a byte sequence': { field: (c) => `:${c}AAA:`, allowed: `${lower}${upper}${digits}+/`, read: 'item' },
  'in a number': { field: (c) => `1${c}1`, allowed: digits, otherwise: '', read: 'item' },
  'before a number': {
    field: (c) => `${c}1`,
    allowed: `-${digits}`,
    otherwise: ` *?${lower}${upper}`,
    read: 'item',
  },
  'as a boolean': { field: (c) => `?${c}`, allowed: '01', read: 'item' },
  'between the items of a list': { field: (c) => `a=(1${c}2)`, allowed: ' ', otherwise: digits },
  'between members': { field: (c) => `a=1${c}b=2`, allowed: ',', otherwise: ';' },
  'after a comma': { field: (c) => `a,${c}b`, allowed: ` \t${lower}*` },
  'at the end': { field: (c) => `a=1${c}`, allowed: ' ', otherwise: digits },
}

describe.each(Object.entries(places))('%s', (_name, { field, allowed, otherwise = '', read }) => {
  const rewrite = (text: string): string =>
    read === 'item' ? serializeItem(parseItem(text)) : serializeDictionary(parseDictionary(text))
  const judged = (text: string): string =>
    read === 'item'
      ? judge.serializeItem(judge.parseItem(text))
      : judge.serializeDictionary(judge.parseDictionary(text))

  it.each(ascii.map((character) => [JSON.stringify(character), character]))(
    '%s',
    (_shown, character = '') => {
      const text = field(character)
      if (`${allowed}${otherwise}`.includes(character)) expect(rewrite(text)).toBe(judged(text))
      else expect(() => rewrite(text)).toThrow(FormatError)
    },
  )
})

describe('integers', () => {
  const sizes = Array.from({ length: 20 }, (_, index) => index + 1)

  it.each(sizes.flatMap((size) => ['', '-'].map((sign) => [`${sign}${'7'.repeat(size)}`, size] as const)))(
    '%s',
    (text, size) => {
      if (size > 15) expect(() => parseItem(text)).toThrow(FormatError)
      else expect(parseItem(text).value).toEqual({ kind: 'integer', value: Number(text) })
    },
  )

  it.each(sizes.filter((size) => size <= 15))('%i digits, the first of them zeros', (size) => {
    expect(serializeItem(parseItem('1'.padStart(size, '0')))).toBe('1')
  })

  it.each(['', '-', '--1', '+1', '1-', '1.0', '1.', '.1', '-.1', '0x1', '1e1', '- 1', '1 1'])(
    '%j is none',
    (text) => {
      expect(() => parseItem(text)).toThrow(FormatError)
    },
  )
})
