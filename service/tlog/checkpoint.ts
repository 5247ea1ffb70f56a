/** Signatures of checkpoints: signs with log keys, verifies signatures of the log and cosignatures of witnesses. */
import { equalBytes } from 'miniseal-protocol/bytes'
import type { Checkpoint } from 'miniseal-protocol/tlog/checkpoint'
import * as checkpoints from 'miniseal-protocol/tlog/checkpoint'
import { cosignatureTime, noteVerifier } from 'miniseal-protocol/tlog/cosignature'
import type { SignedNote, VerifierKey } from 'miniseal-protocol/tlog/signed-note'
import { sodiumPrimitives } from '../keys/sodium-primitives.ts'

/** Signs a checkpoint with each key, under the log's origin. @returns the note */
export function signCheckpoint(
  checkpoint: Checkpoint,
  keys: readonly { readonly publicKey: Uint8Array; readonly secretKey: Uint8Array }[],
): string {
  const signers = keys.map(({ publicKey, secretKey }) => ({ name: checkpoint.origin, publicKey, secretKey }))
  return checkpoints.signCheckpoint(sodiumPrimitives, checkpoint, signers)
}

interface GoodSignature {
  readonly key: VerifierKey
  /** Without the key id. */
  readonly signature: Uint8Array
  /** UNIX seconds; of a cosignature only. */
  readonly cosignedAt: number | undefined
}

interface NoteVerdict {
  readonly good: readonly GoodSignature[]
  /** Keys with an invalid signature: the note must be rejected. */
  readonly bad: readonly VerifierKey[]
}

/** Verifies the signatures of the given keys; those of other keys are ignored. */
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
    else if (key.kind === 'ed25519') good.push({ key, signature, cosignedAt: undefined })
    else good.push({ key, signature, cosignedAt: cosignatureTime(signature) })
  }
  return { good, bad }
}
