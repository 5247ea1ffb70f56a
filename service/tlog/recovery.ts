/** What an operator decides, because a program cannot: that a log ends here and goes on as another one, or that a database is the right one. */
import type { Store } from '../store/store.ts'
import { type Checkpoint, parseCheckpointNote } from './checkpoint.ts'
import { type CheckpointPin, type PinnedCheckpoint, PinnedCheckpointDamaged } from './checkpoint-pin.ts'
import { assessLog, type LogPaths, refusalTexts } from './log-health.ts'
import { findFreeOrigin, startWrites } from './origin.ts'
import { createPublisher } from './publisher.ts'

/** It cannot be done as things are; the message is for the operator. */
export class RecoveryRefused extends Error {}

/** The log that was started, and what its first leaf cites. */
export interface NextLog {
  readonly log: number
  readonly origin: string
  readonly previous: Checkpoint | undefined
}

/** A running service may grow the log while this one is about to end it: so often it is tried again. */
const attempts = 50

/**
 * Starts the next log. A log that may go on gets a last checkpoint over all its leaves before; of one that may not, the
 * largest checkpoint that is known is cited. Services that run go on with the next log by themselves.
 *
 * @param base the new origin, or, where it is taken, what it begins with
 * @throws RecoveryRefused when other processes do not let it come to an end.
 */
export async function startNextLog(paths: LogPaths, base: string, now: number): Promise<NextLog> {
  const { store, checkpointPin, macs } = paths
  for (let attempt = 1; attempt <= attempts; attempt++) {
    const state = await closeOff(paths, now)
    const ended = state?.origin ?? paths.origin
    const previous = await findLastSigned(paths, ended, state?.log)
    const origin = await findFreeOrigin(base, (candidate) => isTaken(store, checkpointPin, candidate))
    const log = state === undefined ? 0 : state.log + 1
    const hold = state === undefined ? [] : [{ kind: 'lock-log-state' as const, ...state }]
    const writes = startWrites({ log, origin, previous, now, macs })
    if ((await store.commit([...hold, ...writes])).kind === 'committed') {
      await checkpointPin.close(ended, origin)
      return { log, origin, previous }
    }
  }
  throw new RecoveryRefused('services keep writing to the log: stop them, and start the new origin then')
}

/** The state of the log to be ended; all of it is signed, where anything may be signed. */
async function closeOff(paths: LogPaths, now: number) {
  const state = await paths.store.findLogState()
  if (state === undefined) return undefined
  const publisher = createPublisher(
    paths,
    () => now,
    () => {},
  )
  await publisher.step(true)
  const signed = publisher.signed()
  if (publisher.health().kind !== 'open' || signed?.log !== state.log) return state
  // What was sequenced meanwhile is not signed: the commit is refused, and all of this is done again.
  const { root, size } = parseCheckpointNote(
    (await paths.store.findCheckpoint(state.log, signed.size))?.note ?? '',
  )
  return { ...state, root, size }
}

/** The larger one of what the anchor and the database know. Of an anchor that is damaged the database must do. */
async function findLastSigned(
  { store, checkpointPin }: LogPaths,
  origin: string,
  log: number | undefined,
): Promise<Checkpoint | undefined> {
  const pinnedCheckpoint = await findLocked(checkpointPin, origin)
  const stored = log === undefined ? undefined : await store.findLatestCheckpoint(log)
  if (stored === undefined || (pinnedCheckpoint !== undefined && pinnedCheckpoint.size >= stored.size))
    return pinnedCheckpoint
  return parseCheckpointNote(stored.note)
}

async function findLocked(
  checkpointPin: CheckpointPin,
  origin: string,
): Promise<PinnedCheckpoint | undefined> {
  try {
    return await checkpointPin.find(origin)
  } catch (error) {
    if (error instanceof PinnedCheckpointDamaged) return undefined
    throw error
  }
}

/** A name under which anything was ever signed here is not used again. */
async function isTaken(store: Store, checkpointPin: CheckpointPin, origin: string): Promise<boolean> {
  if ((await store.listLogStates()).some((state) => state.origin === origin)) return true
  if ((await checkpointPin.findSuccessor(origin)) !== undefined) return true
  try {
    return (await checkpointPin.find(origin)) !== undefined
  } catch (error) {
    if (error instanceof PinnedCheckpointDamaged) return true
    throw error
  }
}

/**
 * Makes the anchor of this machine from the database: the operator says that it was not put back from a backup.
 *
 * @returns the checkpoint that is kept from now on
 * @throws RecoveryRefused unless an anchor is all that is missing.
 */
export async function trustDatabase(paths: LogPaths): Promise<Checkpoint> {
  const assessment = await assessLog(paths)
  if (assessment.kind !== 'refused') {
    throw new RecoveryRefused('nothing is missing here: the log goes on, or has not been started')
  }
  const { refusal, checkpoint } = assessment
  if (refusal !== 'pinned-checkpoint-missing' || checkpoint === undefined) {
    throw new RecoveryRefused(`${refusalTexts[refusal]}: start a new origin instead`)
  }
  await paths.checkpointPin.keep(checkpoint.note)
  return parseCheckpointNote(checkpoint.note)
}
