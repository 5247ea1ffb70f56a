/**
 * Whether the log may be extended: the database must hold the tree that was signed last.
 *
 * The last signed checkpoint is known from the pinned checkpoint on this machine and from the checkpoints in the database. A
 * restored backup lacks signed entries: its tree is smaller than the pinned checkpoint, or inconsistent with it.
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

/** Why nothing is signed and requests with an effect are refused. */
export type Refusal =
  /** The pinned checkpoint is larger than the tree, or inconsistent with it: a restored backup. */
  | 'database-behind'
  | 'pinned-checkpoint-differs'
  /** A signed log without a pinned checkpoint on this machine. */
  | 'pinned-checkpoint-missing'
  | 'pinned-checkpoint-damaged'
  /** The newest checkpoint of the database is not one of ours, or not one of this tree. */
  | 'checkpoint-unsigned'
  | 'checkpoint-differs'
  /** A pinned checkpoint, and no log in the database. */
  | 'log-missing'
  /** The log was continued as another one, which the database does not have. */
  | 'log-continued'
  /** The log of the database is not the one that the configuration names. */
  | 'origin-differs'
  /** The tiles do not give the root, or state or pending entries are not authentic. */
  | 'tree-damaged'

/** Texts for the operator. */
export const refusalTexts: Readonly<Record<Refusal, string>> = {
  'database-behind': 'the pinned checkpoint is larger than the tree: the database is an older copy',
  'pinned-checkpoint-differs':
    'the database is inconsistent with the pinned checkpoint: it has lost entries and got others since',
  'pinned-checkpoint-missing': 'the log was signed before, and this machine has no pinned checkpoint',
  'pinned-checkpoint-damaged': 'the pinned checkpoint cannot be read',
  'checkpoint-unsigned': 'the newest checkpoint in the database is not signed with a key of this log',
  'checkpoint-differs': 'the newest checkpoint in the database is not one of the tree beside it',
  'log-missing': 'a log of this origin was signed here before, and the database has none',
  'log-continued': 'the log was continued under another origin, which the database does not have',
  'origin-differs': 'the log in the database has another origin than MINISEAL_LOG_ORIGIN',
  'tree-damaged': 'the tree in the database was changed',
}

/** What was found. */
export type Assessment =
  | {
      readonly kind: 'sound'
      readonly state: LogState
      readonly checkpoint: CheckpointRecord | undefined
      readonly pinnedCheckpoint: PinnedCheckpoint | undefined
    }
  /** No log was started here, ever. */
  | { readonly kind: 'unstarted' }
  | ({ readonly kind: 'refused'; readonly refusal: Refusal } & Found)

/** What is there; a refusal says no more than it has looked at. */
export interface Found {
  readonly state: LogState | undefined
  readonly checkpoint: CheckpointRecord | undefined
  readonly pinnedCheckpoint: PinnedCheckpoint | undefined
}

/** What an assessment looks at. */
export interface LogPaths {
  readonly store: Store
  readonly checkpointPin: CheckpointPin
  readonly keyring: Keyring
  readonly macs: RowMacs
  /** The origin of a log that is started now. */
  readonly origin: string
  /** Whether the configuration asks for exactly this origin, or one that continues it. */
  readonly isOriginGiven: boolean
}

interface Seen extends Found {
  readonly state: LogState
}

/** What was last proved sound, to skip proofs while nothing changes. */
export interface Proved {
  mark: string
}

/** Looks at the log as it is now. @throws StoreUnavailable, and what the file system throws. */
export async function assessLog(paths: LogPaths, proved: Proved = { mark: '' }): Promise<Assessment> {
  const { store, checkpointPin } = paths
  for (;;) {
    const newest = await store.findLogState()
    if (newest === undefined) return await assessAbsent(paths)
    try {
      // In this order: what is signed meanwhile by another process can only put the tree ahead.
      const pinnedCheckpoint = await checkpointPin.find(newest.origin)
      const checkpoint = await store.findLatestCheckpoint(newest.log)
      const state = await store.findLogState()
      if (state?.log !== newest.log) continue
      return await judge(paths, { state, checkpoint, pinnedCheckpoint }, proved)
    } catch (error) {
      if (!(error instanceof PinnedCheckpointDamaged)) throw error
      return {
        kind: 'refused',
        refusal: 'pinned-checkpoint-damaged',
        state: newest,
        checkpoint: undefined,
        pinnedCheckpoint: undefined,
      }
    }
  }
}

async function assessAbsent({ checkpointPin, origin }: LogPaths): Promise<Assessment> {
  const nothing = { state: undefined, checkpoint: undefined, pinnedCheckpoint: undefined }
  try {
    const pinnedCheckpoint = await checkpointPin.find(origin)
    if (pinnedCheckpoint === undefined) return { kind: 'unstarted' }
    return { kind: 'refused', refusal: 'log-missing', ...nothing, pinnedCheckpoint }
  } catch (error) {
    if (!(error instanceof PinnedCheckpointDamaged)) throw error
    return { kind: 'refused', refusal: 'pinned-checkpoint-damaged', ...nothing }
  }
}

async function judge(paths: LogPaths, seen: Seen, proved: Proved): Promise<Assessment> {
  const mark = markOf(seen)
  const conflict = await findConflict(paths, seen)
  const refusal = conflict ?? (proved.mark === mark ? undefined : await findDamage(paths.store, seen))
  proved.mark = refusal === undefined ? mark : ''
  return refusal === undefined ? { kind: 'sound', ...seen } : { kind: 'refused', refusal, ...seen }
}

/** Everything that a proof is about. */
function markOf({ state, checkpoint, pinnedCheckpoint }: Seen): string {
  const { log, size, root } = state
  return JSON.stringify([log, size, encodeHex(root), checkpoint?.note, pinnedCheckpoint?.note])
}

/** What can be seen without the tree. */
async function findConflict(
  { checkpointPin, keyring, macs, origin, isOriginGiven }: LogPaths,
  { state, checkpoint, pinnedCheckpoint }: Seen,
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

/** The tree must give its own root, and continue whatever was signed. */
async function findDamage(
  store: Store,
  { state, checkpoint, pinnedCheckpoint }: Seen,
): Promise<Refusal | undefined> {
  // Not through a cache: it would go on showing what is no longer there.
  const tiles: TileSource = async (level, index, width) => {
    const hashes = (await store.findTile(state.log, level, index))?.hashes
    return hashes === undefined || hashes.length < width * 32 ? undefined : hashes.slice(0, width * 32)
  }
  const isContinued = async (head: TreeHead): Promise<boolean> =>
    head.size <= state.size && isConsistent(head, state, await consistencyProof(tiles, head.size, state.size))
  try {
    const root = await treeRoot(tiles, state.size)
    if (!isConsistent({ size: state.size, root }, state, [])) return 'tree-damaged'
    if (pinnedCheckpoint !== undefined && !(await isContinued(pinnedCheckpoint)))
      return 'pinned-checkpoint-differs'
    if (checkpoint === undefined) return undefined
    if (!(await isContinued(parseCheckpointNote(checkpoint.note).checkpoint))) return 'checkpoint-differs'
    return pinnedCheckpoint === undefined ? 'pinned-checkpoint-missing' : undefined
  } catch (error) {
    if (error instanceof TreeDamaged) return 'tree-damaged'
    throw error
  }
}

// Events for logger and metrics. They never contain the content of an entry.

/** Whether the log accepts entries. */
export type LogHealth =
  | { readonly kind: 'starting' }
  | { readonly kind: 'open' }
  | { readonly kind: 'refused'; readonly refusal: Refusal }

export type LogEvent =
  /** It changed. */
  | { readonly kind: 'health'; readonly health: LogHealth }
  /** A batch was sequenced. */
  | {
      readonly kind: 'sequenced'
      readonly leaves: number
      readonly size: number
      readonly durationMs: number
    }
  /** A checkpoint is served. */
  | { readonly kind: 'signed'; readonly origin: string; readonly size: number }
  /** It is tried again. */
  | { readonly kind: 'failed'; readonly task: LogTask; readonly error: unknown }

export type LogTask = 'sequencing' | 'publishing' | 'witnessing' | 'timestamping'

/** The log as exchanges use it. */
export interface EntryGate {
  /**
   * Called before the nonce of a request that may have an effect is claimed, logins included.
   *
   * @throws ProblemError `unavailable` while no checkpoint can be signed, because the database is not the one signed last.
   */
  assertAcceptingEntries(): void
  /** An entry was committed: wakes the sequencer. Never throws. */
  notify(): void
}
