/** A log of 70 entries that is the same in every run, with one witness. */
import { signCheckpoint } from '../../../crypto/tlog/checkpoint.ts'
import { cosign } from '../../../crypto/tlog/cosignature.ts'
import { encodeNote, parseNote } from '../../../crypto/tlog/signed-note.ts'
import type { TlogPolicy } from '../../../crypto/tlog/tlog-policy.ts'
import type { TlogProof } from '../../../crypto/tlog/tlog-proof.ts'
import { sodiumPrimitives as primitives } from '../../../service/keys/sodium-primitives.ts'
import { now } from './fixed-inputs.ts'
import { logKey, logSigner, origin, witness } from './note-inputs.ts'
import type { PlainTree } from './plain-tree.ts'
import { leafHashes, path, plainTree } from './plain-tree.ts'

const size = 70
export const hashes: readonly Uint8Array[] = leafHashes(size)
export const tree: PlainTree = plainTree(hashes)

const { signer, key } = witness('w1')

/** The log, and its witness as the quorum. */
export const policy: TlogPolicy = {
  logs: [{ key: logKey }],
  witnesses: [{ name: 'w1', key }],
  groups: [],
  quorum: 'w1',
}

/** Signed by the log alone. */
export function checkpointOf(count: number): string {
  return signCheckpoint(primitives, { origin, size: count, root: tree.mth(0, count) }, [logSigner])
}

/** A note with the witness's cosignature of now. */
export function cosigned(note: string): string {
  const { text, signatures } = parseNote(note)
  return encodeNote({ text, signatures: [...signatures, cosign(primitives, text, signer, now)] })
}

/** That the entry `index` is in the log of 70, as the witness saw it. */
export function proofOf(index: number): TlogProof {
  return { index, hashes: path(tree, index, 0, size), checkpoint: cosigned(checkpointOf(size)) }
}
