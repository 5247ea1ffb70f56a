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
  /** Keys of the logs; a log may have several. */
  readonly keys: readonly VerifierKey[]
  readonly signer: NoteSigner
  readonly store: WitnessStore
  /** UNIX seconds. */
  readonly now: () => number
}

export interface Witness {
  /**
   * Cosigns a checkpoint. It is durable when this returns.
   *
   * @returns its signature line
   * @throws CheckpointRefused
   */
  addCheckpoint(request: AddCheckpoint): string
  /** The latest checkpoint of a log, with its signatures and the cosignature; `undefined` before the first. */
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
        // Signatures of other keys are dropped.
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

/** Bytes: the longest note and 63 hashes. */
export const maxRequestLength = 160 * 1024
const maxHashes = 63

export interface AddCheckpoint {
  /** The size of the witness's latest checkpoint, according to the client. */
  readonly old: number
  /** The consistency proof from the old size to the new checkpoint. */
  readonly proof: readonly Uint8Array[]
  /** The signed note; not verified. */
  readonly note: string
}

/** Statuses of the protocol. */
type RefusalStatus = 400 | 403 | 404 | 409 | 422

/** The checkpoint is refused. The message contains nothing of the request. */
export class CheckpointRefused extends Error {
  override readonly name = 'CheckpointRefused'
  readonly status: RefusalStatus
  /** With 409, the size of the witness's latest checkpoint. */
  readonly size: number

  constructor(status: RefusalStatus, message: string, size = 0) {
    super(message)
    this.status = status
    this.size = size
  }
}

/** The log signed two trees of one size. Unlike a wrong proof, a client cannot cause that. */
export class LogForked extends CheckpointRefused {
  constructor() {
    super(422, 'the log signed another tree of this size')
  }
}

/** Parses an attacker-controlled body. @throws CheckpointRefused 400 */
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
 * Verifies the signature of the log.
 *
 * @throws CheckpointRefused 404 for an unknown log, 403 for a missing or invalid signature
 */
function authenticate({ note }: AddCheckpoint, keys: readonly VerifierKey[]): VerifiedCheckpoint {
  try {
    return verifyCheckpoint(sodiumPrimitives, note, keys)
  } catch (error) {
    if (!(error instanceof LogError)) throw error
    if (error.reason === 'origin_wrong') throw new CheckpointRefused(404, 'unknown log')
    throw new CheckpointRefused(403, 'the checkpoint has no valid signature of the log')
  }
}

/**
 * Verifies that a checkpoint extends the latest one. Pure, so that read, decision and write are one transaction.
 *
 * @param latest the latest cosigned checkpoint of the log, if any
 * @throws CheckpointRefused 400 for a smaller size, 409 for another `old` size, 422 for an inconsistent tree
 */
function assertGrowth(
  { old, proof }: AddCheckpoint,
  next: Checkpoint,
  latest: Pick<Checkpoint, 'size' | 'root'> | undefined,
): void {
  if (old > next.size) throw new CheckpointRefused(400, 'the old size is larger than the checkpoint')
  const seen = latest ?? { size: 0, root: emptyRoot(sodiumPrimitives) }
  if (old !== seen.size) throw new CheckpointRefused(409, 'the latest checkpoint has another size', seen.size)
  if (next.size === seen.size && !equalBytes(next.root, seen.root) && latest !== undefined)
    throw new LogForked()
  try {
    // Also compares a first checkpoint of size 0 with the empty root.
    verifyConsistency(sodiumPrimitives, seen, next, proof)
  } catch (error) {
    if (error instanceof LogError) throw new CheckpointRefused(422, 'the consistency proof is invalid')
    throw error
  }
}
