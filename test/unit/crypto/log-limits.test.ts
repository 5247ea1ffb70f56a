/** What the writers of the log's formats refuse to write, and how long each form may be. */
import { describe, expect, it } from 'vitest'
import { FormatError } from '../../../crypto/errors.ts'
import type { AuditLeaf } from '../../../crypto/tlog/audit-leaf.ts'
import { encodeLeaf } from '../../../crypto/tlog/audit-leaf.ts'
import { emptyRoot, verifyConsistency, verifyInclusion } from '../../../crypto/tlog/merkle.ts'
import type { NoteSignature } from '../../../crypto/tlog/signed-note.ts'
import {
  encodeNote,
  encodeSignatureLine,
  encodeVerifierKey,
  parseNote,
  parseVerifierKey,
} from '../../../crypto/tlog/signed-note.ts'
import { encodeBundle, nodeInTile, parseBundle, tilePath } from '../../../crypto/tlog/tiles.ts'
import { encodePolicy, parsePolicy } from '../../../crypto/tlog/tlog-policy.ts'
import { encodeTlogProof, parseTlogProof } from '../../../crypto/tlog/tlog-proof.ts'
import { growTree } from '../../../crypto/tlog/tree-growth.ts'
import { sodiumPrimitives as primitives } from '../../../service/keys/sodium-primitives.ts'
import { fixed } from './fixed-inputs.ts'
import { proofOf } from './fixed-log.ts'
import { logKey, witness } from './note-inputs.ts'
import { reasonOf } from './reason-of.ts'
import { plainLeaf } from './refused-leaves.ts'

const signature: NoteSignature = { name: 'a', keyId: new Uint8Array(4), signature: new Uint8Array(64) }
const malformed = (run: () => unknown) => expect(run).toThrow(FormatError)

describe('a note', () => {
  const lineLength = encodeSignatureLine(signature).length
  const noteOf = (length: number) => ({
    text: `${'x'.repeat(length - lineLength - 2)}\n`,
    signatures: [signature],
  })

  it('has at most 131072 characters', () => {
    const longest = encodeNote(noteOf(131_072))
    expect(longest).toHaveLength(131_072)
    expect(parseNote(longest)).toEqual(noteOf(131_072))
    expect(() => encodeNote(noteOf(131_073))).toThrow(new FormatError('the note is too long'))
    expect(() => parseNote(`x${longest}`)).toThrow(new FormatError('the note is too long'))
  })

  it('has at most 64 signatures', () => {
    const many = (count: number) => ({
      text: 'x\n',
      signatures: new Array<NoteSignature>(count).fill(signature),
    })
    expect(parseNote(encodeNote(many(64)))).toEqual(many(64))
    malformed(() => encodeNote(many(65)))
  })

  it.each([
    ['a key id of 3 bytes', { keyId: new Uint8Array(3) }],
    ['a key id of 5 bytes', { keyId: new Uint8Array(5) }],
    ['no signature', { signature: new Uint8Array(0) }],
  ])('is not signed with %s', (_title, part) =>
    malformed(() => encodeSignatureLine({ ...signature, ...part })),
  )

  it('has keys of 32 bytes', () => {
    for (const length of [31, 33]) {
      malformed(() => encodeVerifierKey(primitives, { ...logKey, publicKey: new Uint8Array(length) }))
    }
    const key = encodeVerifierKey(primitives, logKey)
    for (const text of [`+${key}`, `${key}A`, `${key}=`, '', key.replace(/\+[0-9a-f]{8}/, '')])
      malformed(() => parseVerifierKey(primitives, text))
  })
})

describe('a proof', () => {
  it('has at most 63 hashes and 262144 characters, both ways', () => {
    const hash = fixed('hash')
    const of = (hashes: number, extra = 1) => ({
      ...proofOf(5),
      hashes: new Array<Uint8Array>(hashes).fill(hash),
      extra: new Uint8Array(extra),
    })
    expect(parseTlogProof(encodeTlogProof(of(63)))).toEqual(of(63))
    malformed(() => encodeTlogProof(of(64)))
    const room = 262_144 - encodeTlogProof(of(1, 3)).length
    const extra = 3 + Math.floor(room / 4) * 3
    const longest = encodeTlogProof(of(1, extra))
    expect(parseTlogProof(longest)).toEqual(of(1, extra))
    expect(() => encodeTlogProof(of(1, extra + 3))).toThrow(new FormatError('the proof is too long'))
    expect(() => parseTlogProof(longest.padEnd(262_145, '\n'))).toThrow(
      new FormatError('the proof is too long'),
    )
  })

  it('has an index that is not negative', () =>
    malformed(() => encodeTlogProof({ ...proofOf(5), index: -1 })))
})

describe('a policy', () => {
  const parse = (text: string) => parsePolicy(primitives, text)
  const lineOf = (name: string) => `witness ${name} ${encodeVerifierKey(primitives, witness(name).key)}\n`
  const two = `${lineOf('X1')}${lineOf('X2')}`

  it('is written with all and any where that is what its numbers say', () => {
    const text = `${two}group A 2 X1\tX2\ngroup B 1 A\nquorum B\n`
    const plain = encodePolicy(primitives, parse(text))
    expect(plain).toBe(`${two}group A all X1 X2\ngroup B all A\nquorum B\n`)
    const any = encodePolicy(primitives, parse(`${two}group A 1 X1 X2\nquorum none\n`))
    expect(any).toBe(`${two}group A any X1 X2\nquorum none\n`)
  })

  it('may ask for ten of twelve', () => {
    const names = Array.from({ length: 12 }, (_, i) => `w${i}`)
    const { groups } = parse(`${names.map(lineOf).join('')}group A 10 ${names.join(' ')}\nquorum A\n`)
    expect(groups).toEqual([{ name: 'A', threshold: 10, members: names }])
  })

  it.each(['a\tb', 'a ', '\na', 'a b c'])('has no word %j', (name) =>
    malformed(() =>
      encodePolicy(primitives, { ...parse('quorum none\n'), witnesses: [{ name, key: witness('X1').key }] }),
    ),
  )

  it('may have comments that begin with their first word', () => {
    expect(parse('#all of this\n# and this#\nquorum none\n')).toEqual(parse('quorum none\n'))
    malformed(() => parse('quorum# none\n'))
  })

  it.each([
    ['a witness with a word more', `${two.trim()} https://x.example y\nquorum none\n`],
    ['a group of all without members', `${two}group A all\nquorum none\n`],
    ['a rule with a word after its number', `${two}group A 1x X1 X2\nquorum none\n`],
    ['a rule of letters', `${two}group A 1xx X1 X2\nquorum none\n`],
    ['a group without a rule', `${two}group A\nquorum none\n`],
    ['a quorum without a name', `${two}quorum\n`],
  ])('with %s is refused', (_title, text) => malformed(() => parse(text)))

  it('has at most 65536 characters', () => {
    const text = 'quorum none\n'
    expect(parse(`#${'x'.repeat(65_536 - text.length - 2)}\n${text}`).quorum).toBeUndefined()
    malformed(() => parse(`#${'x'.repeat(65_536 - text.length - 1)}\n${text}`))
  })
})

describe('a leaf', () => {
  it.each<[string, Partial<AuditLeaf>]>([
    ['a time before 1970', { at: -1 }],
    ['half a time', { at: 0.5 }],
    ['a label that there is not', { commitments: { sub: fixed('c'), other: fixed('c') } as never }],
    ['no commitment', { commitments: { sub: undefined } as never }],
    ['a commitment of 31 bytes', { commitments: { sub: new Uint8Array(31) } }],
  ])('is not written with %s', (_title, part) => malformed(() => encodeLeaf({ ...plainLeaf, ...part })))

  it('may be of 1970', () => {
    expect(encodeLeaf({ ...plainLeaf, at: 0 }).length).toBeGreaterThan(0)
  })
})

describe('tiles', () => {
  it('have no level below 0, and bundles no more than 256 entries', () => {
    malformed(() => tilePath({ kind: 'hashes', level: -1, index: 0, width: 256 }))
    const entries = (count: number) => new Array<Uint8Array>(count).fill(Uint8Array.of(1))
    expect(parseBundle(encodeBundle(entries(256)), 256)).toHaveLength(256)
    malformed(() => encodeBundle(entries(257)))
    malformed(() => parseBundle(encodeBundle(entries(3)), 2))
  })

  it('give no node that they do not reach', () => {
    const tile = new Uint8Array(3 * 32)
    const spot = (from: number, count: number) => ({ level: 0, index: 0, from, count })
    expect(nodeInTile(primitives, spot(2, 1), tile)).toHaveLength(32)
    for (const [from, count] of [
      [3, 1],
      [2, 2],
    ] as const)
      expect(() => nodeInTile(primitives, spot(from, count), tile)).toThrow(
        new FormatError('the tile is too short'),
      )
  })
})

describe('a tree', () => {
  it('gives a copy of its edge', () => {
    const tree = growTree(primitives)
    tree.append(fixed('leaf'))
    const { edge } = tree
    tree.append(fixed('another leaf'))
    expect(edge).toEqual([fixed('leaf')])
    expect(tree.edge).toHaveLength(1)
  })

  it('has no leaf behind its end, and does not shrink', () => {
    const leaf = fixed('leaf')
    const one = { size: 1, root: leaf }
    const none = { size: 0, root: emptyRoot(primitives) }
    expect(reasonOf(() => verifyInclusion(primitives, leaf, 0, one, []))).toBeUndefined()
    for (const index of [1, 2, -1, 0.5, Number.NaN])
      expect(reasonOf(() => verifyInclusion(primitives, leaf, index, one, []))).toBe('inclusion_wrong')
    expect(reasonOf(() => verifyConsistency(primitives, none, one, []))).toBeUndefined()
    for (const size of [-1, 2, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      for (const proof of [[], [leaf]]) {
        expect(reasonOf(() => verifyConsistency(primitives, { size, root: leaf }, one, proof))).toBe(
          'consistency_wrong',
        )
        expect(
          reasonOf(() =>
            verifyConsistency(primitives, { size: 1.5, root: leaf }, { size, root: leaf }, proof),
          ),
        ).toBe('consistency_wrong')
      }
    }
    const two = { size: 2, root: fixed('root') }
    expect(reasonOf(() => verifyConsistency(primitives, one, two, []))).toBe('consistency_wrong')
    expect(reasonOf(() => verifyConsistency(primitives, one, two, [new Uint8Array(31)]))).toBe(
      'consistency_wrong',
    )
  })
})
