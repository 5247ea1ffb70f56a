/**
 * The log of the service: JSON lines with an allow-list of fields. No line contains a body, path, token, key, code,
 * openid or address.
 */
import { type Logger, pino } from 'pino'
import type { ExchangeRecord } from '../channel/context.ts'
import type { ClockJump } from '../clock.ts'
import type { UpstreamFault } from '../gateway/upstream-pool.ts'
import type { DiskState } from '../limits/disk.ts'
import { DatabaseReplaced } from '../store/sqlite/wal-sync.ts'
import { faultCodeOf } from '../store/store.ts'
import { type LogEvent, refusalTexts } from '../tlog/log-health.ts'
import type { WechatCall } from '../wechat/client.ts'
import { standardErrorSink } from './log-sink.ts'

/** Logs to standard error; standard output is for the result of a command. */
export function createLogger(level: string): Logger {
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, standardErrorSink())
}

/** Logs exchanges: internal errors at level error, refusals (sampled per source) and successes at level info. */
export function logExchanges(log: Logger): (record: ExchangeRecord) => void {
  const isSampled = createRefusalSampler((counts) => log.info({ event: 'refusals.suppressed', ...counts }))
  return ({ requestId, source, kind, status, code, step, risk, durationMs, error }) => {
    if (code !== undefined && error === undefined && !isSampled(source, code)) return
    const line = { event: 'exchange.completed', requestId, kind, status, code, step, risk, durationMs }
    if (error === undefined) log.info(line)
    else log.error({ ...line, fault: faultOf(error) })
  }
}

/** Logs calls of the WeChat API, with the `rid` for WeChat support. */
export function logWechatCalls(log: Logger): (call: WechatCall) => void {
  return ({ api, outcome, errcode, rid, durationMs }) => {
    const line = { event: 'wechat.called', api, outcome, errcode, rid, durationMs }
    if (outcome === 'ok') log.info(line)
    else log.warn(line)
  }
}

/** Logs the failure after which SQLite refuses everything until a restart. */
export function logDatabaseFailure(log: Logger): (error: unknown) => void {
  return (error) => {
    const reason = error instanceof DatabaseReplaced ? 'file-replaced' : 'disk-failed'
    const errno = error instanceof Error && 'code' in error ? error.code : undefined
    log.fatal({ event: 'database.failed', reason, errno: typeof errno === 'string' ? errno : undefined })
  }
}

export function logClock(log: Logger) {
  return {
    onJump: ({ seconds }: ClockJump): void =>
      log.warn({ event: 'clock.jumped', seconds, text: 'pruning suspended until the clock is stable again' }),
    onStable: (): void => log.info({ event: 'clock.stable' }),
  }
}

/** Logs events of the transparency log. A log that accepts no entries stops every payment: level error. */
export function logTlog(log: Logger): (event: LogEvent) => void {
  return (event) => {
    switch (event.kind) {
      case 'health':
        if (event.health === 'open' || event.health === 'starting')
          return log.info({ event: 'tlog.health', health: event.health })
        return log.error({
          event: 'tlog.health',
          health: 'refused',
          refusal: event.health,
          text: `${refusalTexts[event.health]}; see miniseal audit status`,
        })
      case 'sequenced':
        return log.debug({ event: 'tlog.sequenced', entries: event.leaves, size: event.size })
      case 'signed':
        return log.debug({ event: 'tlog.signed', origin: event.origin, size: event.size })
      case 'failed':
        return log.warn({ event: 'tlog.failed', task: event.task, fault: faultOf(event.error) })
    }
  }
}

/** Logs requests without a valid response from their backend. */
export function logUpstreamFaults(log: Logger): (fault: UpstreamFault) => void {
  return ({ route, cause, errno }) => log.warn({ event: 'upstream.failed', route, cause, errno })
}

/** Logs transitions of the disk guard: unsafe requests are refused between the two. */
export function logDisk(log: Logger): (state: DiskState) => void {
  return ({ free, reserve, isLow }) => {
    if (!isLow) return log.info({ event: 'disk.recovered', free, reserve })
    const text = 'free space is below MINISEAL_DISK_RESERVE; unsafe requests are refused'
    return log.error({ event: 'disk.low', free, reserve, text })
  }
}

interface Fault {
  readonly name: string
  readonly code?: string | undefined
  readonly at: readonly string[]
}

/** Name, code and stack of an error without its message, which may quote attacker-controlled or secret data. */
function faultOf(error: unknown): Fault {
  if (!(error instanceof Error)) return { name: typeof error, at: [] }
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line))
  return {
    name: error.name,
    code: faultCodeOf(error),
    at: frames.slice(0, 6).map((line) => line.trim().replace(/\(?(?:file:\/\/)?\/[^\s]*\//, '')),
  }
}

/** Refusals of one source that are logged per window. */
const perSource = 20

/** Milliseconds. */
const samplingWindow = 60_000

/** Sources that are counted separately; all others share one allowance. */
const maxSources = 10_000

/** Refusals of one window that were not logged. */
export interface SuppressedCounts {
  readonly refusals: number
  /** Number of sources that exceeded their allowance. */
  readonly sources: number
  /** Refusals by code. */
  readonly codes: Readonly<Record<string, number>>
}

/**
 * Samples the refusals of each source.
 *
 * @param report called at the end of a window with suppressed refusals
 * @returns whether to log a refusal
 */
export function createRefusalSampler(
  report: (counts: SuppressedCounts) => void,
): (source: string, code: string) => boolean {
  let counts = new Map<string, number>()
  let codes: Record<string, number> = {}
  let refusals = 0
  let isOpen = false
  const closeWindow = (): void => {
    const sources = [...counts.values()].filter((count) => count > perSource).length
    if (refusals > 0) report({ refusals, sources, codes })
    counts = new Map()
    codes = {}
    refusals = 0
    isOpen = false
  }
  return (source, code) => {
    if (!isOpen) setTimeout(closeWindow, samplingWindow).unref()
    isOpen = true
    const name = counts.has(source) || counts.size < maxSources ? source : 'others'
    const count = (counts.get(name) ?? 0) + 1
    counts.set(name, count)
    if (count <= perSource) return true
    refusals += 1
    codes[code] = (codes[code] ?? 0) + 1
    return false
  }
}
