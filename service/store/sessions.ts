/** Sessions. */
import {
  and,
  count,
  desc,
  eq,
  exists,
  getTableColumns,
  gt,
  inArray,
  isNotNull,
  isNull,
  lt,
  type Placeholder,
  type SQL,
  sql,
} from 'drizzle-orm'
import {
  type ColumnKit,
  compileDelete,
  compileInsert,
  compileUpdate,
  type Engine,
  inBatches,
  matching,
  type PruneStep,
  readersOf,
  slotsOf,
  type WriteData,
  type WriteDefinitions,
} from './engine.ts'
import type { UserTables } from './users.ts'

type SessionTable = ReturnType<typeof defineTables>
export type SessionTables = SessionTable & UserTables

export function defineTables(
  { table, text, seconds, bytes, index, check }: ColumnKit,
  { users, devices }: UserTables,
) {
  const sessions = table(
    'sessions',
    {
      /** 16 bytes, the protocol's `sid`. */
      id: bytes('id').primaryKey(),
      user: text('user_id')
        .notNull()
        .references(() => users.id),
      device: text('device_id')
        .notNull()
        .references(() => devices.id),
      app: text('app').notNull(),
      /** Keys of the two directions: client to server, server to client. */
      c2sWrapped: bytes('c2s_wrapped').notNull(),
      s2cWrapped: bytes('s2c_wrapped').notNull(),
      createdAt: seconds('created_at').notNull(),
      /** The first second at which the session is over. */
      expiresAt: seconds('expires_at').notNull(),
      lastSeenAt: seconds('last_seen_at').notNull(),
      endedAt: seconds('ended_at'),
      /** `logout`, `revoked`, `expired`, …; null until the session has been ended. */
      endReason: text('end_reason'),
      /** `soter`: every request with an effect needs biometric confirmation, on every route. */
      requiredAcr: text('required_acr').$type<'soter'>(),
    },
    (t) => [
      index('sessions_user').on(t.user, t.createdAt),
      index('sessions_expires').on(t.expiresAt),
      index('sessions_ended').on(t.endedAt).where(sql`ended_at is not null`),
      check('sessions_id_length', sql`length(${t.id}) = 16`),
    ],
  )
  return { sessions }
}

type SessionRow = Readonly<SessionTable['sessions']['$inferSelect']>

/** `createdAt` is also the first `lastSeenAt`. */
export type NewSession = Omit<SessionRow, 'lastSeenAt' | 'endedAt' | 'endReason'>

/** A session with the columns of its device that requests need. */
export interface SessionRecord extends SessionRow {
  /** 32 bytes, Ed25519. */
  readonly devicePublicKey: Uint8Array
  readonly deviceRevokedAt: number | null
  readonly deviceName: string | null
  readonly devicePlatform: string | null
}

export type SessionWrite =
  /** Refused when the id is taken, or when user or device do not exist. */
  | WriteData<'insert-session', { session: NewSession }>
  /**
   * Refused unless the session is active: not ended, `expires_at > now`, its device not revoked. Sets `last_seen_at`.
   * Of a concurrent `end-session` the first commit wins: after an acknowledged end, no touch succeeds.
   */
  | WriteData<'touch-session', { id: Uint8Array; now: number }>
  /** Refused unless the session is `user`'s, not ended, and `expires_at > now`. */
  | WriteData<'end-session', { id: Uint8Array; user: string; reason: string; now: number }>
  /** Bulk. Ends all active sessions of `user` except `except` (null: none). */
  | WriteData<'end-other-sessions', { user: string; except: Uint8Array | null; reason: string; now: number }>
  /** Bulk. Ends all active sessions of `user` on revoked devices. Follows a revocation in the same commit. */
  | WriteData<'end-sessions-of-revoked-devices', { user: string; reason: string; now: number }>

const slot = slotsOf<SessionWrite>()

export function defineWrites({
  queries,
  tables: { sessions, devices },
}: Engine<SessionTables>): WriteDefinitions<SessionWrite> {
  const isOnDevice = (condition: SQL) =>
    exists(
      queries
        .select({ id: devices.id })
        .from(devices)
        .where(and(eq(devices.id, sessions.device), condition)),
    )
  const isOpen = and(isNull(sessions.endedAt), gt(sessions.expiresAt, slot('now')))
  const end = (which: SQL) =>
    compileUpdate(
      queries,
      sessions,
      { endedAt: slot('now'), endReason: slot('reason') },
      and(which, matching(sessions, 'user'), isOpen),
    )
  const insert = compileInsert(queries, sessions, {
    lastSeenAt: sql.placeholder('createdAt'),
    endedAt: null,
    endReason: null,
  })
  return {
    'insert-session': { bind: ({ session }) => insert(session) },
    'touch-session': {
      bind: compileUpdate(
        queries,
        sessions,
        { lastSeenAt: slot('now') },
        and(matching(sessions, 'id'), isOpen, isOnDevice(isNull(devices.revokedAt))),
      ),
      isShareable: true,
    },
    'end-session': { bind: end(matching(sessions, 'id')), notifies: 'sessions' },
    'end-other-sessions': {
      bind: end(sql`${sessions.id} is distinct from ${slot('except')}`),
      isBulk: true,
      notifies: 'sessions',
    },
    'end-sessions-of-revoked-devices': {
      bind: end(isOnDevice(isNotNull(devices.revokedAt))),
      isBulk: true,
      notifies: 'sessions',
    },
  }
}

export interface SessionReads {
  /** Finds a session in any state. The caller checks `endedAt`, `expiresAt` and `deviceRevokedAt`. */
  findSession(id: Uint8Array): Promise<SessionRecord | undefined>
  /** Newest first, including ended sessions until they are pruned. */
  listSessions(user: string): Promise<readonly SessionRecord[]>
  /** Sessions that have neither ended nor expired, including those of revoked devices. */
  countSessions(now: number): Promise<number>
  /** Which of these sessions are active: not ended, `expires_at > now`, their device not revoked. */
  listActiveSessions(ids: readonly Uint8Array[], now: number): Promise<readonly Uint8Array[]>
}

export function prepareReads(engine: Engine<SessionTables>): SessionReads {
  const { queries, guard } = engine
  const { sessions, devices } = engine.tables
  const { rows, first } = readersOf(engine)
  const selectBy = (column: 'id' | 'user') =>
    queries
      .select({
        ...getTableColumns(sessions),
        devicePublicKey: devices.publicKey,
        deviceRevokedAt: devices.revokedAt,
        deviceName: devices.name,
        devicePlatform: devices.platform,
      })
      .from(sessions)
      .innerJoin(devices, eq(devices.id, sessions.device))
      .where(matching(sessions, column))
  const isOpen = (now: number | Placeholder) => and(isNull(sessions.endedAt), gt(sessions.expiresAt, now))
  const open = first(
    queries
      .select({ sessions: count() })
      .from(sessions)
      .where(isOpen(slot('now'))),
    'now',
  )
  const selectActive = (ids: readonly Uint8Array[], now: number) =>
    queries
      .select({ id: sessions.id })
      .from(sessions)
      .innerJoin(devices, eq(devices.id, sessions.device))
      .where(and(inArray(sessions.id, [...ids]), isOpen(now), isNull(devices.revokedAt)))
  return {
    findSession: first(selectBy('id'), 'id'),
    listSessions: rows(selectBy('user').orderBy(desc(sessions.createdAt), desc(sessions.id)), 'user'),
    countSessions: async (now) => (await open(now))?.sessions ?? 0,
    listActiveSessions: (ids, now) =>
      guard(async () => {
        const active = await inBatches(ids, (batch) => selectActive(batch, now))
        return active.map(({ id }) => id)
      }),
  }
}

/**
 * Seconds for which ended sessions are kept, for the user's list of sessions. With their lifetime of two hours that is less
 * than the 25 hours of idempotency records, and sessions are pruned first: at any time, every request that a session can
 * repeat has its record.
 */
const endedSessionsKept = 79_200

/** Separate steps for expired and for ended sessions, each with its index. */
export function compilePruning({ queries, tables }: Engine<SessionTables>): readonly PruneStep[] {
  const { sessions } = tables
  const slot = slotsOf<{ before: number; limit: number }>()
  return [sessions.expiresAt, sessions.endedAt].map((end) => {
    const isOld = lt(end, slot('before'))
    const old = queries
      .select({ id: sessions.id })
      .from(sessions)
      .where(isOld)
      .orderBy(end)
      .limit(slot('limit'))
    const prune = compileDelete(queries, sessions, sql`${sessions.id} in ${old}`)
    return (now, limit) => prune({ before: now - endedSessionsKept, limit })
  })
}
