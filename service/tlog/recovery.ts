/** Recovery commands of an operator: continue a log under a new origin, or trust the database. */
import type { Checkpoint } from 'miniseal-protocol/tlog/checkpoint'
import { parseCheckpointNote } from 'miniseal-protocol/tlog/checkpoint'
import type { Store } from '../store/store.ts'
import { type CheckpointPin, type PinnedCheckpoint, PinnedCheckpointDamaged } from './checkpoint-pin.ts'
import { assessLog, type LogDependencies, refusalTexts } from './log-health.ts'
import { findFreeOrigin, startWrites } from './origin.ts'
import { createPublisher } from './publisher.ts'

/** The operation is not possible in the current state. The message is for the operator. */
export class RecoveryRefused extends Error {}

/** A new log, and the checkpoint that its first entry cites. */
export interface NextLog {
  readonly log: number
  readonly origin: string
  readonly previous: Checkpoint | undefined
}

/** Attempts, because running services may extend the log at the same time. */
const attempts = 50

/**
 * Starts the next log. A healthy log first gets a checkpoint over all its entries; of an unhealthy one, the largest known
 * checkpoint is cited. Running services switch to the new log.
 *
 * @param base the new origin, or its prefix if it is taken
 * @throws RecoveryRefused while other processes extend the log
 */
export async function startNextLog(parts: LogDependencies, base: string, now: number): Promise<NextLog> {
  const { store, checkpointPin, macs } = parts
  for (let attempt = 1; attempt <= attempts; attempt++) {
    const state = await closeOff(parts, now)
    const ended = state?.origin ?? parts.origin
    const previous = await findLastSigned(parts, ended, state?.log)
    const origin = await findFreeOrigin(base, (candidate) => isTaken(store, checkpointPin, candidate))
    const log = state === undefined ? 0 : state.log + 1
    const lock = state === undefined ? [] : [{ kind: 'lock-log-state' as const, ...state }]
    const writes = startWrites({ log, origin, previous, now, macs })
    if ((await store.commit([...lock, ...writes])).kind === 'committed') {
      await checkpointPin.close(ended, origin)
      return { log, origin, previous }
    }
  }
  throw new RecoveryRefused('running services keep extending the log: stop them and retry')
}

/** The final state of the old log; a healthy log is completely signed. */
async function closeOff(parts: LogDependencies, now: number) {
  const state = await parts.store.findLogState()
  if (state === undefined) return undefined
  const publisher = createPublisher(
    parts,
    () => now,
    () => {},
  )
  await publisher.step(true)
  const signed = publisher.signed()
  if (publisher.health() !== 'open' || signed?.log !== state.log) return state
  // If entries were sequenced meanwhile, the commit is refused and retried.
  const record = await parts.store.findCheckpoint(state.log, signed.size)
  const { root, size } = parseCheckpointNote(record?.note ?? '').checkpoint
  return { ...state, root, size }
}

/** The larger of the pinned and the stored checkpoint; the stored one if the pinned one is damaged. */
async function findLastSigned(
  { store, checkpointPin }: LogDependencies,
  origin: string,
  log: number | undefined,
): Promise<Checkpoint | undefined> {
  const pinnedCheckpoint = await findPinned(checkpointPin, origin)
  const stored = log === undefined ? undefined : await store.findLatestCheckpoint(log)
  if (stored === undefined || (pinnedCheckpoint !== undefined && pinnedCheckpoint.size >= stored.size))
    return pinnedCheckpoint
  return parseCheckpointNote(stored.note).checkpoint
}

async function findPinned(
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

/** An origin is never reused. */
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
 * Pins the newest checkpoint of the database: the operator asserts that it was not restored from a backup.
 *
 * @returns the pinned checkpoint
 * @throws RecoveryRefused unless the pinned checkpoint is missing and everything else is sound
 */
export async function trustDatabase(parts: LogDependencies): Promise<Checkpoint> {
  const assessment = await assessLog(parts)
  if (assessment.kind !== 'refused') {
    throw new RecoveryRefused('not needed: the log is open or not started')
  }
  const { refusal, checkpoint } = assessment
  if (refusal !== 'pinned-checkpoint-missing' || checkpoint === undefined) {
    throw new RecoveryRefused(`${refusalTexts[refusal]}: run miniseal audit new-origin instead`)
  }
  await parts.checkpointPin.keep(checkpoint.note)
  return parseCheckpointNote(checkpoint.note).checkpoint
}
