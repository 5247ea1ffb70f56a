/**
 * The sequencer: assigns indexes to pending entries while the log is open.
 *
 * Every process runs one; the store admits one at a time, so any of them may sequence the entries of another.
 */
import { maxSequenced, type SequenceBatch, type SequenceResult } from '../store/tlog-sequence.ts'
import type { LogEvent, LogPaths } from './log-health.ts'
import type { Publisher } from './publisher.ts'
import { growAuthenticated } from './row-macs.ts'
import { TreeDamaged } from './tree.ts'

export interface Sequencer {
  /** Sequences all pending entries, batch by batch. @throws StoreUnavailable; TreeDamaged */
  drain(): Promise<void>
  /** The tree was found to be damaged, and has not been grown since. */
  isDamaged(): boolean
}

/** The tree is smaller than the signed one: the database was restored while the service ran. */
class TreeBehind extends Error {}

/** Makes the sequencer of one process. */
export function createSequencer(
  { store, macs }: Pick<LogPaths, 'store' | 'macs'>,
  publisher: Publisher,
  record: (event: LogEvent) => void,
): Sequencer {
  let isDamaged = false
  const growOwn = growAuthenticated(macs)
  const grow = (batch: SequenceBatch) => {
    assertNotBehind(publisher, batch)
    return growOwn(batch)
  }
  return {
    async drain() {
      while (publisher.health().kind === 'open') {
        if (!(await store.hasPending())) {
          isDamaged = false
          return
        }
        const startedAt = performance.now()
        const result = await store.sequence(grow, maxSequenced)
        isDamaged = result.kind === 'refused' && result.cause instanceof TreeDamaged
        if (result.kind === 'refused') return await explain(publisher, result)
        if (result.kind !== 'sequenced') return
        const durationMs = performance.now() - startedAt
        record({ kind: 'sequenced', leaves: result.leaves, size: result.state.size, durationMs })
        if (result.leaves < maxSequenced) return
      }
    },
    isDamaged: () => isDamaged,
  }
}

function assertNotBehind(publisher: Publisher, { state }: SequenceBatch): void {
  const signed = publisher.signed()
  if (signed?.log === state.log && signed.size > state.size) throw new TreeBehind('the tree is behind')
}

/** The publisher reports a tree that is behind. */
async function explain(publisher: Publisher, { cause }: Extract<SequenceResult, { kind: 'refused' }>) {
  if (!(cause instanceof TreeBehind)) throw cause
  await publisher.step()
}
