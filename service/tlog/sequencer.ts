/**
 * Gives staged leaves their places, for as long as the log may go on.
 *
 * Each process sequences what it staged; what a process left behind that died is found by the others. The store lets one
 * of them in at a time, so it does not matter who takes which leaves.
 */
import { maxSequenced, type SequenceBatch, type SequenceResult } from '../store/tlog-sequence.ts'
import type { LogEvent, LogPaths } from './log-health.ts'
import type { Publisher } from './publisher.ts'
import { growAuthenticated } from './row-macs.ts'
import { TreeDamaged } from './tree.ts'

export interface Sequencer {
  /** Takes all that is staged, batch after batch. @throws StoreUnavailable; TreeDamaged */
  drain(): Promise<void>
  /** The tree was found to be damaged, and has not been grown since. */
  isDamaged(): boolean
}

/** The tree is smaller than what was signed: the database was put back while the service ran. */
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

/** A tree that is behind is what the publisher finds, too, and says in its words. */
async function explain(publisher: Publisher, { cause }: Extract<SequenceResult, { kind: 'refused' }>) {
  if (!(cause instanceof TreeBehind)) throw cause
  await publisher.step()
}
