/** Verifies the signatures of a note: the log's own, and cosignatures of witnesses. */
import { equalBytes } from 'miniseal-protocol/bytes'
import { cosignatureTime, noteVerifier } from 'miniseal-protocol/tlog/cosignature'
import type { SignedNote, VerifierKey } from 'miniseal-protocol/tlog/signed-note'
import { sodiumPrimitives } from '../keys/sodium-primitives.ts'

/** Result for the known keys. */
export interface NoteVerdict {
  readonly good: readonly GoodSignature[]
  /** Known keys with invalid signatures: the note must be rejected. */
  readonly bad: readonly VerifierKey[]
}

export interface GoodSignature {
  readonly key: VerifierKey
  /** Without the key id. */
  readonly signature: Uint8Array
  /** UNIX seconds, of a cosignature. */
  readonly cosignedAt: number | undefined
}

/** Signatures of unknown keys are ignored. */
export function verifyNoteSignatures(
  { text, signatures }: SignedNote,
  keys: readonly VerifierKey[],
): NoteVerdict {
  const known = keys.map((key) => ({ key, verifier: noteVerifier(sodiumPrimitives, key) }))
  const good: GoodSignature[] = []
  const bad: VerifierKey[] = []
  for (const { name, keyId, signature } of signatures) {
    const found = known.find(({ verifier }) => verifier.name === name && equalBytes(verifier.keyId, keyId))
    if (found === undefined) continue
    const { key, verifier } = found
    if (!verifier.verify(text, signature)) bad.push(key)
    else
      good.push({
        key,
        signature,
        cosignedAt: key.kind === 'ed25519' ? undefined : cosignatureTime(signature),
      })
  }
  return { good, bad }
}
