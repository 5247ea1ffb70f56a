/**
 * The sequencer: assigns indexes to pending entries while the log is open.
 *
 * Every process runs one. The store admits one at a time, which sequences the entries of all processes.
 */
import { maxSequenced, type SequenceBatch } from '../store/tlog-sequence.ts'
import type { LogDependencies, LogEvent } from './log-health.ts'
import type { Publisher } from './publisher.ts'
import { growAuthenticated } from './row-macs.ts'
import { TreeDamaged } from './tree.ts'

export interface Sequencer {
  /** Sequences all pending entries, batch by batch. @throws StoreUnavailable; TreeDamaged */
  drain(): Promise<void>
  /** Whether the last attempt found the tree damaged. */
  isDamaged(): boolean
}

/** The tree is smaller than the signed one: the database was restored while the service ran. */
class TreeBehind extends Error {}

export function createSequencer(
  { store, macs }: Pick<LogDependencies, 'store' | 'macs'>,
  publisher: Publisher,
  record: (event: LogEvent) => void,
): Sequencer {
  let isDamaged = false
  const growTree = growAuthenticated(macs)
  const grow = (batch: SequenceBatch) => {
    assertNotBehind(publisher, batch)
    return growTree(batch)
  }
  /** @returns whether more entries may be pending */
  const sequenceBatch = async (): Promise<boolean> => {
    const startedAt = performance.now()
    const result = await store.sequence(grow, maxSequenced)
    isDamaged = result.kind === 'refused' && result.cause instanceof TreeDamaged
    if (result.kind === 'refused') {
      if (!(result.cause instanceof TreeBehind)) throw result.cause
      // Reported by the publisher.
      await publisher.step()
    }
    if (result.kind !== 'sequenced') return false
    const durationMs = performance.now() - startedAt
    record({ kind: 'sequenced', leaves: result.leaves, size: result.state.size, durationMs })
    return result.leaves === maxSequenced
  }
  return {
    async drain() {
      while (publisher.health() === 'open') {
        const hasPending = await store.hasPending()
        if (!hasPending) isDamaged = false
        if (!hasPending || !(await sequenceBatch())) return
      }
    },
    isDamaged: () => isDamaged,
  }
}

function assertNotBehind(publisher: Publisher, { state }: SequenceBatch): void {
  const signed = publisher.signed()
  if (signed?.log === state.log && signed.size > state.size)
    throw new TreeBehind('the tree is behind its checkpoint')
}
