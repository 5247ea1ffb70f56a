/** Access log: each read and export of an auditor is logged before data is sent. */
import type { Context } from 'hono'
import { LRUCache } from 'lru-cache'
import type { LeafKind } from 'miniseal-protocol/tlog/audit-leaf'
import type { FlatObject } from 'miniseal-protocol/tlog/flat-json'
import type { LogEntryAccess } from '../../tlog/log-routes.ts'
import type { AuditContext, AuditDependencies } from './context.ts'
import type { AuditFilter } from './search.ts'

/** Polling readers are logged once in this period; milliseconds. */
const tailPeriod = 60_000
/** Maximum number of cached polling readers. */
const maxTails = 1_000

export interface AccessLog {
  /**
   * Appends an entry with auditor, action and address.
   *
   * @param facts public: no personal data
   * @throws StoreUnavailable
   */
  logAccess(
    c: AuditContext,
    kind: Extract<LeafKind, 'audit-read' | 'audit-exported'>,
    facts: FlatObject,
  ): Promise<void>
  /** The same for a polling table, at most once a minute. */
  logTailAccess(c: AuditContext, table: string, facts: FlatObject): Promise<void>
}

type AccessLogDependencies = Pick<AuditDependencies, 'appender' | 'sender'>

export function createAccessLog(parts: AccessLogDependencies): AccessLog {
  const appendAccess = createAppendAccess(parts)
  const oncePerPeriod = createOncePerPeriod()
  const logAccess: AccessLog['logAccess'] = async (c, kind, facts) =>
    await appendAccess(c, kind, { auditor: c.get('auditor').name, by: 'pages', ...facts })
  return {
    logAccess,
    logTailAccess: async (c, table, facts) =>
      await oncePerPeriod(`${c.get('auditor').name} ${table}`, () => logAccess(c, 'audit-read', facts)),
  }
}

/**
 * For reads of entry bundles under `/log`: logged once a minute for each auditor. Logging each bundle would add
 * new entries while an auditor follows the log.
 */
export function createEntryAccessLog(parts: AccessLogDependencies): LogEntryAccess {
  const appendAccess = createAppendAccess(parts)
  const oncePerPeriod = createOncePerPeriod()
  return async (c, { name }) =>
    await oncePerPeriod(name, () =>
      appendAccess(c, 'audit-read', { auditor: name, by: 'tiles', what: 'entries' }),
    )
}

type AppendAccess = (c: Context, kind: LeafKind, facts: FlatObject) => Promise<void>

function createAppendAccess({ appender, sender }: AccessLogDependencies): AppendAccess {
  return async (c, kind, facts) => {
    const { ip, isForwarded } = sender(c)
    const net = { forwarded: isForwarded ? 'true' : 'false', ...(ip === undefined ? {} : { ip }) }
    const leaf = { ...appender.systemEntry(kind, facts), groups: { net } }
    await appender.commit({ writes: [], leaves: [leaf] })
  }
}

/** Runs `logAccess` at most once a minute for each key; concurrent callers share its result. */
function createOncePerPeriod(): (key: string, logAccess: () => Promise<void>) => Promise<void> {
  const pendingLogs = new LRUCache<string, Promise<void>>({ max: maxTails, ttl: tailPeriod })
  return async (key, logAccess) => {
    const last = pendingLogs.get(key)
    if (last !== undefined) return await last
    const pendingLog = logAccess()
    pendingLogs.set(key, pendingLog)
    try {
      await pendingLog
    } catch (error) {
      // The next call logs again.
      if (pendingLogs.get(key) === pendingLog) pendingLogs.delete(key)
      throw error
    }
  }
}

/** The names of the filters, never their values: public facts must not identify a user. */
export function filterFacts(filter: AuditFilter): FlatObject {
  const names = Object.keys(filter).sort().join(' ')
  return names === '' ? {} : { filters: names }
}
