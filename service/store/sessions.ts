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
  type SQL,
  sql,
} from 'drizzle-orm'
import {
  type ColumnKit,
  compile,
  type Engine,
  inBatches,
  type PruneStep,
  prepareRead,
  type Queries,
  rowSlots,
  slotsOf,
  type WriteData,
  type WriteDefinitions,
} from './engine.ts'
import type { UserTables } from './users.ts'

type SessionTable = ReturnType<typeof defineSessions>
export type SessionTables = SessionTable & UserTables

export function defineSessions(
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
      /** `soter`: every request with an effect needs biometric confirmation, whatever its route requires. */
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

/** A session with what a request needs to know of its device. */
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
   * Against `end-session` the one that commits first wins; once an end has been acknowledged no touch succeeds.
   */
  | WriteData<'touch-session', { id: Uint8Array; now: number }>
  /** Refused unless the session is `user`'s, not ended, and `expires_at > now`. */
  | WriteData<'end-session', { id: Uint8Array; user: string; reason: string; now: number }>
  /** Bulk. Ends all active sessions of `user` except `except` (null: none). */
  | WriteData<'end-other-sessions', { user: string; except: Uint8Array | null; reason: string; now: number }>
  /** Bulk. Ends all active sessions of `user` on revoked devices. Follows a revocation in the same commit. */
  | WriteData<'end-sessions-of-revoked-devices', { user: string; reason: string; now: number }>

type WriteOf<K extends SessionWrite['kind']> = Extract<SessionWrite, { readonly kind: K }>

export function defineSessionWrites({
  queries,
  tables,
}: Engine<SessionTables>): WriteDefinitions<SessionWrite> {
  const { sessions } = tables
  const insert = compile(
    queries
      .insert(sessions)
      .values({
        ...rowSlots(sessions),
        lastSeenAt: sql.placeholder('createdAt'),
        endedAt: null,
        endReason: null,
      })
      .onConflictDoNothing()
      .returning({ touched: sessions.user }),
  )
  return {
    'insert-session': { bind: ({ session }) => insert(session) },
    'touch-session': { bind: compileTouch(queries, tables), isShareable: true },
    ...defineEnds(queries, tables),
  }
}

function compileTouch(queries: Queries, { sessions, devices }: SessionTables) {
  const slot = slotsOf<WriteOf<'touch-session'>>()
  const usableDevice = queries
    .select({ id: devices.id })
    .from(devices)
    .where(and(eq(devices.id, sessions.device), isNull(devices.revokedAt)))
  return compile(
    queries
      .update(sessions)
      .set({ lastSeenAt: sql`${slot('now')}` })
      .where(
        and(
          eq(sessions.id, slot('id')),
          isNull(sessions.endedAt),
          gt(sessions.expiresAt, slot('now')),
          exists(usableDevice),
        ),
      )
      .returning({ touched: sessions.user }),
  )
}

function defineEnds(queries: Queries, { sessions, devices }: SessionTables) {
  const slot = slotsOf<WriteOf<'end-session'> & WriteOf<'end-other-sessions'>>()
  const onRevokedDevice = exists(
    queries
      .select({ id: devices.id })
      .from(devices)
      .where(and(eq(devices.id, sessions.device), isNotNull(devices.revokedAt))),
  )
  const end = (which: SQL) =>
    compile(
      queries
        .update(sessions)
        .set({ endedAt: sql`${slot('now')}`, endReason: sql`${slot('reason')}` })
        .where(
          and(
            which,
            eq(sessions.user, slot('user')),
            isNull(sessions.endedAt),
            gt(sessions.expiresAt, slot('now')),
          ),
        )
        .returning({ touched: sessions.user }),
    )
  return {
    'end-session': { bind: end(eq(sessions.id, slot('id'))), notifies: 'sessions' },
    'end-other-sessions': {
      bind: end(sql`${sessions.id} is distinct from ${slot('except')}`),
      isBulk: true,
      notifies: 'sessions',
    },
    'end-sessions-of-revoked-devices': { bind: end(onRevokedDevice), isBulk: true, notifies: 'sessions' },
  } as const
}

export interface SessionReads {
  /** Whatever its state: the caller checks `endedAt`, `expiresAt` and `deviceRevokedAt`. */
  findSession(id: Uint8Array): Promise<SessionRecord | undefined>
  /** Newest first; ended sessions stay in the list until they are pruned. */
  listSessions(user: string): Promise<readonly SessionRecord[]>
  /** Sessions that have neither ended nor expired, including those of revoked devices. */
  countSessions(now: number): Promise<number>
  /** Which of these sessions are active: not ended, `expires_at > now`, their device not revoked. */
  listActiveSessions(ids: readonly Uint8Array[], now: number): Promise<readonly Uint8Array[]>
}

export function prepareSessionReads(engine: Engine<SessionTables>): SessionReads {
  const { queries, guard } = engine
  const { sessions, devices } = engine.tables
  const slot = slotsOf<{ id: Uint8Array; user: string; now: number }>()
  const withDevice = () =>
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
  const byId = prepareRead(engine, withDevice().where(eq(sessions.id, slot('id'))))
  const byUser = prepareRead(
    engine,
    withDevice()
      .where(eq(sessions.user, slot('user')))
      .orderBy(desc(sessions.createdAt), desc(sessions.id)),
  )
  const active = prepareRead(
    engine,
    queries
      .select({ sessions: count() })
      .from(sessions)
      .where(and(isNull(sessions.endedAt), gt(sessions.expiresAt, slot('now')))),
  )
  return {
    findSession: async (id) => (await byId({ id }))[0],
    listSessions: (user) => byUser({ user }),
    countSessions: async (now) => (await active({ now }))[0]?.sessions ?? 0,
    listActiveSessions: (ids, now) =>
      guard(async () => {
        const rows = await inBatches(ids, (batch) => selectActive(queries, engine.tables, batch, now))
        return rows.map(({ id }) => id)
      }),
  }
}

function selectActive(
  queries: Queries,
  { sessions, devices }: SessionTables,
  ids: readonly Uint8Array[],
  now: number,
) {
  return queries
    .select({ id: sessions.id })
    .from(sessions)
    .innerJoin(devices, eq(devices.id, sessions.device))
    .where(
      and(
        inArray(sessions.id, [...ids]),
        isNull(sessions.endedAt),
        gt(sessions.expiresAt, now),
        isNull(devices.revokedAt),
      ),
    )
}

/**
 * Ended sessions stay for 22 hours, so that a user can see them. With their lifetime of two hours that is less than the 25
 * hours of idempotency records, and sessions are pruned first: whatever the clock, no session remains whose request could be
 * repeated without its record.
 */
const endedSessionsKept = 79_200

/** One step for each of the two ways to end, because each has its own index. */
export function compileSessionPruning({ queries, tables }: Engine<SessionTables>): readonly PruneStep[] {
  const { sessions } = tables
  const slot = slotsOf<{ before: number; limit: number }>()
  return [sessions.expiresAt, sessions.endedAt].map((end) => {
    const old = queries
      .select({ id: sessions.id })
      .from(sessions)
      .where(lt(end, slot('before')))
      .orderBy(end)
      .limit(slot('limit'))
    const prune = compile(
      queries.delete(sessions).where(sql`${sessions.id} in ${old}`).returning({ touched: sessions.user }),
    )
    return (now, limit) => prune({ before: now - endedSessionsKept, limit })
  })
}
