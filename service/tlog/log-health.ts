/**
 * The health of the log: entries are accepted only if the database has the tree that was signed last.
 *
 * The last signed checkpoint is the larger of the pinned one on this machine and the newest one in the database. A restored
 * backup lacks signed entries: its tree is smaller than the pinned checkpoint, or inconsistent with it.
 */
import { encodeHex } from 'miniseal-protocol/text'
import { parseCheckpointNote } from 'miniseal-protocol/tlog/checkpoint'
import type { TreeHead } from 'miniseal-protocol/tlog/merkle'
import type { Keyring } from '../keys/keyring.ts'
import type { Store } from '../store/store.ts'
import type { CheckpointRecord, LogState } from '../store/tlog-tree.ts'
import { verifyNoteSignatures } from './checkpoint.ts'
import { type CheckpointPin, type PinnedCheckpoint, PinnedCheckpointDamaged } from './checkpoint-pin.ts'
import { isOriginOf } from './origin.ts'
import { consistencyProof, isConsistent, type TileSource, treeRoot } from './reader.ts'
import { isAuthentic, type RowMacs } from './row-macs.ts'
import { TreeDamaged } from './tree.ts'

/** Why the log is closed: nothing is signed, and requests with an effect are refused. */
export type Refusal =
  /** The pinned checkpoint is larger than the tree, or inconsistent with it: a restored backup. */
  | 'database-behind'
  | 'pinned-checkpoint-differs'
  /** A signed log without a pinned checkpoint on this machine. */
  | 'pinned-checkpoint-missing'
  | 'pinned-checkpoint-damaged'
  /** The newest checkpoint of the database is not signed by a log key, or not of this tree. */
  | 'checkpoint-unsigned'
  | 'checkpoint-differs'
  /** A pinned checkpoint, and no log in the database. */
  | 'log-missing'
  /** The log was continued as another one, which the database does not have. */
  | 'log-continued'
  /** The log of the database is not the one that the configuration names. */
  | 'origin-differs'
  /** The root of the tiles is wrong, or state or pending entries are not authentic. */
  | 'tree-damaged'

/** Texts for the operator. */
export const refusalTexts: Readonly<Record<Refusal, string>> = {
  'database-behind': 'the pinned checkpoint is larger than the tree: the database is an older copy',
  'pinned-checkpoint-differs':
    'the database is inconsistent with the pinned checkpoint: entries were lost and others appended',
  'pinned-checkpoint-missing': 'this machine has no pinned checkpoint, but the log was signed before',
  'pinned-checkpoint-damaged': 'the pinned checkpoint cannot be read',
  'checkpoint-unsigned': 'the newest checkpoint in the database is not signed with a key of this log',
  'checkpoint-differs': 'the newest checkpoint in the database is inconsistent with the tree in the database',
  'log-missing': 'this machine has a pinned checkpoint, but the database has no log',
  'log-continued': 'the log was continued under another origin, which the database does not have',
  'origin-differs': 'the log in the database has another origin than MINISEAL_LOG_ORIGIN',
  'tree-damaged': 'the tree in the database was changed',
}

export type Assessment =
  | ({ readonly kind: 'sound' } & FoundLog)
  /** The database has no log, and none is pinned. */
  | { readonly kind: 'unstarted' }
  | ({ readonly kind: 'refused'; readonly refusal: Refusal } & Found)

/** The data that an assessment has read; after a refusal possibly incomplete. */
interface Found {
  readonly state?: LogState
  readonly checkpoint?: CheckpointRecord | undefined
  readonly pinnedCheckpoint?: PinnedCheckpoint | undefined
}

/** The database, keys and pinned checkpoints of a log. */
export interface LogDependencies {
  readonly store: Store
  readonly checkpointPin: CheckpointPin
  readonly keyring: Keyring
  readonly macs: RowMacs
  /** The origin of the first log. */
  readonly origin: string
  /** Whether the configuration requires this origin, or one that continues it. */
  readonly isOriginGiven: boolean
}

interface FoundLog extends Found {
  readonly state: LogState
}

/** The last state that was proved, to skip proofs while nothing changes. */
export interface Proved {
  mark: string
}

/** Assesses the current log. @throws StoreUnavailable; errors of the file system */
export async function assessLog(parts: LogDependencies, proved: Proved = { mark: '' }): Promise<Assessment> {
  const { store, checkpointPin } = parts
  for (;;) {
    const newest = await store.findLogState()
    if (newest === undefined) return await assessAbsent(parts)
    try {
      // In this order, signatures of other processes in between can only put the tree ahead.
      const pinnedCheckpoint = await checkpointPin.find(newest.origin)
      const checkpoint = await store.findLatestCheckpoint(newest.log)
      const state = await store.findLogState()
      if (state?.log !== newest.log) continue
      return await assessFound(parts, { state, checkpoint, pinnedCheckpoint }, proved)
    } catch (error) {
      if (!(error instanceof PinnedCheckpointDamaged)) throw error
      return { kind: 'refused', refusal: 'pinned-checkpoint-damaged', state: newest }
    }
  }
}

async function assessAbsent({ checkpointPin, origin }: LogDependencies): Promise<Assessment> {
  try {
    const pinnedCheckpoint = await checkpointPin.find(origin)
    if (pinnedCheckpoint === undefined) return { kind: 'unstarted' }
    return { kind: 'refused', refusal: 'log-missing', pinnedCheckpoint }
  } catch (error) {
    if (!(error instanceof PinnedCheckpointDamaged)) throw error
    return { kind: 'refused', refusal: 'pinned-checkpoint-damaged' }
  }
}

async function assessFound(parts: LogDependencies, seen: FoundLog, proved: Proved): Promise<Assessment> {
  const mark = markOf(seen)
  const conflict = await findConflict(parts, seen)
  const refusal = conflict ?? (proved.mark === mark ? undefined : await findDamage(parts.store, seen))
  proved.mark = refusal === undefined ? mark : ''
  return refusal === undefined ? { kind: 'sound', ...seen } : { kind: 'refused', refusal, ...seen }
}

/** The inputs of a proof. */
function markOf({ state, checkpoint, pinnedCheckpoint }: FoundLog): string {
  const { log, size, root } = state
  return JSON.stringify([log, size, encodeHex(root), checkpoint?.note, pinnedCheckpoint?.note])
}

/** Checks that do not need the tree. */
async function findConflict(
  { checkpointPin, keyring, macs, origin, isOriginGiven }: LogDependencies,
  { state, checkpoint, pinnedCheckpoint }: FoundLog,
): Promise<Refusal | undefined> {
  if (isOriginGiven && !isOriginOf(state.origin, origin)) return 'origin-differs'
  if ((await checkpointPin.findSuccessor(state.origin)) !== undefined) return 'log-continued'
  if (pinnedCheckpoint !== undefined && pinnedCheckpoint.size > state.size) return 'database-behind'
  if (checkpoint !== undefined && !isOurs(keyring, checkpoint, state)) return 'checkpoint-unsigned'
  return isAuthentic(macs, state) ? undefined : 'tree-damaged'
}

/** Whether a key of the log, current or former, has signed it, and it states the log and size of its row. */
function isOurs(keyring: Keyring, { note, size }: CheckpointRecord, { origin }: LogState): boolean {
  const keys = keyring
    .known('log')
    .map(({ publicKey }) => ({ kind: 'ed25519' as const, name: origin, publicKey }))
  try {
    const { checkpoint, note: signed } = parseCheckpointNote(note)
    const { good, bad } = verifyNoteSignatures(signed, keys)
    return checkpoint.origin === origin && checkpoint.size === size && good.length > 0 && bad.length === 0
  } catch {
    return false
  }
}

/** The tiles must give the root of the tree, and the tree must extend the signed ones. */
async function findDamage(
  store: Store,
  { state, checkpoint, pinnedCheckpoint }: FoundLog,
): Promise<Refusal | undefined> {
  // Without a cache, which would hide changes of the database.
  const tiles: TileSource = async (level, index, width) => {
    const hashes = (await store.findTile(state.log, level, index))?.hashes
    return hashes === undefined || hashes.length < width * 32 ? undefined : hashes.slice(0, width * 32)
  }
  const isExtended = async (head: TreeHead): Promise<boolean> =>
    head.size <= state.size && isConsistent(head, state, await consistencyProof(tiles, head.size, state.size))
  try {
    const root = await treeRoot(tiles, state.size)
    if (!isConsistent({ size: state.size, root }, state, [])) return 'tree-damaged'
    if (pinnedCheckpoint !== undefined && !(await isExtended(pinnedCheckpoint)))
      return 'pinned-checkpoint-differs'
    if (checkpoint === undefined) return undefined
    if (!(await isExtended(parseCheckpointNote(checkpoint.note).checkpoint))) return 'checkpoint-differs'
    return pinnedCheckpoint === undefined ? 'pinned-checkpoint-missing' : undefined
  } catch (error) {
    if (error instanceof TreeDamaged) return 'tree-damaged'
    throw error
  }
}

// Events for logger and metrics. They never contain the content of an entry.

/** Whether the log accepts entries. */
export type LogHealth = 'starting' | 'open' | Refusal

export type LogEvent =
  /** The health changed. */
  | { readonly kind: 'health'; readonly health: LogHealth }
  /** A batch was sequenced. */
  | {
      readonly kind: 'sequenced'
      readonly leaves: number
      readonly size: number
      readonly durationMs: number
    }
  /** A checkpoint was signed and is served. */
  | { readonly kind: 'signed'; readonly origin: string; readonly size: number }
  /** A task failed; it is retried. */
  | { readonly kind: 'failed'; readonly task: LogTask; readonly error: unknown }

export type LogTask = 'sequencing' | 'publishing' | 'witnessing' | 'timestamping'

/** The log as exchanges use it. */
export interface EntryGate {
  /**
   * Called before the nonce of a request that may have an effect is claimed, logins included.
   *
   * @throws ProblemError `unavailable` while the log is closed
   */
  assertAcceptingEntries(): void
  /** Called after an entry was committed; starts the sequencer. Never throws. */
  notify(): void
}
