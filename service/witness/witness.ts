/** A witness: it cosigns checkpoints of logs that it knows, as long as each is the one before with leaves added. */
import type { Checkpoint } from 'miniseal-protocol/tlog/checkpoint'
import { parseCheckpointNote } from 'miniseal-protocol/tlog/checkpoint'
import { cosign } from 'miniseal-protocol/tlog/cosignature'
import type { NoteSigner, VerifierKey } from 'miniseal-protocol/tlog/signed-note'
import { encodeNote, encodeSignatureLine } from 'miniseal-protocol/tlog/signed-note'
import { sodiumPrimitives } from '../keys/sodium-primitives.ts'
import type { AddCheckpoint } from './add-checkpoint.ts'
import { assertGrowth, authenticate } from './add-checkpoint.ts'
import type { WitnessStore } from './witness-store.ts'

export interface WitnessOptions {
  /** Of all logs that it knows; one log may have several. */
  readonly keys: readonly VerifierKey[]
  readonly signer: NoteSigner
  readonly store: WitnessStore
  /** UNIX seconds. */
  readonly now: () => number
}

export interface Witness {
  /**
   * Cosigns, or does not. What it has seen is on the disk before it returns.
   *
   * @returns its signature line
   * @throws CheckpointRefused
   */
  addCheckpoint(request: AddCheckpoint): string
  /** The latest checkpoint of a log, signed by it and cosigned; `undefined` where there is none. */
  latest(origin: string): string | undefined
}

export function createWitness({ keys, signer, store, now }: WitnessOptions): Witness {
  return {
    addCheckpoint(request) {
      const { checkpoint, note, logSignatures } = authenticate(request, keys)
      let line = ''
      store.update(checkpoint.origin, (latest) => {
        assertGrowth(request, checkpoint, latest === undefined ? undefined : checkpointIn(latest))
        const cosignature = cosign(sodiumPrimitives, note.text, signer, now())
        line = encodeSignatureLine(cosignature)
        // Other signatures in the note are not for this witness to pass on.
        return encodeNote({ text: note.text, signatures: [...logSignatures, cosignature] })
      })
      return line
    },
    latest: (origin) => store.latest(origin),
  }
}

function checkpointIn(note: string): Checkpoint {
  return parseCheckpointNote(note).checkpoint
}
