import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FormatError } from '../../../crypto/errors.ts'
import { decodeUtf8, encodeAscii, encodeUtf8 } from '../../../crypto/text.ts'
import type { AuditLeaf } from '../../../crypto/tlog/audit-leaf.ts'
import {
  commitment,
  encodeGroup,
  encodeLeaf,
  groupLabels,
  leafKinds,
  leafResults,
  maxGroupLength,
  maxLeafLength,
  parseGroup,
  parseLeaf,
  verifyCommitment,
} from '../../../crypto/tlog/audit-leaf.ts'
import { sodiumPrimitives as primitives } from '../../../service/keys/sodium-primitives.ts'
import { fullLeaf as full, plainLeaf as plain } from '../../conformance/vectors/make/refused-texts.ts'
import { reasonOf } from './code-of.ts'
import { fixed, flipped } from './fixed-inputs.ts'
import { sha256 } from './plain-tree.ts'

const textOf = (leaf: AuditLeaf) => decodeUtf8(encodeLeaf(leaf))

const hash = fc.uint8Array({ minLength: 32, maxLength: 32 })
const memberName = fc.stringMatching(/^[a-z][a-z0-9_]{0,39}$/)
const fact = fc.oneof(
  fc.string({
    unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)),
    maxLength: 40,
  }),
  fc.maxSafeInteger(),
)
const hex = (length: number) => fc.stringMatching(new RegExp(`^[0-9a-f]{${length}}$`))
const uuid = fc
  .tuple(hex(8), hex(4), hex(3), fc.constantFrom('8', '9', 'a', 'b'), hex(3), hex(12))
  .map(([a, b, c, variant, d, e]) => `${a}-${b}-7${c}-${variant}${d}-${e}`)
const anyLeaf = fc.record(
  {
    id: uuid,
    kind: fc.constantFrom(...leafKinds),
    result: fc.constantFrom(...leafResults),
    retention: fc.stringMatching(/^[1-9][0-9]{0,3}[dy]$/),
    at: fc.maxSafeNat(),
    app: fc.stringMatching(/^[A-Za-z0-9_-]{2,64}$/),
    commitments: fc.dictionary(fc.constantFrom(...groupLabels), hash, { minKeys: 1, noNullPrototype: true }),
    facts: fc.dictionary(memberName, fact, { minKeys: 1, maxKeys: 8, noNullPrototype: true }),
  },
  { requiredKeys: ['id', 'kind', 'result', 'retention', 'at'] },
)

it('a leaf is canonical JSON of RFC 8785', () => {
  expect(textOf(plain)).toBe(`{"id":"${plain.id}","k":"request","r":"ok","rc":"1y","ts":1764000000123,"v":1}`)
  const b64 = (name: string) => Buffer.from(fixed(name)).toString('base64')
  expect(textOf(full)).toBe(
    `{"app":"wx0123456789abcdef","c":{"core":"${b64('core')}","net":"${b64('net')}","pay":"${b64('pay')}","sig":"${b64('sig')}","sub":"${b64('sub')}"},"id":"${plain.id}","k":"request","r":"ok","rc":"1y","ts":1764000000123,"v":1,"x":{"from":1,"n":17,"to":3}}`,
  )
})

it('a leaf decodes to the encoded value', () => {
  fc.assert(
    fc.property(anyLeaf, (leaf) => {
      const bytes = encodeLeaf(leaf)
      expect(parseLeaf(bytes)).toEqual(leaf)
      expect(bytes.every((byte) => byte >= 0x20 && byte < 0x7f)).toBe(true)
    }),
  )
})

it('a leaf has the member order of RFC 8785', () => {
  fc.assert(
    fc.property(anyLeaf, (leaf) => {
      const parsed: unknown = JSON.parse(textOf(leaf))
      expect(textOf(leaf)).toBe(sorted(parsed))
    }),
  )
})

it('a leaf with any bit flipped is refused or is another leaf', () => {
  const bytes = encodeLeaf(full)
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const changed = flipped(bytes, Math.floor(bit / 8), bit % 8)
    let leaf: AuditLeaf | undefined
    try {
      leaf = parseLeaf(changed)
    } catch (error) {
      expect(error, `bit ${bit}`).toBeInstanceOf(FormatError)
    }
    if (leaf === undefined) continue
    expect(encodeLeaf(leaf)).toEqual(changed)
    expect(leaf).not.toEqual(full)
  }
})

it('a leaf that is not ASCII is refused', () => {
  expect(() => parseLeaf(encodeUtf8(textOf(full).replace('"n":17', '"n":"\u5348"')))).toThrow(FormatError)
})

it('a leaf has at most 2048 bytes', () => {
  const facts = (last: number) => ({
    ...Object.fromEntries(Array.from({ length: 7 }, (_, i) => [`a${i}`, 'x'.repeat(250)])),
    z: 'y'.repeat(last),
  })
  const size = encodeLeaf({ ...plain, facts: facts(0) }).length
  const longest = encodeLeaf({ ...plain, facts: facts(maxLeafLength - size) })
  expect(longest).toHaveLength(maxLeafLength)
  expect(parseLeaf(longest).facts?.z).toHaveLength(maxLeafLength - size)
  expect(() => encodeLeaf({ ...plain, facts: facts(maxLeafLength - size + 1) })).toThrow(FormatError)
  expect(() => parseLeaf(Uint8Array.of(...longest, 0x20))).toThrow(FormatError)
})

it('a leaf has at most 16 facts', () => {
  const facts = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`f${i}`, i]))
  expect(parseLeaf(encodeLeaf({ ...plain, facts: facts(16) })).facts).toEqual(facts(16))
  expect(() => encodeLeaf({ ...plain, facts: facts(17) })).toThrow(FormatError)
})

it.each<[string, Partial<AuditLeaf>]>([
  ['a time before 1970', { at: -1 }],
  ['half a time', { at: 0.5 }],
  ['a label that there is not', { commitments: { sub: fixed('c'), other: fixed('c') } as never }],
  ['no commitment', { commitments: { sub: undefined } as never }],
  ['a commitment of 31 bytes', { commitments: { sub: new Uint8Array(31) } }],
])('a leaf is not encoded with %s', (_title, part) =>
  expect(() => encodeLeaf({ ...plain, ...part })).toThrow(FormatError),
)

it('a leaf may have the time 0', () => {
  expect(encodeLeaf({ ...plain, at: 0 }).length).toBeGreaterThan(0)
})

/** RFC 8785 for what occurs in a leaf, written another way than the code under test. */
function sorted(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${sorted(member)}`).join(',')}}`
}

describe('a group', () => {
  const anyGroup = fc.dictionary(
    memberName,
    fc.oneof(fc.string({ unit: 'binary', maxLength: 40 }), fc.maxSafeInteger()),
    { noNullPrototype: true },
  )

  it('a group decodes to the encoded value and has the member order of RFC 8785', () => {
    fc.assert(
      fc.property(anyGroup, (group) => {
        expect(parseGroup(encodeGroup(group))).toEqual(group)
        expect(decodeUtf8(encodeGroup(group))).toBe(sorted(group))
      }),
    )
  })

  it('a group keeps any text unchanged', () => {
    const group = { agent: '\u5348 \u{1f600} "q" \\ \b\n \u2028 \u007f \u0000' }
    expect(decodeUtf8(encodeGroup(group))).toBe(
      '{"agent":"\u5348 \u{1f600} \\"q\\" \\\\ \\b\\n \u2028 \u007f \\u0000"}',
    )
    expect(parseGroup(encodeGroup(group))).toEqual(group)
  })

  it('a group with a lone surrogate is not encoded', () => {
    expect(() => encodeGroup({ a: 'x\ud800' })).toThrow(FormatError)
  })

  it('a group has at most 65536 bytes', () => {
    const overhead = encodeGroup({ a: '' }).length
    const longest = encodeGroup({ a: 'x'.repeat(maxGroupLength - overhead) })
    expect(parseGroup(longest).a).toHaveLength(maxGroupLength - overhead)
    expect(() => encodeGroup({ a: 'x'.repeat(maxGroupLength - overhead + 1) })).toThrow(FormatError)
    expect(() => parseGroup(Uint8Array.of(...longest, 0x20))).toThrow(FormatError)
  })
})

describe('a commitment', () => {
  const salt = fixed('salt')
  const value = encodeGroup({ method: 'GET', path: '/wallet' })
  const leaf: AuditLeaf = { ...plain, commitments: { core: commitment(primitives, 'core', salt, value) } }

  it('a commitment is SHA-256 of label, salt and value', () => {
    expect(commitment(primitives, 'core', salt, value)).toEqual(
      sha256(encodeAscii('miniseal-audit/1\ncore\n'), salt, value),
    )
  })

  it('a commitment does not open with another value, salt or label', () => {
    const judge = (...[label, key, bytes]: [(typeof groupLabels)[number], Uint8Array, Uint8Array]) =>
      reasonOf(() => verifyCommitment(primitives, leaf, label, key, bytes))
    for (let bit = 0; bit < value.length * 8; bit++)
      expect(judge('core', salt, flipped(value, Math.floor(bit / 8), bit % 8))).toBe('commitment_wrong')
    for (let bit = 0; bit < 256; bit++)
      expect(judge('core', flipped(salt, Math.floor(bit / 8), bit % 8), value)).toBe('commitment_wrong')
    expect(judge('net', salt, value)).toBe('commitment_wrong')
    const moved = { ...plain, commitments: { net: leaf.commitments?.core ?? salt } }
    expect(reasonOf(() => verifyCommitment(primitives, moved, 'net', salt, value))).toBe('commitment_wrong')
  })

  it('a commitment does not open when bytes move between salt and value', () => {
    const longer = Uint8Array.of(...salt.slice(31), ...value)
    expect(reasonOf(() => verifyCommitment(primitives, leaf, 'core', salt.slice(0, 31), longer))).toBe(
      'commitment_wrong',
    )
  })

  it('a commitment is not made with a salt of another length', () => {
    expect(() => commitment(primitives, 'core', salt.slice(1), value)).toThrow(FormatError)
  })
})
