/**
 * What the service tells Prometheus. Every label is from a closed set (codes, stages, kinds, paths of WeChat's API):
 * no path, no user, nothing that somebody outside could choose, so that nobody outside can make the service keep more.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { ExchangeRecord } from '../channel/context.ts'
import type { ClockJump } from '../clock.ts'
import type { DiskGuard } from '../limits/disk.ts'
import type { CommitReport } from '../store/store.ts'
import type { LogEvent } from '../tlog/log-health.ts'
import type { WechatCall } from '../wechat/client.ts'
import { isKnownErrcode } from '../wechat/errcodes.ts'
import { droppedLines } from './log-sink.ts'
import type { MetricsText } from './metrics-route.ts'
import { type OperatorMetrics, observeSlots } from './operator-metrics.ts'
import type { SocketMetrics } from './socket-metrics.ts'
import { observeSockets } from './socket-metrics.ts'
import { type ObservedLog, observeLog } from './tlog-metrics.ts'

/** Observers for the parts of the service; none of them throws. */
export interface Metrics extends SocketMetrics, OperatorMetrics {
  readonly onExchange: (record: ExchangeRecord) => void
  readonly onWechatCall: (call: WechatCall) => void
  readonly onCommit: (report: CommitReport) => void
  readonly clock: { readonly onJump: (jump: ClockJump) => void; readonly onSettled: () => void }
  /** The database is lost until a restart. */
  readonly onDatabaseLost: () => void
  /** Registers the metrics of the audit log; once. @returns the observer of what it does */
  watchLog(status: () => Promise<ObservedLog>): (event: LogEvent) => void
  /** Registers the gauges of the disk; once. */
  watchDisk(disk: Pick<DiskGuard, 'state'>): void
  /** Everything in Prometheus' text format. */
  read(): Promise<MetricsText>
}

/** Buckets in seconds: from a stage in memory to a call of a backend that takes all the time it has. */
const seconds = [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/** Buckets for commits in one transaction; 256 is the most that share one. */
const sizes = [1, 2, 4, 8, 16, 32, 64, 128, 256]

/** For how long a count of sessions is good, in milliseconds: scraping often costs the database nothing. */
const countAge = 15_000

/**
 * Makes the metrics of one service, in a registry of its own.
 *
 * @param countSessions sessions that are open; asked at most every 15 s, and only when somebody reads the metrics
 */
export function createMetrics(countSessions: () => Promise<number>): Metrics {
  const registry = new Registry()
  const onExchange = exchangeObserver(registry)
  const onWechatCall = wechatObserver(registry)
  const onCommit = commitObserver(registry)
  gaugeSessions(registry, countSessions)
  countLostLines(registry)
  let isReadFirst = true
  return {
    onExchange,
    onWechatCall,
    onCommit,
    onDatabaseLost: lossObserver(registry),
    clock: clockObserver(registry),
    ...observeSockets(registry),
    ...observeSlots(registry),
    watchLog: (status) => observeLog(registry, status),
    watchDisk: (disk) => gaugeDisk(registry, disk),
    async read() {
      // Those of the process observe timers and garbage collection: not before somebody wants to know.
      if (isReadFirst) collectDefaultMetrics({ register: registry })
      isReadFirst = false
      return { type: registry.contentType, text: await registry.metrics() }
    },
  }
}

/** Hands each value to several observers, in order. */
export function toEach<T>(...observers: readonly ((value: T) => void)[]): (value: T) => void {
  return (value) => {
    for (const observe of observers) observe(value)
  }
}

function exchangeObserver(registry: Registry): Metrics['onExchange'] {
  const registers = [registry]
  const total = new Counter({
    name: 'miniseal_exchanges_total',
    help: 'Exchanges by kind, class of status, refusal code (ok: none) and the step that refused.',
    labelNames: ['kind', 'status', 'code', 'step'],
    registers,
  })
  const duration = new Histogram({
    name: 'miniseal_exchange_duration_seconds',
    help: 'Time from a frame to its answer.',
    labelNames: ['kind'],
    buckets: seconds,
    registers,
  })
  const stage = new Histogram({
    name: 'miniseal_stage_duration_seconds',
    help: 'Time of one stage of an exchange, the one that refused included.',
    labelNames: ['stage'],
    buckets: seconds,
    registers,
  })
  const replays = new Counter({
    name: 'miniseal_replays_refused_total',
    help: 'Requests and logins whose nonce was used before.',
    registers,
  })
  const risks = new Counter({
    name: 'miniseal_login_risk_total',
    help: "Logins by WeChat's risk rank (0 to 4, unavailable, or blocked by WeChat itself); see MINISEAL_RISK_POLICY.",
    labelNames: ['risk'],
    registers,
  })
  return ({ kind, status, code = 'ok', step = '', durationMs, stages = [], risk }) => {
    total.inc({ kind, status: `${Math.floor(status / 100)}xx`, code, step })
    duration.observe({ kind }, durationMs / 1000)
    for (const time of stages) stage.observe({ stage: time.stage }, time.durationMs / 1000)
    if (code === 'replayed') replays.inc()
    if (risk !== undefined) risks.inc({ risk: String(risk) })
  }
}

function wechatObserver(registry: Registry): Metrics['onWechatCall'] {
  const registers = [registry]
  const total = new Counter({
    name: 'miniseal_wechat_calls_total',
    help: "Calls of WeChat's API by outcome and errcode (other: one that the service does not know).",
    labelNames: ['api', 'outcome', 'errcode'],
    registers,
  })
  const duration = new Histogram({
    name: 'miniseal_wechat_call_duration_seconds',
    help: "Time of one call of WeChat's API.",
    labelNames: ['api'],
    buckets: seconds,
    registers,
  })
  return ({ api, outcome, errcode, durationMs }) => {
    total.inc({ api, outcome, errcode: errcodeLabel(errcode) })
    duration.observe({ api }, durationMs / 1000)
  }
}

/** An errcode comes over the network: what is not in the table does not become a label. */
function errcodeLabel(errcode: number | undefined): string {
  if (errcode === undefined) return ''
  return isKnownErrcode(errcode) ? String(errcode) : 'other'
}

/** Of SQLite, the system and PostgreSQL; extended codes of SQLite's I/O errors are many, and one label. */
const knownFaults: ReadonlySet<string> = new Set([
  ...['SQLITE_FULL', 'SQLITE_BUSY', 'SQLITE_LOCKED', 'SQLITE_IOERR', 'SQLITE_IOERR_WRITE', 'SQLITE_CORRUPT'],
  ...[
    'SQLITE_READONLY',
    'SQLITE_CANTOPEN',
    'SQLITE_NOTADB',
    'ENOSPC',
    'EIO',
    'EROFS',
    'EDQUOT',
    'EFBIG',
    'EMFILE',
  ],
  ...[
    'ECONNREFUSED',
    'ECONNRESET',
    'ETIMEDOUT',
    '40001',
    '40P01',
    '53100',
    '53300',
    '57014',
    '57P01',
    '57P03',
  ],
])

function labelOf(code = ''): string {
  return knownFaults.has(code) ? code : 'other'
}

function commitObserver(registry: Registry): Metrics['onCommit'] {
  const registers = [registry]
  const duration = new Histogram({
    name: 'miniseal_commit_duration_seconds',
    help: 'Time until a transaction that writes is durable, or has failed.',
    labelNames: ['outcome'],
    buckets: seconds,
    registers,
  })
  const size = new Histogram({
    name: 'miniseal_commit_size',
    help: 'Commits that shared one transaction.',
    buckets: sizes,
    registers,
  })
  const errors = new Counter({
    name: 'miniseal_store_errors_total',
    help: 'Transactions that failed, by the result code of the database or the system (other: none, or an unknown one).',
    labelNames: ['code'],
    registers,
  })
  return (report) => {
    if (report.outcome === 'failed') errors.inc({ code: labelOf(report.code) })
    duration.observe({ outcome: report.outcome }, report.durationMs / 1000)
    size.observe(report.size)
  }
}

function countLostLines(registry: Registry): void {
  new Counter({
    name: 'miniseal_log_lines_lost_total',
    help: 'Lines of the log that standard error did not take.',
    registers: [registry],
    collect() {
      this.reset()
      this.inc(droppedLines())
    },
  })
}

function clockObserver(registry: Registry): Metrics['clock'] {
  const registers = [registry]
  const jumps = new Counter({
    name: 'miniseal_clock_jumps_total',
    help: 'Jumps of the time of day against the monotonic clock.',
    labelNames: ['direction'],
    registers,
  })
  const suspended = new Gauge({
    name: 'miniseal_pruning_suspended',
    help: '1 while nothing is deleted, because the clock has jumped or the process has just started.',
    registers,
  })
  suspended.set(1)
  return {
    onJump({ seconds: distance }) {
      jumps.inc({ direction: distance > 0 ? 'forward' : 'back' })
      suspended.set(1)
    },
    onSettled: () => suspended.set(0),
  }
}

function lossObserver(registry: Registry): () => void {
  const lost = new Gauge({
    name: 'miniseal_database_lost',
    help: '1 once the SQLite file was removed or replaced, or the disk failed: nothing is taken until a restart.',
    registers: [registry],
  })
  return () => lost.set(1)
}

/** Without an answer of the database there is no value, and not an old one. */
function gaugeSessions(registry: Registry, count: () => Promise<number>): void {
  let countedAt = Number.NEGATIVE_INFINITY
  new Gauge({
    name: 'miniseal_sessions_active',
    help: 'Sessions that have neither ended nor expired, in the whole database.',
    registers: [registry],
    async collect() {
      if (performance.now() - countedAt < countAge) return
      try {
        this.set(await count())
        countedAt = performance.now()
      } catch {
        this.remove()
      }
    },
  })
}

function gaugeDisk(registry: Registry, disk: Pick<DiskGuard, 'state'>): void {
  const registers = [registry]
  new Gauge({
    name: 'miniseal_disk_free_bytes',
    help: 'Free space where database and data are; absent where it is not watched.',
    registers,
    collect() {
      const { free } = disk.state()
      if (free === undefined) this.remove()
      else this.set(free)
    },
  })
  new Gauge({
    name: 'miniseal_disk_low',
    help: '1 while free space is below MINISEAL_DISK_RESERVE, and unsafe requests are refused.',
    registers,
    collect() {
      this.set(disk.state().isLow ? 1 : 0)
    },
  })
}
