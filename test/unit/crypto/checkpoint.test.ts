import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FormatError } from '../../../crypto/errors.ts'
import { encodeBase64 } from '../../../crypto/text.ts'
import type { Checkpoint } from '../../../crypto/tlog/checkpoint.ts'
import {
  encodeCheckpoint,
  parseCheckpoint,
  parseCheckpointNote,
  signCheckpoint,
  verifyCheckpoint,
} from '../../../crypto/tlog/checkpoint.ts'
import { emptyRoot } from '../../../crypto/tlog/merkle.ts'
import { sodiumPrimitives as primitives } from '../../../service/keys/sodium-primitives.ts'
import { reasonOf } from './code-of.ts'
import { fixed, flipped } from './fixed-inputs.ts'
import { implementations } from './implementations.ts'
import { logKey, logSigner, noteSigner, origin } from './note-inputs.ts'

const root = fixed('root')
const checkpoint: Checkpoint = { origin, size: 70_000, root }
const base64 = encodeBase64(root)

it('a checkpoint consists of three lines', () => {
  expect(encodeCheckpoint(checkpoint)).toBe(`${origin}\n70000\n${base64}\n`)
})

it('a checkpoint of an empty log has size 0', () => {
  const empty = { origin, size: 0, root: emptyRoot(primitives) }
  expect(encodeCheckpoint(empty)).toBe(`${origin}\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n`)
  expect(parseCheckpoint(encodeCheckpoint(empty))).toEqual(empty)
})

it('a checkpoint decodes to the encoded value, extension lines included', () => {
  const line = fc.string({ unit: fc.constantFrom('a', ' ', '\u5348', '+'), minLength: 1 })
  const any = fc
    .record({
      origin: fc.constantFrom('a', origin, '\u5348.example'),
      size: fc.maxSafeNat(),
      root: fc.uint8Array({ minLength: 32, maxLength: 32 }),
    })
    .chain((plain) =>
      fc.oneof(
        fc.constant(plain),
        fc.array(line, { minLength: 1, maxLength: 3 }).map((extensions) => ({ ...plain, extensions })),
      ),
    )
  fc.assert(
    fc.property(any, (each: Checkpoint) => {
      expect(parseCheckpoint(encodeCheckpoint(each))).toEqual(each)
    }),
  )
})

it.each<[string, Checkpoint]>([
  ['an origin that is no name', { ...checkpoint, origin: 'a b' }],
  ['a size that is not safe', { ...checkpoint, size: 2 ** 53 }],
  ['a short root', { ...checkpoint, root: root.slice(1) }],
  ['an empty line', { ...checkpoint, extensions: [''] }],
  ['a line in two', { ...checkpoint, extensions: ['a\nb'] }],
])('a checkpoint is not encoded with %s', (_title, bad) =>
  expect(() => encodeCheckpoint(bad)).toThrow(FormatError),
)

describe('a signed checkpoint', () => {
  const note = signCheckpoint(primitives, checkpoint, [logSigner])

  it.each(implementations)('a signed checkpoint verifies with the key of its log, with $name', (each) => {
    expect(signCheckpoint(each, checkpoint, [logSigner])).toBe(note)
    expect(verifyCheckpoint(each, note, [logKey]).checkpoint).toEqual(checkpoint)
  })

  it('a signed checkpoint verifies with any known key of its log', () => {
    const next = noteSigner(origin, 'next log key')
    const nextKey = { ...logKey, publicKey: next.publicKey }
    const both = signCheckpoint(primitives, checkpoint, [logSigner, next])
    expect(verifyCheckpoint(primitives, both, [nextKey]).checkpoint).toEqual(checkpoint)
    expect(verifyCheckpoint(primitives, note, [nextKey, logKey]).note.signatures).toHaveLength(1)
  })

  it('a signed checkpoint of another log is refused with origin_wrong', () => {
    const other = signCheckpoint(primitives, { ...checkpoint, origin: 'other.example' }, [logSigner])
    expect(reasonOf(() => verifyCheckpoint(primitives, other, [logKey]))).toBe('origin_wrong')
    expect(reasonOf(() => verifyCheckpoint(primitives, note, []))).toBe('origin_wrong')
  })

  it('a signed checkpoint is not verified by the key of a cosigner', () => {
    const cosigner = { ...logKey, kind: 'cosignature' as const }
    expect(reasonOf(() => verifyCheckpoint(primitives, note, [cosigner]))).toBe('origin_wrong')
  })

  it('a signed checkpoint by an unknown key is refused with signature_missing', () => {
    const forged = signCheckpoint(primitives, checkpoint, [noteSigner(origin, 'another key')])
    expect(reasonOf(() => verifyCheckpoint(primitives, forged, [logKey]))).toBe('signature_missing')
  })

  it('a signed checkpoint with another size is refused with signature_wrong', () => {
    expect(reasonOf(() => verifyCheckpoint(primitives, note.replace('70000', '70001'), [logKey]))).toBe(
      'signature_wrong',
    )
  })

  it('text that is not a signed checkpoint is refused with note_malformed', () => {
    expect(reasonOf(() => verifyCheckpoint(primitives, 'hello', [logKey]))).toBe('note_malformed')
    expect(reasonOf(() => verifyCheckpoint(primitives, note.replace('70000', '070000'), [logKey]))).toBe(
      'note_malformed',
    )
  })

  it('a signed checkpoint is refused after any flipped bit', () => {
    const bytes = new TextEncoder().encode(note)
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = new TextDecoder().decode(flipped(bytes, Math.floor(bit / 8), bit % 8))
      expect(
        reasonOf(() => verifyCheckpoint(primitives, changed, [logKey])),
        `bit ${bit}`,
      ).toMatch(/^(note_malformed|origin_wrong|signature_missing|signature_wrong)$/)
    }
  })

  it('a signed checkpoint can be parsed without a key', () => {
    expect(parseCheckpointNote(note).checkpoint).toEqual(checkpoint)
  })
})
