/** Checkpoints of the service's own logs: each of its log keys signs under the log's origin. */
import { FormatError, LogError } from 'miniseal-protocol/errors'
import * as checkpoints from 'miniseal-protocol/tlog/checkpoint'
import { sodiumPrimitives } from '../keys/sodium-primitives.ts'

export type Checkpoint = checkpoints.Checkpoint

/** Signs a checkpoint with each key, one line a key. */
export function signCheckpoint(
  checkpoint: Checkpoint,
  keys: readonly { readonly publicKey: Uint8Array; readonly secretKey: Uint8Array }[],
): string {
  const signers = keys.map(({ publicKey, secretKey }) => ({ name: checkpoint.origin, publicKey, secretKey }))
  return checkpoints.signCheckpoint(sodiumPrimitives, checkpoint, signers)
}

/** Parses a note without verifying signatures. @throws FormatError for any other form. */
export function parseCheckpointNote(note: string): Checkpoint {
  return checkpoints.parseCheckpointNote(note).checkpoint
}

/** Whether the note is a checkpoint of this log, signed by one of the keys, with no wrong signature of any of them. */
export function isSignedBy(note: string, origin: string, publicKeys: readonly Uint8Array[]): boolean {
  const keys = publicKeys.map((publicKey) => ({ kind: 'ed25519' as const, name: origin, publicKey }))
  try {
    checkpoints.verifyCheckpoint(sodiumPrimitives, note, keys)
    return true
  } catch (error) {
    if (error instanceof LogError || error instanceof FormatError) return false
    throw error
  }
}
