/** What a service does besides answering: keys reread and rotated, old rows pruned. */
import type { Logger } from 'pino'
import { longestWork } from './exchange/idempotency.ts'
import type { Keyring } from './keys/keyring.ts'
import { rotateWhenDue } from './keys/keyring.ts'
import type { SecretWrapper } from './keys/wrapping.ts'
import type { Journal } from './log/journal.ts'
import { tellKeyChanges } from './log/key-leaves.ts'
import { createThinning } from './log/thinning.ts'
import type { Store } from './store/store.ts'

/** How often keys are reread and old rows pruned, in milliseconds. */
const housekeepingPeriod = 15_000

/** What was counted goes into the log once a minute. */
const roundsPerFlush = 4

/** Checkpoints of the log grow old by the hour. */
const roundsPerThinning = 40

/** Rows that one step of pruning takes: about a millisecond of the writer. */
const pruneBatch = 500

/** Batch after batch, so that requests come between them, until nothing is left. */
async function prune(store: Store, now: number): Promise<void> {
  while ((await store.prune(now, pruneBatch)) === pruneBatch) await new Promise(setImmediate)
}

interface House {
  readonly store: Store
  readonly wrapper: SecretWrapper
  readonly keyring: Keyring
  readonly journal: Journal
}

/** Rereads and rotates keys and prunes, in small steps, for as long as the service runs. @returns the stop, after the last request. */
export function keepHouse(
  { store, wrapper, keyring, journal }: House,
  now: () => number,
  log: Logger,
): () => Promise<void> {
  const thinning = createThinning(store)
  let running = Promise.resolve()
  let rounds = 0
  const timer = setInterval(() => {
    running = running.then(async () => {
      try {
        await keyring.reload()
        await rotateWhenDue(tellKeyChanges(store, journal), wrapper, keyring, now())
        await prune(store, now())
        await journal.settleLost(now() - longestWork)
        if (++rounds % roundsPerFlush === 0) await journal.flush()
        if (rounds % roundsPerThinning === 1) await thinning.run(now())
      } catch (error) {
        log.warn({ event: 'housekeeping-failed', error: error instanceof Error ? error.name : 'unknown' })
      }
    })
  }, housekeepingPeriod)
  timer.unref()
  return async () => {
    clearInterval(timer)
    await running
    await journal.flush().catch(() => log.error({ event: 'log-gap-lost' }))
  }
}
