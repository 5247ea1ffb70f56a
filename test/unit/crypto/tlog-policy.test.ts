import { describe, expect, it } from 'vitest'
import { FormatError } from '../../../crypto/errors.ts'
import { encodeCheckpoint } from '../../../crypto/tlog/checkpoint.ts'
import { cosign } from '../../../crypto/tlog/cosignature.ts'
import type { NoteSignature } from '../../../crypto/tlog/signed-note.ts'
import { encodeNote, encodeVerifierKey, signNote } from '../../../crypto/tlog/signed-note.ts'
import type { TlogPolicy } from '../../../crypto/tlog/tlog-policy.ts'
import { encodePolicy, hasQuorum, parsePolicy, verifyByPolicy } from '../../../crypto/tlog/tlog-policy.ts'
import { sodiumPrimitives as primitives } from '../../../service/keys/sodium-primitives.ts'
import {
  examplePolicy,
  logLine,
  manyGroups,
  manyWitnesses,
} from '../../conformance/vectors/make/refused-texts.ts'
import { reasonOf } from './code-of.ts'
import { fixed, flipped, now } from './fixed-inputs.ts'
import { logKey, logSigner, noteSigner, origin, witness } from './note-inputs.ts'

const parse = (text: string) => parsePolicy(primitives, text)
const lineOf = (name: string) => `witness ${name} ${encodeVerifierKey(primitives, witness(name).key)}\n`
const two = `${lineOf('X1')}${lineOf('X2')}`

describe('a policy', () => {
  const policy = parse(examplePolicy)

  it('a policy of the specification is accepted', () => {
    expect(policy.logs).toEqual([{ key: logKey }])
    expect(policy.witnesses.map(({ name }) => name)).toEqual(['X1', 'X2', 'X3', 'Y1', 'Y2', 'Y3'])
    expect(policy.groups.map(({ name, threshold }) => [name, threshold])).toEqual([
      ['X-witnesses', 2],
      ['Y-witnesses', 1],
      ['X-and-Y', 2],
    ])
    expect(policy.quorum).toBe('X-and-Y')
  })

  it('a policy decodes to the encoded value and is encoded in its plainest form', () => {
    const withUrls: TlogPolicy = {
      ...policy,
      logs: [{ key: logKey, url: 'https://pay.example.com/log' }],
      witnesses: policy.witnesses.map((each) => ({ ...each, url: `https://${each.name}.example` })),
    }
    for (const each of [policy, withUrls, { ...policy, quorum: undefined }]) {
      const text = encodePolicy(primitives, each)
      expect(parse(text)).toEqual(each)
      expect(encodePolicy(primitives, parse(text))).toBe(text)
    }
  })

  it('a policy may contain comments, tabs and extra spaces', () => {
    const loose = `# who counts\n \t# this too\n\n  ${logLine.replace(' ', ' \t ')}\tquorum\tnone \n`
    expect(parse(loose)).toEqual(parse(`${logLine}quorum none\n`))
  })

  it('a policy may consist of a quorum only', () => {
    expect(parse('quorum none\n')).toEqual({ logs: [], witnesses: [], groups: [], quorum: undefined })
  })

  it('a policy may have 64 groups, and no more', () => {
    const of = (count: number) => parse(`${manyWitnesses(count)}${manyGroups(count)}quorum none\n`)
    expect(of(64).groups).toHaveLength(64)
    expect(() => of(65)).toThrow(FormatError)
  })

  it('a policy is encoded with all and any instead of the equal numbers', () => {
    const text = `${two}group A 2 X1\tX2\ngroup B 1 A\nquorum B\n`
    const plain = encodePolicy(primitives, parse(text))
    expect(plain).toBe(`${two}group A all X1 X2\ngroup B all A\nquorum B\n`)
    const any = encodePolicy(primitives, parse(`${two}group A 1 X1 X2\nquorum none\n`))
    expect(any).toBe(`${two}group A any X1 X2\nquorum none\n`)
  })

  it('a policy may require ten of twelve', () => {
    const names = Array.from({ length: 12 }, (_, i) => `w${i}`)
    const { groups } = parse(`${names.map(lineOf).join('')}group A 10 ${names.join(' ')}\nquorum A\n`)
    expect(groups).toEqual([{ name: 'A', threshold: 10, members: names }])
  })

  it('a policy may contain comments without a space after the sign', () => {
    expect(parse('#all of this\n# and this#\nquorum none\n')).toEqual(parse('quorum none\n'))
    expect(() => parse('quorum# none\n')).toThrow(FormatError)
  })

  it.each([
    ['a witness with a word more', `${two.trim()} https://x.example y\nquorum none\n`],
    ['a group of all without members', `${two}group A all\nquorum none\n`],
    ['a rule with a word after its number', `${two}group A 1x X1 X2\nquorum none\n`],
    ['a rule of letters', `${two}group A 1xx X1 X2\nquorum none\n`],
    ['a group without a rule', `${two}group A\nquorum none\n`],
    ['a quorum without a name', `${two}quorum\n`],
  ])('a policy with %s is refused', (_title, text) => expect(() => parse(text)).toThrow(FormatError))

  it('a policy has at most 65536 characters', () => {
    const text = 'quorum none\n'
    expect(parse(`#${'x'.repeat(65_536 - text.length - 2)}\n${text}`).quorum).toBeUndefined()
    const longer = `#${'x'.repeat(65_536 - text.length - 1)}\n${text}`
    expect(() => parse(longer)).toThrow(FormatError)
  })

  it.each<[string, TlogPolicy]>([
    ...['a\nquorum none', '\na', 'a\tb', 'a ', 'a b c'].map((name): [string, TlogPolicy] => [
      `the name ${JSON.stringify(name)}`,
      { ...policy, witnesses: [{ name, key: witness('X1').key }] },
    ]),
    ['a space in a name', { ...policy, groups: [{ name: 'a b', threshold: 1, members: ['X1'] }] }],
    ['an empty address', { ...policy, logs: [{ key: logKey, url: '' }] }],
    ['a quorum that is not known', { ...policy, quorum: 'Z' }],
  ])('a policy is not encoded with %s', (_title, bad) =>
    expect(() => encodePolicy(primitives, bad)).toThrow(FormatError),
  )
})

describe('a quorum', () => {
  const policy = parse(examplePolicy)

  it.each<[string, readonly string[], boolean]>([
    ['two of X and one of Y', ['X1', 'X3', 'Y2'], true],
    ['all', ['X1', 'X2', 'X3', 'Y1', 'Y2', 'Y3'], true],
    ['nobody', [], false],
    ['one of X and all of Y', ['X1', 'Y1', 'Y2', 'Y3'], false],
    ['all of X', ['X1', 'X2', 'X3'], false],
    ['strangers', ['Z1', 'Z2', 'Z3'], false],
  ])('the quorum of the example is decided for %s', (_title, cosigned, enough) => {
    expect(hasQuorum(policy, new Set(cosigned))).toBe(enough)
  })

  it('a quorum may be one witness, or none', () => {
    expect(hasQuorum({ ...policy, quorum: 'Y3' }, new Set(['Y3']))).toBe(true)
    expect(hasQuorum({ ...policy, quorum: 'Y3' }, new Set(['Y2']))).toBe(false)
    expect(hasQuorum({ ...policy, quorum: undefined }, new Set())).toBe(true)
  })
})

describe('verifyByPolicy', () => {
  const policy = parse(examplePolicy)
  const text = encodeCheckpoint({ origin, size: 7, root: fixed('root') })
  const own = signNote(primitives, text, logSigner)
  const by = (name: string, time = now) => cosign(primitives, text, witness(name).signer, time)
  const noteWith = (...cosignatures: readonly NoteSignature[]) =>
    encodeNote({ text, signatures: [own, ...cosignatures] })

  it('verifyByPolicy accepts a checkpoint with its quorum and returns its cosignatures', () => {
    const note = noteWith(by('Y2', now + 3), by('stranger'), by('X1'), by('X3', now + 1))
    expect(verifyByPolicy(primitives, note, policy).cosignatures).toEqual([
      { witness: 'X1', time: now },
      { witness: 'X3', time: now + 1 },
      { witness: 'Y2', time: now + 3 },
    ])
  })

  it('verifyByPolicy throws quorum_missing for too few witnesses and counts each once', () => {
    const judge = (...cosignatures: readonly NoteSignature[]) =>
      reasonOf(() => verifyByPolicy(primitives, noteWith(...cosignatures), policy))
    expect(judge()).toBe('quorum_missing')
    expect(judge(by('X1'), by('Y1'))).toBe('quorum_missing')
    expect(judge(by('X1'), by('X1', now + 1), by('Y1'))).toBe('quorum_missing')
  })

  it('verifyByPolicy throws signature_wrong for a wrong cosignature of a known witness, even with a quorum', () => {
    const good = [by('X1'), by('X2'), by('Y1')]
    const wrong = { ...by('Y3'), signature: flipped(by('Y3').signature, 20) }
    expect(reasonOf(() => verifyByPolicy(primitives, noteWith(...good, wrong), policy))).toBe(
      'signature_wrong',
    )
  })

  it('verifyByPolicy requires the signature of a listed log', () => {
    const unsigned = encodeNote({ text, signatures: [by('X1'), by('X2'), by('Y1')] })
    expect(reasonOf(() => verifyByPolicy(primitives, unsigned, policy))).toBe('signature_missing')
    expect(reasonOf(() => verifyByPolicy(primitives, noteWith(), { ...policy, logs: [] }))).toBe(
      'origin_wrong',
    )
  })

  it('verifyByPolicy does not count an unknown key with the name of a witness', () => {
    const asWitness = cosign(primitives, text, noteSigner(witness('X1').signer.name, 'another'), now)
    const judge = () => verifyByPolicy(primitives, noteWith(asWitness, by('X2'), by('Y1')), policy)
    expect(reasonOf(judge)).toBe('quorum_missing')
  })
})
