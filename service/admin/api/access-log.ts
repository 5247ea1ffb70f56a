/** What auditors read and take away is logged before they get it: what cannot be logged is not shown. */
import type { Context } from 'hono'
import { LRUCache } from 'lru-cache'
import type { LeafKind } from 'miniseal-protocol/tlog/audit-leaf'
import type { FlatObject } from 'miniseal-protocol/tlog/flat-json'
import type { LogEntryAccess } from '../../tlog/log-routes.ts'
import type { AuditContext, AuditParts } from './context.ts'
import type { AuditFilter } from './search.ts'

/** A live table or a follower of the log asks every few seconds, and is logged once in so many milliseconds. */
const tailPeriod = 60_000
/** Live tables, or readers of entries, that are remembered. */
const maxTails = 1_000

export interface AccessLog {
  /**
   * Stages a leaf that says who did what, and from which address.
   *
   * @param facts public: never of a person
   * @throws StoreUnavailable
   */
  logAccess(
    c: AuditContext,
    kind: Extract<LeafKind, 'audit-read' | 'audit-exported'>,
    facts: FlatObject,
  ): Promise<void>
  /** The same for the next look of a live table, of which one a minute is told. */
  logTailAccess(c: AuditContext, table: string, facts: FlatObject): Promise<void>
}

type AccessLogParts = Pick<AuditParts, 'appender' | 'sender'>

export function createAccessLog(parts: AccessLogParts): AccessLog {
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
 * For whoever reads entries below `/log`: tells of an auditor's reading once a minute. Not of each bundle: who follows the
 * log would write into it with every look, and so have something new to read, for ever.
 */
export function createEntryAccessLog(parts: AccessLogParts): LogEntryAccess {
  const appendAccess = createAppendAccess(parts)
  const oncePerPeriod = createOncePerPeriod()
  return async (c, { name }) =>
    await oncePerPeriod(name, () =>
      appendAccess(c, 'audit-read', { auditor: name, by: 'tiles', what: 'entries' }),
    )
}

type AppendAccess = (c: Context, kind: LeafKind, facts: FlatObject) => Promise<void>

function createAppendAccess({ appender, sender }: AccessLogParts): AppendAccess {
  return async (c, kind, facts) => {
    const { ip, isForwarded } = sender(c)
    const net = { forwarded: isForwarded ? 'true' : 'false', ...(ip === undefined ? {} : { ip }) }
    const leaf = { ...appender.systemEntry(kind, facts), groups: { net } }
    await appender.commit({ writes: [], leaves: [leaf] })
  }
}

/** Runs `tell` of a key at most once a minute, in this process; the others wait for it, and fail when it failed. */
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
      // What could not be told is not shown, and is told by the next one that can.
      if (pendingLogs.get(key) === pendingLog) pendingLogs.delete(key)
      throw error
    }
  }
}

/** Which words a filter has, never their values: leaves say nothing about a person. */
export function filterFacts(filter: AuditFilter): FlatObject {
  const names = Object.keys(filter).sort().join(' ')
  return names === '' ? {} : { filters: names }
}
