/** Every ASCII character at every position of the grammar (RFC 8941, section 3). */
import * as judge from 'structured-headers'
import { expect, it } from 'vitest'
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
  /** The field with a character at this position. */
  readonly field: (character: string) => string
  /** The allowed characters. */
  readonly allowed: string
  /** Other accepted characters: they change the structure of the field. */
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

it.each(Object.entries(places))(
  'the parser accepts the allowed characters %s and no others',
  (_name, place) => {
    const { field, allowed, otherwise = '', read } = place
    for (const character of ascii) {
      const text = field(character)
      const rewrite = (): string =>
        read === 'item' ? serializeItem(parseItem(text)) : serializeDictionary(parseDictionary(text))
      if (!`${allowed}${otherwise}`.includes(character)) {
        expect(rewrite, JSON.stringify(character)).toThrow(FormatError)
        continue
      }
      const judged =
        read === 'item'
          ? judge.serializeItem(judge.parseItem(text))
          : judge.serializeDictionary(judge.parseDictionary(text))
      expect(rewrite(), JSON.stringify(character)).toBe(judged)
    }
  },
)

it('parseItem accepts integers of 1 to 15 digits', () => {
  for (let size = 1; size <= 20; size++) {
    for (const text of ['7'.repeat(size), `-${'7'.repeat(size)}`]) {
      if (size > 15) expect(() => parseItem(text)).toThrow(FormatError)
      else expect(parseItem(text).value).toEqual({ kind: 'integer', value: Number(text) })
    }
    if (size <= 15) expect(serializeItem(parseItem('1'.padStart(size, '0')))).toBe('1')
  }
})

it.each(['', '-', '--1', '+1', '1-', '1.0', '1.', '.1', '-.1', '0x1', '1e1', '- 1', '1 1'])(
  'parseItem refuses %j',
  (text) => {
    expect(() => parseItem(text)).toThrow(FormatError)
  },
)
