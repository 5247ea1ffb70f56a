/** What each known key says of a signed note: the log's own signature, and witnesses' cosignatures. */
import { equalBytes } from 'miniseal-protocol/bytes'
import { cosignatureTime, noteVerifier } from 'miniseal-protocol/tlog/cosignature'
import type { SignedNote, VerifierKey } from 'miniseal-protocol/tlog/signed-note'
import { sodiumPrimitives } from '../keys/sodium-primitives.ts'

/** What the known keys say of a note. */
export interface NoteVerdict {
  readonly good: readonly GoodSignature[]
  /** A known key is named, and did not sign this: the note is to be refused, whatever else is good. */
  readonly bad: readonly VerifierKey[]
}

export interface GoodSignature {
  readonly key: VerifierKey
  /** Without the key id. */
  readonly signature: Uint8Array
  /** UNIX seconds, of a cosignature. */
  readonly cosignedAt: number | undefined
}

/** Verifies every signature of a known key; those of unknown keys are passed over. */
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
