/** What known keys say of a signed note: the log's own signature, and witnesses' cosignatures (C2SP tlog-cosignature). */
import { equalBytes, parseU64 } from '../../../crypto/bytes.ts'
import { FormatError } from '../../../crypto/errors.ts'
import type { NoteSignature, SignedNote, VerifierKey } from '../../../crypto/signed-note.ts'
import { noteKeyId } from '../../../crypto/signed-note.ts'
import { encodeUtf8 } from '../../../crypto/text.ts'
import { sodiumPrimitives } from '../../keys/sodium-primitives.ts'

/** What the known keys say of a note. */
export interface NoteVerdict {
  readonly good: readonly GoodSignature[]
  /** A known key is named, and did not sign this: the note is to be refused, whatever else is good. */
  readonly bad: readonly VerifierKey[]
}

export interface GoodSignature {
  readonly key: VerifierKey
  /** UNIX seconds, of a cosignature. */
  readonly cosignedAt: number | undefined
}

/** Verifies every signature of a known key; those of unknown keys are passed over. */
export function judgeNote({ text, signatures }: SignedNote, keys: readonly VerifierKey[]): NoteVerdict {
  const good: GoodSignature[] = []
  const bad: VerifierKey[] = []
  for (const signature of signatures) {
    const key = keys.find((candidate) => isOf(signature, candidate))
    if (key === undefined) continue
    const verdict = judgeOne(text, signature.signature, key)
    if (verdict === undefined) bad.push(key)
    else good.push({ key, ...verdict })
  }
  return { good, bad }
}

function isOf({ name, keyId }: NoteSignature, key: VerifierKey): boolean {
  return name === key.name && equalBytes(keyId, noteKeyId(sodiumPrimitives, key))
}

function judgeOne(
  text: string,
  signature: Uint8Array,
  { kind, publicKey }: VerifierKey,
): { readonly cosignedAt: number | undefined } | undefined {
  if (kind === 'ed25519') {
    const isGood = sodiumPrimitives.ed25519Verify(signature, encodeUtf8(text), publicKey)
    return isGood ? { cosignedAt: undefined } : undefined
  }
  const cosignedAt = findTime(signature)
  if (cosignedAt === undefined) return undefined
  const message = encodeUtf8(`cosignature/v1\ntime ${cosignedAt}\n${text}`)
  return sodiumPrimitives.ed25519Verify(signature.slice(8), message, publicKey) ? { cosignedAt } : undefined
}

/** The first 8 bytes of a cosignature of 72. */
function findTime(signature: Uint8Array): number | undefined {
  try {
    return signature.length === 72 ? parseU64(signature.slice(0, 8)) : undefined
  } catch (error) {
    if (error instanceof FormatError) return undefined
    throw error
  }
}
