/** The Prometheus metrics. Every label value comes from a closed set, so clients cannot add series. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { ExchangeRecord } from '../channel/context.ts'
import type { ClockJump } from '../clock.ts'
import type { RouteState, UpstreamFault } from '../gateway/upstream-pool.ts'
import type { DiskGuard } from '../limits/disk.ts'
import type { ResourceUsage } from '../limits/limits.ts'
import type { CommitReport, Store } from '../store/store.ts'
import type { LogEvent } from '../tlog/log-health.ts'
import type { LogStatus } from '../tlog/open-log.ts'
import type { CloseReason } from '../transport/connection-limits.ts'
import type { SocketObserver } from '../transport/socket.ts'
import type { WechatCall } from '../wechat/client.ts'
import { isKnownErrcode } from '../wechat/errors.ts'
import { droppedLines } from './log-sink.ts'

/** Seconds: from a stage in memory to the time limit of a backend. */
const durations = [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/** Up to the largest batch of commits and of log entries. */
const batchSizes = [1, 2, 4, 8, 16, 32, 64, 128, 256]

/** Constructors of metrics in one registry. */
export type MetricFactory = ReturnType<typeof createMetricFactory>

export function createMetricFactory(registry: Registry) {
  const registers = [registry]
  return {
    counter: <L extends string>(name: string, help: string, ...labelNames: L[]) =>
      new Counter<L>({ name, help, labelNames, registers }),
    histogram: <L extends string>(buckets: number[], name: string, help: string, ...labelNames: L[]) =>
      new Histogram<L>({ name, help, labelNames, buckets, registers }),
    /** Is read on each scrape; without a value the series is absent. */
    gauge(name: string, help: string, read: () => number | undefined | Promise<number | undefined>): void {
      new Gauge({
        name,
        help,
        registers,
        async collect() {
          const value = await read()
          if (value === undefined) this.remove()
          else this.set(value)
        },
      })
    },
    /** Has a series for each of the labelled values of a scrape. */
    gauges<L extends string>(
      name: string,
      help: string,
      labelNames: L[],
      read: () => Labelled<L>[] | Promise<Labelled<L>[]>,
    ): void {
      new Gauge<L>({
        name,
        help,
        labelNames,
        registers,
        async collect() {
          const values = await read()
          this.reset()
          for (const [labels, value] of values) this.set(labels, value)
        },
      })
    },
  }
}

type Labelled<L extends string> = readonly [Record<L, string>, number]

export function collectExchanges(metrics: MetricFactory): (record: ExchangeRecord) => void {
  const total = metrics.counter(
    'miniseal_exchanges_total',
    'Exchanges by kind, status class, problem code (ok: none) and the step that refused.',
    ...(['kind', 'status', 'code', 'step'] as const),
  )
  const duration = metrics.histogram(
    durations,
    'miniseal_exchange_duration_seconds',
    'Time from a frame to its answer.',
    'kind',
  )
  const stage = metrics.histogram(
    durations,
    'miniseal_exchange_stage_duration_seconds',
    'Time of one stage of an exchange, including a stage that refused.',
    'stage',
  )
  const risks = metrics.counter(
    'miniseal_logins_by_risk_total',
    "Logins by WeChat's risk rank (0 to 4, unavailable, or blocked by WeChat); see MINISEAL_RISK_POLICY.",
    'risk',
  )
  return ({ kind, status, code = 'ok', step = '', durationMs, stages = [], risk }) => {
    total.inc({ kind, status: `${Math.floor(status / 100)}xx`, code, step })
    duration.observe({ kind }, durationMs / 1000)
    for (const time of stages) stage.observe({ stage: time.stage }, time.durationMs / 1000)
    if (risk !== undefined) risks.inc({ risk: String(risk) })
  }
}

export function collectWechatCalls(metrics: MetricFactory): (call: WechatCall) => void {
  const total = metrics.counter(
    'miniseal_wechat_calls_total',
    'Calls of the WeChat API by outcome and errcode (other: unknown errcode).',
    ...(['api', 'outcome', 'errcode'] as const),
  )
  const duration = metrics.histogram(
    durations,
    'miniseal_wechat_call_duration_seconds',
    'Time of one call of the WeChat API.',
    'api',
  )
  return ({ api, outcome, errcode, durationMs }) => {
    total.inc({ api, outcome, errcode: errcodeLabel(errcode) })
    duration.observe({ api }, durationMs / 1000)
  }
}

/** Unknown errcodes come from the network and must not become labels. */
function errcodeLabel(errcode: number | undefined): string {
  if (errcode === undefined) return ''
  return isKnownErrcode(errcode) ? String(errcode) : 'other'
}

/** Result codes of SQLite, the operating system and PostgreSQL. SQLite has many more extended codes. */
const knownFaults = new Set(
  `SQLITE_FULL SQLITE_BUSY SQLITE_LOCKED SQLITE_IOERR SQLITE_IOERR_WRITE SQLITE_CORRUPT SQLITE_READONLY
  SQLITE_CANTOPEN SQLITE_NOTADB ENOSPC EIO EROFS EDQUOT EFBIG EMFILE ECONNREFUSED ECONNRESET ETIMEDOUT
  40001 40P01 53100 53300 57014 57P01 57P03`.split(/\s+/),
)

export function collectCommits(metrics: MetricFactory): (report: CommitReport) => void {
  const duration = metrics.histogram(
    durations,
    'miniseal_commit_duration_seconds',
    'Time until a write transaction is durable or has failed.',
    'outcome',
  )
  const size = metrics.histogram(batchSizes, 'miniseal_commit_batch_size', 'Commits per write transaction.')
  const errors = metrics.counter(
    'miniseal_store_errors_total',
    'Failed transactions by result code of the database or the operating system (other: none or unknown).',
    'code',
  )
  return ({ outcome, code = '', durationMs, size: commits }) => {
    if (outcome === 'failed') errors.inc({ code: knownFaults.has(code) ? code : 'other' })
    duration.observe({ outcome }, durationMs / 1000)
    size.observe(commits)
  }
}

/** @returns records the failure */
export function collectDatabaseFailure(metrics: MetricFactory): () => void {
  let hasFailed = 0
  metrics.gauge(
    'miniseal_database_failed',
    '1 after the SQLite file was removed or replaced, or the disk failed: requests are refused until a restart.',
    () => hasFailed,
  )
  return () => {
    hasFailed = 1
  }
}

/** Milliseconds for which a session count is reused: frequent scrapes cost the database nothing. */
const sessionCountAge = 15_000

export function collectSessions(metrics: MetricFactory, count: () => Promise<number>): void {
  let countedAt = Number.NEGATIVE_INFINITY
  let value: number | undefined
  metrics.gauge(
    'miniseal_sessions_active',
    'Sessions that have neither ended nor expired, in the whole database.',
    async () => {
      if (performance.now() - countedAt < sessionCountAge) return value
      value = await count().catch(() => undefined)
      if (value !== undefined) countedAt = performance.now()
      return value
    },
  )
}

export interface ClockObserver {
  readonly onJump: (jump: ClockJump) => void
  readonly onStable: () => void
}

export function collectClock(metrics: MetricFactory): ClockObserver {
  const jumps = metrics.counter(
    'miniseal_clock_jumps_total',
    'Jumps of the wall clock against the monotonic clock.',
    'direction',
  )
  let isSuspended = 1
  metrics.gauge(
    'miniseal_pruning_suspended',
    '1 while no rows are deleted, after a clock jump or the start of the process.',
    () => isSuspended,
  )
  return {
    onJump({ seconds }) {
      jumps.inc({ direction: seconds > 0 ? 'forward' : 'back' })
      isSuspended = 1
    },
    onStable: () => {
      isSuspended = 0
    },
  }
}

export function collectDroppedLines(registry: Registry): void {
  new Counter({
    name: 'miniseal_log_lines_dropped_total',
    help: 'Log lines that standard error did not accept.',
    registers: [registry],
    collect() {
      this.reset()
      this.inc(droppedLines())
    },
  })
}

export function collectDisk(metrics: MetricFactory, disk: Pick<DiskGuard, 'state'>): void {
  metrics.gauge(
    'miniseal_disk_free_bytes',
    'Free space of the database and data folders; absent when not watched.',
    () => disk.state().free,
  )
  metrics.gauge(
    'miniseal_disk_low',
    '1 while free space is below MINISEAL_DISK_RESERVE and unsafe requests are refused.',
    () => (disk.state().isLow ? 1 : 0),
  )
}

export function collectUsage(metrics: MetricFactory, usage: () => ResourceUsage): void {
  metrics.gauge('miniseal_requests_in_flight', 'Frames and pushes in process.', () => usage().inFlight)
  metrics.gauge('miniseal_body_memory_bytes', 'Memory reserved for bodies.', () => usage().bodyBytes)
}

const circuitStates = { closed: 0, half_open: 1, open: 2 } as const

export function collectUpstreamFaults(metrics: MetricFactory): (fault: UpstreamFault) => void {
  const faults = metrics.counter(
    'miniseal_upstream_faults_total',
    'Requests without a valid response from their backend, by route and cause.',
    ...(['route', 'cause'] as const),
  )
  return ({ route, cause }) => faults.inc({ route, cause })
}

export function collectRoutes(metrics: MetricFactory, routes: () => readonly RouteState[]): void {
  metrics.gauges(
    'miniseal_upstream_circuit_state',
    'Circuit breaker of a route: 0 closed, 1 half open, 2 open.',
    ['route'],
    () => routes().map(({ route, circuit }) => [{ route }, circuitStates[circuit]]),
  )
  metrics.gauges(
    'miniseal_upstream_requests',
    'Requests of a route: running at the backend, or waiting.',
    ['route', 'state'],
    () =>
      routes().flatMap(({ route, running, waiting }) => [
        [{ route, state: 'running' }, running],
        [{ route, state: 'waiting' }, waiting],
      ]),
  )
}

export function collectClosedConnections(metrics: MetricFactory): (reason: CloseReason) => void {
  const closed = metrics.counter(
    'miniseal_connections_closed_total',
    'Connections closed for abuse: too many unanswered requests (pipelining), unread responses (slow-reader), tiny chunks (tiny-chunks).',
    'reason',
  )
  return (reason) => closed.inc({ reason })
}

/** Close codes that become labels; clients can choose any other. */
const knownCloseCodes: ReadonlySet<number> = new Set([1000, 1001, 1005, 1006, 1009, 4400, 4401])

export function collectSockets(metrics: MetricFactory): SocketObserver {
  let open = 0
  metrics.gauge('miniseal_sockets_open', 'Open WebSockets.', () => open)
  const closed = metrics.counter(
    'miniseal_sockets_closed_total',
    'Closed WebSockets by close code (1006: terminated or connection lost).',
    'code',
  )
  const delivered = metrics.counter(
    'miniseal_events_delivered_total',
    'Events that this process has sent over a socket, including repetitions.',
  )
  return {
    onOpen: () => {
      open += 1
    },
    onClose: (code) => {
      open -= 1
      closed.inc({ code: knownCloseCodes.has(code) ? String(code) : 'other' })
    },
    onDelivered: () => delivered.inc(),
  }
}

/** @returns wraps a store to count its committed events */
export function collectPushes(metrics: MetricFactory): (store: Store) => Store {
  const pushed = metrics.counter('miniseal_events_pushed_total', 'Events that this process has stored.')
  return (store) => ({
    ...store,
    commit: async (writes) => {
      const result = await store.commit(writes)
      if (result.kind === 'committed') pushed.inc(writes.filter(({ kind }) => kind === 'append-event').length)
      return result
    },
  })
}

export interface ObservedLog extends LogStatus {
  /** Whether an entry could be written at this moment. */
  readonly takesEntries: boolean
}

/** Metrics of the transparency log. @returns its observer */
export function collectTlog(
  metrics: MetricFactory,
  status: () => Promise<ObservedLog>,
): (event: LogEvent) => void {
  const batch = metrics.histogram(
    batchSizes,
    'miniseal_tlog_batch_entries',
    'Entries that this process has sequenced per batch.',
  )
  const duration = metrics.histogram(
    durations,
    'miniseal_tlog_batch_duration_seconds',
    'Time until a batch is durable.',
  )
  const signed = metrics.counter(
    'miniseal_tlog_checkpoints_signed_total',
    'Checkpoints that this process has signed.',
  )
  const failures = metrics.counter(
    'miniseal_tlog_task_failures_total',
    'Failed background tasks of the log; each is retried.',
    'task',
  )
  gaugeTlogStatus(metrics, status)
  return (event) => {
    if (event.kind === 'sequenced') {
      batch.observe(event.leaves)
      duration.observe(event.durationMs / 1000)
    }
    if (event.kind === 'signed') signed.inc()
    if (event.kind === 'failed') failures.inc({ task: event.task })
  }
}

/** The gauges of a scrape share one status query. Without an answer of the database the series are absent. */
function gaugeTlogStatus(metrics: MetricFactory, status: () => Promise<ObservedLog>): void {
  let pending: Promise<ObservedLog | undefined> | undefined
  const query = (): Promise<ObservedLog | undefined> => {
    pending ??= status()
      .catch(() => undefined)
      .finally(() => {
        pending = undefined
      })
    return pending
  }
  const statusGauge = (name: string, help: string, read: (log: ObservedLog) => number | null): void =>
    metrics.gauge(`miniseal_tlog_${name}`, help, async () => {
      const log = await query()
      return log === undefined ? undefined : (read(log) ?? undefined)
    })
  metrics.gauges(
    'miniseal_tlog_witness_lag_entries',
    'Entries under the latest checkpoint that a witness has not cosigned.',
    ['witness'],
    async () => ((await query())?.witnesses ?? []).map(({ name, behind }) => [{ witness: name }, behind]),
  )
  statusGauge('tree_size', 'Entries in the tree.', ({ size }) => size)
  statusGauge(
    'checkpoint_size',
    'Entries under the latest checkpoint.',
    ({ checkpointSize }) => checkpointSize,
  )
  statusGauge(
    'checkpoint_age_seconds',
    'Time since the latest checkpoint was signed.',
    ({ checkpointAge }) => checkpointAge,
  )
  statusGauge('pending_entries', 'Entries that are not sequenced yet.', ({ pending }) => pending)
  statusGauge(
    'accepting_entries',
    '1 while the log accepts entries; 0: requests with effects are refused.',
    ({ health, takesEntries }) => (health === 'open' && takesEntries ? 1 : 0),
  )
}
