/** What Prometheus is told of the audit log. */
import type { Registry } from 'prom-client'
import { Counter, Gauge, Histogram } from 'prom-client'
import type { LogEvent } from '../tlog/log-health.ts'
import type { LogStatus } from '../tlog/open-log.ts'

/** Buckets for leaves that got their places in one batch; 256 is the most. */
const batchSizes = [1, 2, 4, 8, 16, 32, 64, 128, 256]
const seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5]

/**
 * Registers the metrics of the log.
 *
 * @param status asked when somebody reads the metrics
 * @returns the observer of what the log does
 */
/** How the log is, and whether a leaf could be written just now. */
export interface ObservedLog extends LogStatus {
  readonly takesEntries: boolean
}

export function observeLog(
  registry: Registry,
  status: () => Promise<ObservedLog>,
): (event: LogEvent) => void {
  const registers = [registry]
  const batch = new Histogram({
    name: 'miniseal_log_batch_size',
    help: 'Leaves that got their places in one batch of this process.',
    buckets: batchSizes,
    registers,
  })
  const duration = new Histogram({
    name: 'miniseal_log_batch_duration_seconds',
    help: 'Time until a batch is durable.',
    buckets: seconds,
    registers,
  })
  const signed = new Counter({
    name: 'miniseal_log_checkpoints_total',
    help: 'Checkpoints that this process has signed.',
    registers,
  })
  const failures = new Counter({
    name: 'miniseal_log_failures_total',
    help: 'Tasks of the log that failed and are tried again.',
    labelNames: ['task'],
    registers,
  })
  gaugeStatus(registry, status)
  return (event) => {
    if (event.kind === 'sequenced') {
      batch.observe(event.leaves)
      duration.observe(event.durationMs / 1000)
    }
    if (event.kind === 'signed') signed.inc()
    if (event.kind === 'failed') failures.inc({ task: event.task })
  }
}

/** Without an answer of the database there is no value, and not an old one. One answer serves all gauges. */
function gaugeStatus(registry: Registry, status: () => Promise<ObservedLog>): void {
  let asked: Promise<ObservedLog | undefined> | undefined
  const ask = (): Promise<ObservedLog | undefined> => {
    asked ??= status()
      .catch(() => undefined)
      .finally(() => {
        asked = undefined
      })
    return asked
  }
  const gauge = (name: string, help: string, read: (found: ObservedLog) => number | null): Gauge =>
    new Gauge({
      name: `miniseal_log_${name}`,
      help,
      registers: [registry],
      async collect() {
        const found = await ask()
        const value = found === undefined ? null : read(found)
        if (value === null) this.remove()
        else this.set(value)
      },
    })
  new Gauge({
    name: 'miniseal_log_witness_lag',
    help: 'Leaves under the newest checkpoint that a witness has not cosigned.',
    labelNames: ['witness'],
    registers: [registry],
    async collect() {
      this.reset()
      for (const { name, behind } of (await ask())?.witnesses ?? []) this.set({ witness: name }, behind)
    },
  })
  gauge('size', 'Leaves in the tree.', ({ size }) => size)
  gauge('checkpoint_size', 'Leaves under the newest checkpoint.', ({ checkpointSize }) => checkpointSize)
  gauge(
    'checkpoint_age_seconds',
    'Time since the newest checkpoint was signed.',
    (found) => found.checkpointAge,
  )
  gauge('staged', 'Leaves that have no place yet.', ({ pending }) => pending)
  gauge('open', '1 while the log takes entries; 0: nothing with an effect is done.', (found) =>
    found.health === 'open' && found.takesEntries ? 1 : 0,
  )
}
