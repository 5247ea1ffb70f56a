/** What a service does besides answering: keys reread and rotated, old rows pruned by a clock that can be trusted. */
import type { Logger } from 'pino'
import { maxWorkDuration } from './channel/idempotency.ts'
import type { ClockWatch } from './clock.ts'
import type { Keyring } from './keys/keyring.ts'
import { rotateWhenDue } from './keys/rotation.ts'
import type { SecretWrapper } from './keys/wrapping.ts'
import type { Store } from './store/store.ts'
import type { Appender } from './tlog/appender.ts'
import { createCheckpointGc } from './tlog/checkpoint-gc.ts'
import { logKeyChanges } from './tlog/key-leaves.ts'

/** How often keys are reread and old rows pruned, in milliseconds. */
const defaultMaintenancePeriod = 15_000

/** What was counted goes into the log once a minute. */
const roundsPerFlush = 4

/** Checkpoints of the log grow old by the hour. */
const roundsPerCheckpointGc = 40

/** Rows that one step of pruning takes: about a millisecond of the writer. */
const pruneBatch = 500

/** Batch after batch, so that requests come between them, until nothing is left. */
async function prune(store: Store, now: number): Promise<void> {
  while ((await store.prune(now, pruneBatch)) === pruneBatch) await new Promise(setImmediate)
}

export interface MaintenanceDependencies {
  readonly store: Store
  readonly wrapper: SecretWrapper
  readonly keyring: Keyring
  readonly appender: Appender
  /** Says by which time rows may be deleted. */
  readonly clock: ClockWatch
  /** Between two rounds, in milliseconds. */
  readonly period?: number | undefined
}

/** Rereads and rotates keys and prunes, in small steps, for as long as the service runs. @returns the stop, after the last request. */
export function runMaintenance(
  dependencies: MaintenanceDependencies,
  now: () => number,
  log: Logger,
): () => Promise<void> {
  const { store, appender, period = defaultMaintenancePeriod } = dependencies
  const checkpointGc = createCheckpointGc(store)
  let running = Promise.resolve()
  let rounds = 0
  const timer = setInterval(() => {
    running = running.then(async () => {
      try {
        const trusted = await runRound(dependencies, now)
        if (++rounds % roundsPerFlush === 0) await appender.flush()
        if (trusted !== undefined && rounds % roundsPerCheckpointGc === 1) await checkpointGc.run(trusted)
      } catch (error) {
        log.warn({ event: 'housekeeping-failed', error: error instanceof Error ? error.name : 'unknown' })
      }
    })
  }, period)
  timer.unref()
  return async () => {
    clearInterval(timer)
    await running
    await appender.flush().catch(() => log.error({ event: 'log-gap-lost' }))
  }
}

/** @returns UNIX seconds up to which rows were deleted; `undefined` when none were */
async function runRound(
  { store, wrapper, keyring, appender, clock }: MaintenanceDependencies,
  now: () => number,
): Promise<number | undefined> {
  await keyring.reload()
  await rotateWhenDue(logKeyChanges(store, appender), wrapper, keyring, now())
  const trusted = clock.trustedTime()
  if (trusted !== undefined) await prune(store, trusted)
  await appender.logLostIntents(now() - maxWorkDuration)
  return trusted
}
