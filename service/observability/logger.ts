/** The service's log: one allow-list of fields. No body, path, token, key, code, openid or address is ever in a line. */
import type { Logger } from 'pino'
import { pino } from 'pino'
import type { ExchangeRecord } from '../channel/context.ts'
import type { ClockJump } from '../clock.ts'
import type { UpstreamFault } from '../gateway/upstream-pool.ts'
import type { DiskState } from '../limits/disk.ts'
import { DatabaseReplaced } from '../store/sqlite/wal-sync.ts'
import { faultCodeOf } from '../store/store.ts'
import type { LogEvent } from '../tlog/log-health.ts'
import { refusalTexts } from '../tlog/log-health.ts'
import type { WechatCall } from '../wechat/client.ts'
import { createRefusalSampler } from './log-sampling.ts'
import { standardErrorSink } from './log-sink.ts'

/** A logger of lines in JSON on standard error, so that standard output stays the command's own. */
export function createLogger(level: string): Logger {
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, standardErrorSink())
}

/** A line for each exchange; faults of ours are errors, refusals are not. Of one source's refusals a few are written. */
export function exchangeRecorder(log: Logger): (record: ExchangeRecord) => void {
  const isWritten = createRefusalSampler((leftOut) => log.info({ event: 'refusals-left-out', ...leftOut }))
  return ({ requestId, source, kind, status, code, step, risk, durationMs, error }) => {
    if (code !== undefined && error === undefined && !isWritten(source, code)) return
    const line = { event: 'exchange', requestId, kind, status, code, step, risk, durationMs }
    if (error === undefined) log.info(line)
    else log.error({ ...line, fault: faultOf(error) })
  }
}

/** A line for each call of WeChat's API, with the `rid` that their support asks for. */
export function wechatRecorder(log: Logger): (call: WechatCall) => void {
  return ({ api, outcome, errcode, rid, durationMs }) => {
    const line = { event: 'wechat', api, outcome, errcode, rid, durationMs }
    if (outcome === 'ok') log.info(line)
    else log.warn(line)
  }
}

/** SQLite: from here on everything is refused until the process is started anew. */
export function databaseRecorder(log: Logger): (error: unknown) => void {
  return (error) => {
    const reason = error instanceof DatabaseReplaced ? 'file-replaced' : 'disk-failed'
    log.fatal({ event: 'database-lost', reason, errno: errnoOf(error) })
  }
}

/** Lines about clocks that do not run alike, and when they do again. */
export function clockRecorder(log: Logger) {
  return {
    onJump: ({ seconds }: ClockJump): void =>
      log.warn({
        event: 'clock-jump',
        seconds,
        text: 'nothing is deleted until the clock has run evenly again',
      }),
    onSettled: (): void => log.info({ event: 'clock-settled' }),
  }
}

function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

/** Lines about the audit log. A log that refuses stops every payment: that is an error, and says what to do. */
export function logRecorder(log: Logger): (event: LogEvent) => void {
  return (event) => {
    switch (event.kind) {
      case 'health':
        if (event.health.kind !== 'refused') return log.info({ event: 'log', standing: event.health.kind })
        return log.error({
          event: 'log',
          standing: 'refused',
          refusal: event.health.refusal,
          text: `${refusalTexts[event.health.refusal]}; see miniseal audit status`,
        })
      case 'sequenced':
        return log.debug({ event: 'log-sequenced', leaves: event.leaves, size: event.size })
      case 'signed':
        return log.debug({ event: 'log-signed', origin: event.origin, size: event.size })
      case 'failed':
        return log.warn({ event: 'log-failed', task: event.task, fault: faultOf(event.error) })
    }
  }
}

/** A line for each request that a backend did not answer as it must. */
export function upstreamRecorder(log: Logger): (fault: UpstreamFault) => void {
  return ({ route, cause, errno }) => log.warn({ event: 'upstream', route, cause, errno })
}

/** Lines about the disk: from the first one on payments are refused, with the second one they go on. */
export function diskRecorder(log: Logger): (state: DiskState) => void {
  return ({ free, reserve, isLow }) => {
    const line = { event: 'disk', low: isLow, free, reserve }
    if (isLow)
      log.error({ ...line, text: 'free space is below MINISEAL_DISK_RESERVE; unsafe requests are refused' })
    else log.info(line)
  }
}

/** Names and places of a fault, without its message: a message may quote what was attacker-controlled or secret. */
function faultOf(error: unknown): {
  readonly name: string
  readonly code?: string | undefined
  readonly at: readonly string[]
} {
  if (!(error instanceof Error)) return { name: typeof error, at: [] }
  const at = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line))
  return {
    name: error.name,
    code: faultCodeOf(error),
    at: at.slice(0, 6).map((line) => line.trim().replace(/\(?(?:file:\/\/)?\/[^\s]*\//, '')),
  }
}
