/** The maintenance job: reloads and rotates keys, prunes expired rows and checkpoints, logs abandoned intents. */
import type { Logger } from 'pino'
import { maxWorkDuration } from './channel/idempotency.ts'
import type { ClockWatch } from './clock.ts'
import type { Keyring } from './keys/keyring.ts'
import { rotateWhenDue } from './keys/rotation.ts'
import type { SecretWrapper } from './keys/wrapping.ts'
import type { Store } from './store/store.ts'
import type { Appender } from './tlog/appender.ts'
import { createCheckpointGc } from './tlog/checkpoint-gc.ts'
import { logKeyChanges } from './tlog/lifecycle-entries.ts'

/** Milliseconds between two rounds. */
const defaultPeriod = 15_000

/** Counted refusals are written to the transparency log once a minute. */
const roundsPerFlush = 4

const roundsPerCheckpointGc = 40

/** Rows per pruning transaction, about a millisecond of the writer. */
const pruneBatch = 500

export interface MaintenanceOptions {
  readonly store: Store
  readonly wrapper: SecretWrapper
  readonly keyring: Keyring
  readonly appender: Appender
  /** Rows that expired before its trusted time are pruned. */
  readonly clock: ClockWatch
  /** UNIX seconds. */
  readonly now: () => number
  readonly log: Logger
  /** Milliseconds between two rounds. */
  readonly period?: number | undefined
}

/** Starts the job. @returns the stop; call it after the last request. */
export function startMaintenance(options: MaintenanceOptions): () => Promise<void> {
  const { store, appender, log, period = defaultPeriod } = options
  const checkpointGc = createCheckpointGc(store)
  let running = Promise.resolve()
  let rounds = 0
  const timer = setInterval(() => {
    running = running.then(async () => {
      try {
        const trusted = await runRound(options)
        if (++rounds % roundsPerFlush === 0) await appender.flush()
        if (trusted !== undefined && rounds % roundsPerCheckpointGc === 1) await checkpointGc.run(trusted)
      } catch (error) {
        log.warn({ event: 'maintenance.failed', error: error instanceof Error ? error.name : 'unknown' })
      }
    })
  }, period)
  timer.unref()
  return async () => {
    clearInterval(timer)
    await running
    await appender.flush().catch(() => log.error({ event: 'tlog.flush_failed' }))
  }
}

/** @returns UNIX seconds up to which rows were pruned; `undefined` while the clock is not trusted */
async function runRound(options: MaintenanceOptions): Promise<number | undefined> {
  const { store, wrapper, keyring, appender, clock, now } = options
  await keyring.reload()
  await rotateWhenDue(logKeyChanges(store, appender), wrapper, keyring, now())
  const trusted = clock.trustedTime()
  if (trusted !== undefined) await prune(store, trusted)
  await appender.logAbandonedIntents(now() - maxWorkDuration)
  return trusted
}

/** Prunes in batches, so that commits of requests run in between. */
async function prune(store: Store, now: number): Promise<void> {
  while ((await store.prune(now, pruneBatch)) === pruneBatch) await new Promise(setImmediate)
}
