import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FormatError } from '../../../crypto/errors.ts'
import { encodeHex } from '../../../crypto/text.ts'
import type { NoteSignature, VerifierKey } from '../../../crypto/tlog/signed-note.ts'
import {
  ed25519Verifier,
  encodeNote,
  encodeSignatureLine,
  encodeVerifierKey,
  noteKeyId,
  parseNote,
  parseVerifierKey,
  signNote,
  verifyNote,
} from '../../../crypto/tlog/signed-note.ts'
import { sodiumPrimitives as primitives } from '../../../service/keys/sodium-primitives.ts'
import { exampleKey } from '../../conformance/vectors/make/refused-texts.ts'
import { reasonOf } from './code-of.ts'
import { fixed, flipped } from './fixed-inputs.ts'
import { implementations } from './implementations.ts'
import { logKey, logSigner, noteSigner, origin } from './note-inputs.ts'

/** The example of C2SP signed-note. */
const exampleNote =
  'This is an example message.\n\n\u2014 example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n'

const name = fc.string({
  unit: fc.constantFrom('a', 'Z', '.', '/', '-', '0', '\u2014', '\u00e9', '\u{1f600}', '\ufeff'),
  minLength: 1,
})
const line = fc.string({
  unit: fc.constantFrom('a', ' ', '+', '\u2014', '\u5348', '\u{1f600}', '\u0085', '\u007f'),
})
const text = fc.array(line, { minLength: 1, maxLength: 5 }).map((lines) => `${lines.join('\n')}\n`)
const signature: fc.Arbitrary<NoteSignature> = fc.record({
  name,
  keyId: fc.uint8Array({ minLength: 4, maxLength: 4 }),
  signature: fc.uint8Array({ minLength: 1, maxLength: 80 }),
})
const plain: NoteSignature = { name: 'a', keyId: new Uint8Array(4), signature: new Uint8Array(64) }
const note = fc.record({ text, signatures: fc.array(signature, { minLength: 1, maxLength: 20 }) })

it.each(implementations)('a verifier key of the specification verifies its example, with $name', (each) => {
  const key = parseVerifierKey(each, exampleKey)
  expect(key).toMatchObject({ kind: 'ed25519', name: 'example.com/foo' })
  expect(encodeHex(noteKeyId(each, key))).toBe('530d903a')
  expect(encodeVerifierKey(each, key)).toBe(exampleKey)
  expect(verifyNote(parseNote(exampleNote), [ed25519Verifier(each, key)])).toHaveLength(1)
})

it('a verifier key decodes to the encoded value', () => {
  const key = fc.record({
    kind: fc.constantFrom('ed25519' as const, 'cosignature' as const),
    name,
    publicKey: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  })
  fc.assert(
    fc.property(key, (each) => {
      expect(parseVerifierKey(primitives, encodeVerifierKey(primitives, each))).toEqual(each)
    }),
  )
})

it('a verifier key has a public key of 32 bytes', () => {
  for (const length of [31, 33]) {
    const publicKey = new Uint8Array(length)
    expect(() => encodeVerifierKey(primitives, { ...logKey, publicKey })).toThrow(FormatError)
  }
  const key = encodeVerifierKey(primitives, logKey)
  for (const text of [`+${key}`, `${key}A`, `${key}=`, key.replace(/\+[0-9a-f]{8}/, '')])
    expect(() => parseVerifierKey(primitives, text), text).toThrow(FormatError)
})

it('a verifier key with any character changed is refused', () => {
  for (let at = 0; at < exampleKey.length; at++) {
    const other = exampleKey[at] === 'q' ? 'r' : 'q'
    const changed = `${exampleKey.slice(0, at)}${other}${exampleKey.slice(at + 1)}`
    expect(() => parseVerifierKey(primitives, changed), changed).toThrow(FormatError)
  }
})

it('a note decodes to the encoded value', () => {
  fc.assert(
    fc.property(note, (each) => {
      expect(parseNote(encodeNote(each))).toEqual(each)
    }),
  )
})

it('a note is split at its last empty line', () => {
  const parsed = parseNote('a\n\n\n\nb\n\n\n\u2014 x AAAAAAA=\n')
  expect(parsed.text).toBe('a\n\n\n\nb\n\n')
})

it('a note has at most 64 signatures', () => {
  const note = (count: number) => ({ text: 'x\n', signatures: new Array<NoteSignature>(count).fill(plain) })
  expect(parseNote(encodeNote(note(64)))).toEqual(note(64))
  expect(() => encodeNote(note(65))).toThrow(FormatError)
})

it('a note has at most 131072 characters', () => {
  const lineLength = encodeSignatureLine(plain).length
  const note = (length: number) => ({
    text: `${'x'.repeat(length - lineLength - 2)}\n`,
    signatures: [plain],
  })
  const longest = encodeNote(note(131_072))
  expect(longest).toHaveLength(131_072)
  expect(parseNote(longest)).toEqual(note(131_072))
  expect(() => encodeNote(note(131_073))).toThrow(new FormatError('the note is too long'))
  expect(() => parseNote(`x${longest}`)).toThrow(new FormatError('the note is too long'))
})

it.each([
  ['a key id of 3 bytes', { keyId: new Uint8Array(3) }],
  ['a key id of 5 bytes', { keyId: new Uint8Array(5) }],
  ['no signature', { signature: new Uint8Array(0) }],
])('a note has no signature line with %s', (_title, part) =>
  expect(() => encodeSignatureLine({ ...plain, ...part })).toThrow(FormatError),
)

it.each([
  ['a text without a line feed', 'text', [signNote(primitives, 'text\n', logSigner)]],
  ['no signature', 'text\n', []],
  ['a name that no key has', 'text\n', [signNote(primitives, 'text\n', noteSigner('a b'))]],
])('a note is not encoded with %s', (_title, bad, signatures) => {
  expect(() => encodeNote({ text: bad, signatures })).toThrow(FormatError)
})

describe('verifyNote', () => {
  const text = 'one\ntwo\n'
  const verifier = ed25519Verifier(primitives, logKey)
  const own = signNote(primitives, text, logSigner)
  const stranger = signNote(primitives, text, noteSigner('other.example'))

  it.each(implementations)('verifyNote accepts a signed note, with $name', (each) => {
    const note = { text, signatures: [signNote(each, text, logSigner)] }
    expect(verifyNote(note, [ed25519Verifier(each, logKey)])).toEqual(note.signatures)
    expect(note.signatures).toEqual([own])
  })

  it('verifyNote ignores unknown keys, also with the name or id of a known key', () => {
    const sharesName = signNote(primitives, text, noteSigner(origin, 'another key of that name'))
    const sharesId: NoteSignature = { name: 'other.example', keyId: own.keyId, signature: fixed('x') }
    const note = { text, signatures: [stranger, sharesName, sharesId, own] }
    expect(verifyNote(note, [verifier])).toEqual([own])
  })

  it('verifyNote throws signature_missing when no known key signed', () => {
    expect(reasonOf(() => verifyNote({ text, signatures: [stranger] }, [verifier]))).toBe('signature_missing')
    expect(reasonOf(() => verifyNote({ text, signatures: [own] }, []))).toBe('signature_missing')
  })

  it('verifyNote throws signature_wrong for a wrong signature of a known key, even beside a right one', () => {
    const wrong = { ...own, signature: flipped(own.signature, 5) }
    const judge = (signatures: readonly NoteSignature[]) =>
      reasonOf(() => verifyNote({ text, signatures }, [verifier]))
    expect(judge([wrong])).toBe('signature_wrong')
    expect(judge([own, wrong])).toBe('signature_wrong')
    expect(judge([wrong, own])).toBe('signature_wrong')
    expect(judge([{ ...own, signature: own.signature.slice(1) }])).toBe('signature_wrong')
  })

  it('verifyNote refuses a signed note after any flipped bit', () => {
    const signed = encodeNote({ text, signatures: [own] })
    const bytes = new TextEncoder().encode(signed)
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = new TextDecoder().decode(flipped(bytes, Math.floor(bit / 8), bit % 8))
      expect(() => verifyNote(parseNote(changed), [verifier]), `bit ${bit}`).toThrow()
    }
  })

  it('the key id depends on what the key signs', () => {
    const cosigner: VerifierKey = { ...logKey, kind: 'cosignature' }
    expect(noteKeyId(primitives, cosigner)).not.toEqual(noteKeyId(primitives, logKey))
  })
})
