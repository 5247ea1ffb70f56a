/**
 * Takes away old checkpoints that a later one stands for.
 *
 * Under load one is signed each second. A later one proves all that an earlier one did, as long as no fewer witnesses have
 * cosigned it; so of each hour that is a day old the last one stays, and the last of those with the most cosignatures.
 * One with a timestamp stays for ever, and so does the newest of a log.
 */

import type { Store } from '../store/store.ts'
import type { CheckpointRecord } from '../store/tlog-tree.ts'

/** For so many seconds every checkpoint is kept. */
const fullRetentionPeriod = 86_400
const hour = 3_600
/** Checkpoints that are looked at together: at most an hour's, with one to spare. */
const batch = 500

export interface CheckpointGc {
  /** Thins what has become old since it was called last. @throws StoreUnavailable */
  run(now: number): Promise<void>
}

type CheckpointGcStore = Pick<Store, 'listLogStates' | 'listCheckpointsFrom' | 'commit'>

/** Begins with the oldest checkpoints, once in each process. */
export function createCheckpointGc(store: CheckpointGcStore): CheckpointGc {
  /** By log: the size from which on it has not been looked at for good. */
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

/** @returns the size that it has come to */
async function collectLog(
  store: CheckpointGcStore,
  log: number,
  start: number,
  before: number,
): Promise<number> {
  let next = start
  /** Of an hour whose end has not been seen: those that stand for the others so far. */
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

/** One that is to be signed anew has no time: it is not old. */
function isOld(signedAt: number, before: number): boolean {
  return signedAt > 0 && signedAt < before
}

function hourOf(signedAt: number): number {
  return Math.floor(signedAt / hour)
}

/** @param records of one log, the smallest first @returns those that no later one stands for */
function retainedOf(records: readonly CheckpointRecord[]): readonly CheckpointRecord[] {
  /** By hour, the most cosignatures on a later one. */
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
