import fc from 'fast-check'
import * as judge from 'structured-headers'
import { expect, it } from 'vitest'
import { FormatError } from '../../../crypto/errors.ts'
import {
  type BareItem,
  type Dictionary,
  type InnerList,
  type Item,
  parseDictionary,
  parseItem,
  serializeBareItem,
  serializeDictionary,
  serializeInnerList,
  serializeItem,
} from '../../../crypto/http-signatures/structured-fields.ts'

const printable = Array.from({ length: 0x5f }, (_, i) => String.fromCharCode(0x20 + i))
const key = fc
  .tuple(fc.constantFrom(...'az*'), fc.string({ unit: fc.constantFrom(...'az09_-.*'), maxLength: 6 }))
  .map((parts) => parts.join(''))
const token = fc
  .tuple(
    fc.constantFrom(...'aZ*'),
    fc.string({ unit: fc.constantFrom(..."aZ09!#$%&'*+-.^_`|~:/"), maxLength: 8 }),
  )
  .map((parts) => parts.join(''))
const bareItem: fc.Arbitrary<BareItem> = fc.oneof(
  fc.record({
    kind: fc.constant('integer' as const),
    value: fc.integer({ min: -999999999999999, max: 999999999999999 }),
  }),
  fc.record({
    kind: fc.constant('string' as const),
    value: fc.string({ unit: fc.constantFrom(...printable), maxLength: 20 }),
  }),
  fc.record({ kind: fc.constant('token' as const), value: token }),
  fc.record({ kind: fc.constant('bytes' as const), value: fc.uint8Array({ maxLength: 20 }) }),
  fc.record({ kind: fc.constant('boolean' as const), value: fc.boolean() }),
)
const params = fc.array(fc.tuple(key, bareItem), { maxLength: 3 }).map((entries) => new Map(entries))
const item: fc.Arbitrary<Item> = fc.record({ kind: fc.constant('item' as const), value: bareItem, params })
const innerList: fc.Arbitrary<InnerList> = fc.record({
  kind: fc.constant('inner-list' as const),
  items: fc.array(item, { maxLength: 4 }),
  params,
})
const dictionary = fc
  .array(fc.tuple(key, fc.oneof(item, innerList)), { maxLength: 4 })
  .map((entries) => new Map<string, Item | InnerList>(entries))

function judgedBare(bare: BareItem): judge.BareItem {
  return bare.kind === 'token' ? new judge.Token(bare.value) : bare.value
}

function judgedParams(map: ReadonlyMap<string, BareItem>): judge.Parameters {
  return new Map([...map].map(([name, value]) => [name, judgedBare(value)]))
}

function judgedItem(one: Item): judge.Item {
  return [judgedBare(one.value), judgedParams(one.params)]
}

function judgedMember(member: Item | InnerList): judge.Item | judge.InnerList {
  return member.kind === 'item'
    ? judgedItem(member)
    : [member.items.map(judgedItem), judgedParams(member.params)]
}

function judgedDictionary(map: Dictionary): judge.Dictionary {
  return new Map([...map].map(([name, member]) => [name, judgedMember(member)]))
}

it('structured-headers serializes every dictionary to the same text, which parses back', () => {
  fc.assert(
    fc.property(dictionary, (value) => {
      const text = serializeDictionary(value)
      expect(text).toBe(judge.serializeDictionary(judgedDictionary(value)))
      expect(parseDictionary(text)).toEqual(value)
    }),
  )
})

it('structured-headers serializes every item to the same text, which parses back', () => {
  fc.assert(
    fc.property(item, (value) => {
      const text = serializeItem(value)
      expect(text).toBe(judge.serializeItem(judgedItem(value)))
      expect(parseItem(text)).toEqual(value)
    }),
  )
})

it('structured-headers accepts every accepted dictionary, with the same meaning', () => {
  const pieces = [
    'a',
    'b*',
    '=',
    '1',
    '-',
    '00',
    '"x"',
    '"',
    '\\',
    ':YQ==:',
    ':',
    '?1',
    '?0',
    '(',
    ')',
    ' ',
    '\t',
    ';',
    ',',
    ', ',
    ';k',
    '=t',
    'é',
  ]
  const text = fc.array(fc.constantFrom(...pieces), { maxLength: 12 }).map((parts) => parts.join(''))
  let accepted = 0
  fc.assert(
    fc.property(text, (field) => {
      let parsed: Dictionary
      try {
        parsed = parseDictionary(field)
      } catch (error) {
        expect(error).toBeInstanceOf(FormatError)
        return
      }
      accepted++
      expect(serializeDictionary(parsed)).toBe(judge.serializeDictionary(judge.parseDictionary(field)))
    }),
    { numRuns: 20000 },
  )
  expect(accepted).toBeGreaterThan(500)
})

it('parseDictionary reads a signature input', () => {
  const text = 'sig=("@method" "signature";req;key="sig" );created=1618884473;nonce="a\\"\\\\b";x;y=?0'
  const list = parseDictionary(text).get('sig')
  expect(list).toEqual({
    kind: 'inner-list',
    items: [
      { kind: 'item', value: { kind: 'string', value: '@method' }, params: new Map() },
      {
        kind: 'item',
        value: { kind: 'string', value: 'signature' },
        params: new Map<string, BareItem>([
          ['req', { kind: 'boolean', value: true }],
          ['key', { kind: 'string', value: 'sig' }],
        ]),
      },
    ],
    params: new Map<string, BareItem>([
      ['created', { kind: 'integer', value: 1618884473 }],
      ['nonce', { kind: 'string', value: 'a"\\b' }],
      ['x', { kind: 'boolean', value: true }],
      ['y', { kind: 'boolean', value: false }],
    ]),
  })
})

it('parseDictionary drops only insignificant characters', () => {
  const text = '  a=007 ,\tb;  x ,c=(  1   2 ) , d=?1;y=-0  '
  expect(serializeDictionary(parseDictionary(text))).toBe('a=7, b;x, c=(1 2), d;y=0')
})

it('parseDictionary reads minus zero as zero', () => {
  expect(parseItem('-0').value).toEqual({ kind: 'integer', value: 0 })
})

it('parseDictionary reads the empty field as no members', () => {
  expect(parseDictionary('').size).toBe(0)
  expect(parseDictionary('   ').size).toBe(0)
})

it.each([
  ['a repeated member, where the RFC lets the last one win', 'a=1, b, a=1', 'key repeated'],
  ['a repeated parameter', 'a;x=1;x=1', 'key repeated'],
  ['a repeated parameter of an inner item', 'a=("b";req;req)', 'key repeated'],
  ['an upper-case key', 'A=1', 'not a key'],
  ['a trailing comma', 'a=1,', 'not a key'],
  ['a missing member', 'a=1,,b', 'not a key'],
  ['a missing key', '=1', 'not a key'],
  ['a missing comma', 'a=1 b=2', 'structured field with trailing characters'],
  ['a missing value', 'a=', 'not a bare item of a supported type'],
  ['white space before the value', 'a= 1', 'not a bare item of a supported type'],
  ['a leading tab', '\ta=1', 'not a key'],
  ['a decimal', 'a=1.5', 'decimals are not supported'],
  ['an integer of 16 digits', 'a=1000000000000000', 'integer of more than 15 digits'],
  ['a date', 'a=@1659578233', 'not a bare item of a supported type'],
  ['a display string', 'a=%"x"', 'not a bare item of a supported type'],
  ['an unfinished string', 'a="x', 'not a bare item of a supported type'],
  ['an unknown escape', 'a="\\n"', 'not a bare item of a supported type'],
  ['a control character in a string', 'a="\x1f"', 'not a bare item of a supported type'],
  ['a character above ascii in a string', 'a="é"', 'not a bare item of a supported type'],
  ['an unknown boolean', 'a=?2', 'not a bare item of a supported type'],
  ['base64 without padding', 'a=:YQ:', 'base64 without padding'],
  ['base64 with trailing bits', 'a=:YR==:', 'base64 with trailing bits'],
  ['base64url', 'a=:-_-_:', 'not a bare item of a supported type'],
  ['an unfinished byte sequence', 'a=:YQ==', 'not a bare item of a supported type'],
  ['an unfinished inner list', 'a=("b"', 'inner list without a space between items'],
  ['inner items without a space', 'a=("b""c")', 'inner list without a space between items'],
  ['inner items with a tab', 'a=("b"\t"c")', 'inner list without a space between items'],
  ['a nested inner list', 'a=(("b"))', 'not a bare item of a supported type'],
  ['a line break', 'a=1\n', 'structured field with trailing characters'],
  ['text over 16384 characters', `a="${'x'.repeat(16384)}"`, 'structured field too long'],
])('parseDictionary refuses %s', (_title, text, reason) => {
  expect(() => parseDictionary(text)).toThrow(new FormatError(reason))
})

it('parseDictionary reads text of 16384 characters', () => {
  const text = `a="${'x'.repeat(16380)}"`
  expect(text).toHaveLength(16384)
  expect(serializeDictionary(parseDictionary(text))).toBe(text)
})

it('parseDictionary parses hostile text of full length in linear time', () => {
  const hostile = ['a="', '\\"', ':', '(', ' ', ';', '1', 'a'].map(
    (unit) => `a=${unit.repeat(16000 / unit.length)}`,
  )
  // Of this process alone: others may keep it waiting.
  const start = process.cpuUsage()
  for (const text of hostile) {
    try {
      parseDictionary(text)
    } catch (error) {
      expect(error).toBeInstanceOf(FormatError)
    }
  }
  const { user, system } = process.cpuUsage(start)
  expect(user + system).toBeLessThan(1_000_000)
})

it('parseItem reads one item with its parameters', () => {
  expect(serializeItem(parseItem(' "8e03978e-40d5";a=tok/en:1 '))).toBe('"8e03978e-40d5";a=tok/en:1')
})

it.each(['', '1, 2', '(1)', '1;', '1 ;a', '--1', '-'])('parseItem refuses %j', (text) => {
  expect(() => parseItem(text)).toThrow(FormatError)
})

it('serializeInnerList serializes an inner list', () => {
  const items = [parseItem('"@status"'), parseItem('"@method";req')]
  expect(serializeInnerList({ kind: 'inner-list', items, params: new Map() })).toBe(
    '("@status" "@method";req)',
  )
})

it.each<[string, BareItem]>([
  ['an integer of 16 digits', { kind: 'integer', value: 1e15 }],
  ['a fraction', { kind: 'integer', value: 0.5 }],
  ['no number', { kind: 'integer', value: Number.NaN }],
  ['a line break in a string', { kind: 'string', value: 'a\nb' }],
  ['a character above ascii in a string', { kind: 'string', value: 'é' }],
  ['an empty token', { kind: 'token', value: '' }],
  ['a token with a space', { kind: 'token', value: 'a b' }],
])('serializers refuse %s', (_title, value) => {
  expect(() => serializeBareItem(value)).toThrow(FormatError)
})

it('serializers write the greatest integers', () => {
  for (const text of ['999999999999999', '-999999999999999'])
    expect(serializeBareItem({ kind: 'integer', value: Number(text) })).toBe(text)
})

it('serializers refuse an invalid key', () => {
  for (const name of ['', 'A', 'a=b', '1', 'a b']) {
    expect(() => serializeDictionary(new Map([[name, parseItem('1')]]))).toThrow(new FormatError('not a key'))
    const params = new Map<string, BareItem>([[name, { kind: 'integer', value: 1 }]])
    expect(() => serializeItem({ ...parseItem('1'), params })).toThrow(new FormatError('not a key'))
  }
})
