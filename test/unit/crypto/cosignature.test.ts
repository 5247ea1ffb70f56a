import { describe, expect, it } from 'vitest'
import { FormatError } from '../../../crypto/errors.ts'
import { encodeUtf8 } from '../../../crypto/text.ts'
import { encodeCheckpoint } from '../../../crypto/tlog/checkpoint.ts'
import { cosign, cosignatureTime, noteVerifier } from '../../../crypto/tlog/cosignature.ts'
import { parseNote, parseVerifierKey, signNote, verifyNote } from '../../../crypto/tlog/signed-note.ts'
import { sodiumPrimitives as primitives } from '../../../service/keys/sodium-primitives.ts'
import { reasonOf } from './code-of.ts'
import { fixed, flipped, now } from './fixed-inputs.ts'
import { implementations } from './implementations.ts'
import { origin, witness } from './note-inputs.ts'

const text = encodeCheckpoint({ origin, size: 7, root: fixed('root') })
const { signer, key } = witness('w1')
const cosignature = cosign(primitives, text, signer, now)

it.each(implementations)('a cosignature signs the time and the checkpoint, with $name', (each) => {
  expect(cosign(each, text, signer, now)).toEqual(cosignature)
  expect(verifyNote({ text, signatures: [cosignature] }, [noteVerifier(each, key)])).toHaveLength(1)
  expect(cosignatureTime(cosignature.signature)).toBe(now)
  const message = encodeUtf8(`cosignature/v1\ntime ${now}\n${text}`)
  expect(each.ed25519Verify(cosignature.signature.slice(8), message, signer.publicKey)).toBe(true)
  expect(cosignature.signature).toHaveLength(72)
})

it('a cosignature with any bit flipped, also in its time, is refused', () => {
  for (let bit = 0; bit < cosignature.signature.length * 8; bit++) {
    const signature = flipped(cosignature.signature, Math.floor(bit / 8), bit % 8)
    const note = { text, signatures: [{ ...cosignature, signature }] }
    expect(
      reasonOf(() => verifyNote(note, [noteVerifier(primitives, key)])),
      `bit ${bit}`,
    ).toBe('signature_wrong')
  }
})

it('a cosignature is refused for another checkpoint, when truncated, and without a time', () => {
  const judge = (signed: string, signature: Uint8Array) =>
    reasonOf(() =>
      verifyNote({ text: signed, signatures: [{ ...cosignature, signature }] }, [
        noteVerifier(primitives, key),
      ]),
    )
  expect(judge(text.replace('\n7\n', '\n8\n'), cosignature.signature)).toBe('signature_wrong')
  expect(judge(text, cosignature.signature.slice(0, 71))).toBe('signature_wrong')
  expect(judge(text, cosignature.signature.slice(0, 5))).toBe('signature_wrong')
  const timeless = primitives.ed25519Sign(encodeUtf8(`cosignature/v1\ntime 0\n${text}`), signer.secretKey)
  expect(judge(text, Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, ...timeless))).toBe('signature_wrong')
})

it('a cosignature does not verify as a log signature, nor a log signature as a cosignature', () => {
  const plain = signNote(primitives, text, signer)
  const asLog = { ...key, kind: 'ed25519' as const }
  const judge = (signature: typeof plain, as: typeof key) =>
    reasonOf(() => verifyNote({ text, signatures: [signature] }, [noteVerifier(primitives, as)]))
  expect(judge(plain, key)).toBe('signature_missing')
  expect(judge(cosignature, asLog)).toBe('signature_missing')
  expect(judge({ ...plain, keyId: cosignature.keyId }, key)).toBe('signature_wrong')
  expect(judge({ ...cosignature, keyId: plain.keyId }, asLog)).toBe('signature_wrong')
})

it('a cosignature requires a time', () => {
  expect(() => cosign(primitives, text, signer, 0)).toThrow(FormatError)
  expect(() => cosign(primitives, text, signer, -1)).toThrow(FormatError)
  expect(() => cosignatureTime(new Uint8Array(71))).toThrow(FormatError)
})

describe('a published cosignature', () => {
  // The example of C2SP tlog-cosignature holds no key; these are its lines, read.
  const note =
    'example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n' +
    '\u2014 example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n' +
    '\u2014 witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n'

  it('a published cosignature has the time that the specification states', () => {
    const [log, first] = parseNote(note).signatures
    expect(log?.signature).toHaveLength(64)
    expect(cosignatureTime(first?.signature ?? new Uint8Array(0))).toBe(1679315147)
  })

  it('a verifier key of an unknown type is refused', () => {
    expect(() => parseVerifierKey(primitives, 'w+00000000+BgAA')).toThrow(FormatError)
  })
})
