/**
 * Prunes superseded checkpoints.
 *
 * Under load a checkpoint is signed each second. A later checkpoint with as many cosignatures supersedes an earlier one. Of
 * each hour older than a day, the last checkpoint remains, and the last of those with the most cosignatures. Timestamped
 * checkpoints and the newest one of a log always remain.
 */

import type { Store } from '../store/store.ts'
import type { CheckpointRecord } from '../store/tlog-tree.ts'

/** Seconds for which every checkpoint remains. */
const fullRetentionPeriod = 86_400
const hour = 3_600
/** Checkpoints of one read. */
const batch = 500

export interface CheckpointGc {
  /** Prunes checkpoints that have become old since the last run. @throws StoreUnavailable */
  run(now: number): Promise<void>
}

type CheckpointGcStore = Pick<Store, 'listLogStates' | 'listCheckpointsFrom' | 'commit'>

/** The first run of a process starts with the oldest checkpoints. */
export function createCheckpointGc(store: CheckpointGcStore): CheckpointGc {
  /** By log: the size up to which checkpoints are pruned. */
  const from = new Map<number, number>()
  return {
    async run(now) {
      const before = Math.floor((now - fullRetentionPeriod) / hour) * hour
      for (const { log } of await store.listLogStates()) {
        from.set(log, await collectLog(store, log, from.get(log) ?? 0, before))
      }
    },
  }
}

/** @returns the size reached */
async function collectLog(
  store: CheckpointGcStore,
  log: number,
  start: number,
  before: number,
): Promise<number> {
  let next = start
  /** Retained checkpoints of an hour that is not completely read. */
  let retained: readonly CheckpointRecord[] = []
  for (;;) {
    const read = await store.listCheckpointsFrom(log, next, batch)
    const old = read.filter(({ signedAt }) => isOld(signedAt, before))
    const all = [...retained, ...old]
    retained = retainedOf(all)
    const gone = all.filter((record) => !retained.includes(record))
    if (gone.length > 0) {
      await store.commit(
        gone.map(({ size, signedAt }) => ({ kind: 'delete-checkpoint', log, size, signedAt })),
      )
    }
    const last = old.at(-1)
    if (last === undefined || read.length < batch || old.length < read.length) return last?.size ?? next
    next = last.size + 1
    retained = retained.filter(({ signedAt }) => hourOf(signedAt) === hourOf(last.signedAt))
  }
}

/** `signedAt` is 0 while a reissue is requested. */
function isOld(signedAt: number, before: number): boolean {
  return signedAt > 0 && signedAt < before
}

function hourOf(signedAt: number): number {
  return Math.floor(signedAt / hour)
}

/** @param records of one log, the smallest first @returns those that are not superseded */
function retainedOf(records: readonly CheckpointRecord[]): readonly CheckpointRecord[] {
  /** By hour, the most cosignatures of a later checkpoint. */
  const later = new Map<number, number>()
  return [...records]
    .reverse()
    .filter(({ signedAt, cosignatures, timestampToken }) => {
      const most = later.get(hourOf(signedAt))
      const own = countLines(cosignatures)
      later.set(hourOf(signedAt), Math.max(most ?? 0, own))
      return timestampToken !== null || most === undefined || own > most
    })
    .reverse()
}

function countLines(cosignatures: string): number {
  return cosignatures.split('\n').filter((line) => line !== '').length
}
