/**
 * Cosignatures of witnesses, which attest that a log is append-only (C2SP tlog-cosignature, Ed25519; protocol,
 * section 12).
 *
 * ```
 * signature = u64 seconds ‖ Ed25519 over "cosignature/v1\ntime <seconds>\n" ‖ text of the checkpoint
 * ```
 */
import { concatBytes, encodeU64, parseU64 } from '../bytes.ts'
import { FormatError } from '../errors.ts'
import type { Primitives } from '../primitives/primitives.ts'
import { encodeUtf8 } from '../text.ts'
import type { NoteSignature, NoteSigner, NoteVerifier, VerifierKey } from './signed-note.ts'
import { ed25519Verifier, noteKeyId } from './signed-note.ts'

const timeLength = 8
const cosignatureLength = timeLength + 64

/**
 * Cosigns the text of a checkpoint.
 *
 * @param time UNIX seconds, not 0
 * @throws FormatError for another time
 */
export function cosign(
  primitives: Pick<Primitives, 'sha256' | 'ed25519Sign'>,
  text: string,
  signer: NoteSigner,
  time: number,
): NoteSignature {
  if (time === 0) throw new FormatError('the time of a cosignature must not be zero')
  const { name, publicKey, secretKey } = signer
  const signed = primitives.ed25519Sign(cosignedMessage(text, time), secretKey)
  const keyId = noteKeyId(primitives, { kind: 'cosignature', name, publicKey })
  return { name, keyId, signature: concatBytes(encodeU64(time), signed) }
}

function cosignedMessage(text: string, time: number): Uint8Array {
  return encodeUtf8(`cosignature/v1\ntime ${time}\n${text}`)
}

/** The time of a cosignature, UNIX seconds. @throws FormatError */
export function cosignatureTime(signature: Uint8Array): number {
  if (signature.length !== cosignatureLength) throw new FormatError('a cosignature must have 72 bytes')
  return parseU64(signature.subarray(0, timeLength))
}

/** A verifier of signatures of type 0x04. */
function cosignatureVerifier(
  primitives: Pick<Primitives, 'sha256' | 'ed25519Verify'>,
  key: VerifierKey,
): NoteVerifier {
  return {
    name: key.name,
    keyId: noteKeyId(primitives, key),
    verify(text, signature) {
      const time = timeOf(signature)
      if (time === undefined) return false
      const signed = signature.subarray(timeLength)
      return primitives.ed25519Verify(signed, cosignedMessage(text, time), key.publicKey)
    },
  }
}

/** `undefined` for an invalid length or time. */
function timeOf(signature: Uint8Array): number | undefined {
  try {
    const time = cosignatureTime(signature)
    return time === 0 ? undefined : time
  } catch {
    return undefined
  }
}

/** The verifier for a key. */
export function noteVerifier(
  primitives: Pick<Primitives, 'sha256' | 'ed25519Verify'>,
  key: VerifierKey,
): NoteVerifier {
  switch (key.kind) {
    case 'ed25519':
      return ed25519Verifier(primitives, key)
    case 'cosignature':
      return cosignatureVerifier(primitives, key)
  }
}
