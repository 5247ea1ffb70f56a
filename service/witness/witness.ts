/** A witness (C2SP tlog-witness): cosigns checkpoints of known logs if each is consistent with the one before. */

import { equalBytes } from 'miniseal-protocol/bytes'
import { FormatError, LogError } from 'miniseal-protocol/errors'
import { decodeBase64, decodeUtf8 } from 'miniseal-protocol/text'
import type { Checkpoint, VerifiedCheckpoint } from 'miniseal-protocol/tlog/checkpoint'
import { parseCheckpointNote, parseDecimal, verifyCheckpoint } from 'miniseal-protocol/tlog/checkpoint'
import { cosign } from 'miniseal-protocol/tlog/cosignature'
import { emptyRoot, treeHashLength, verifyConsistency } from 'miniseal-protocol/tlog/merkle'
import type { NoteSigner, VerifierKey } from 'miniseal-protocol/tlog/signed-note'
import { encodeNote, encodeSignatureLine } from 'miniseal-protocol/tlog/signed-note'
import { sodiumPrimitives } from '../keys/sodium-primitives.ts'
import type { WitnessStore } from './store.ts'

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
   * Cosigns or refuses. The new checkpoint is durable before this returns.
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
        // Signatures of others are not passed on.
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

// The body of `add-checkpoint` (C2SP tlog-witness):
//
//   old <size of the latest checkpoint the witness has seen>
//   <base64 hash>            0 to 63 lines: the consistency proof
//   <empty line>
//   <signed checkpoint>

/** The longest note there is, and 63 hashes before it: bytes. */
export const maxRequestLength = 160 * 1024
const maxHashes = 63

export interface AddCheckpoint {
  /** The size of the witness's latest checkpoint, as the client believes. */
  readonly old: number
  /** From there to the new checkpoint. */
  readonly proof: readonly Uint8Array[]
  /** Signed, and not verified yet. */
  readonly note: string
}

/** The statuses of the protocol. */
export type RefusalStatus = 400 | 403 | 404 | 409 | 422

/** A refused checkpoint. The message is short and contains nothing of the request. */
export class CheckpointRefused extends Error {
  override readonly name = 'CheckpointRefused'
  readonly status: RefusalStatus
  /** The size of the checkpoint that the witness saw last; for 409. */
  readonly size: number

  constructor(status: RefusalStatus, message: string, size = 0) {
    super(message)
    this.status = status
    this.size = size
  }
}

/** The log has signed two trees of one size; unlike a wrong proof, no client can cause that. */
export class LogForked extends CheckpointRefused {
  constructor() {
    super(422, 'the log has signed another tree of this size')
  }
}

/** Reads an attacker-controlled body. @throws CheckpointRefused 400 */
export function parseAddCheckpoint(body: Uint8Array): AddCheckpoint {
  try {
    const text = decodeUtf8(body)
    const end = text.indexOf('\n\n')
    const [first = '', ...lines] = text.slice(0, Math.max(end, 0)).split('\n')
    const old = parseDecimal(/^old (.+)$/.exec(first)?.[1] ?? '')
    const proof = lines.map(decodeBase64)
    if (proof.length > maxHashes || proof.some(({ length }) => length !== treeHashLength))
      throw new FormatError('not hashes')
    const note = text.slice(end + 2)
    parseCheckpointNote(note)
    return { old, proof, note }
  } catch (error) {
    if (error instanceof FormatError) throw new CheckpointRefused(400, 'the request is malformed')
    throw error
  }
}

/**
 * Checks that a log which this witness knows has signed the checkpoint.
 *
 * @param keys of all logs that the witness knows
 * @throws CheckpointRefused 404 for another log, 403 for a missing or wrong signature
 */
function authenticate({ note }: AddCheckpoint, keys: readonly VerifierKey[]): VerifiedCheckpoint {
  try {
    return verifyCheckpoint(sodiumPrimitives, note, keys)
  } catch (error) {
    if (!(error instanceof LogError)) throw error
    if (error.reason === 'origin_wrong') throw new CheckpointRefused(404, 'the log is not known here')
    throw new CheckpointRefused(403, 'the log has not signed this checkpoint')
  }
}

/**
 * Decides whether the witness may cosign. Pure, so that read, decision and write are one transaction.
 *
 * @param latest the checkpoint that the witness cosigned last for this log; `undefined` for none
 * @throws CheckpointRefused 400 for a step back, 409 when the asker is not up to date, 422 for a tree that is not the old
 *   one with leaves added
 */
function assertGrowth(
  { old, proof }: AddCheckpoint,
  next: Checkpoint,
  latest: Pick<Checkpoint, 'size' | 'root'> | undefined,
): void {
  if (old > next.size) throw new CheckpointRefused(400, 'the old size is larger than the checkpoint')
  const seen = latest ?? { size: 0, root: emptyRoot(sodiumPrimitives) }
  if (old !== seen.size) throw new CheckpointRefused(409, 'the latest checkpoint is another one', seen.size)
  if (next.size === seen.size && !equalBytes(next.root, seen.root) && latest !== undefined)
    throw new LogForked()
  try {
    // A log of size 0 has one root; a first checkpoint of size 0 is compared with it here.
    verifyConsistency(sodiumPrimitives, seen, next, proof)
  } catch (error) {
    if (error instanceof LogError) throw new CheckpointRefused(422, 'the proof does not hold')
    throw error
  }
}
