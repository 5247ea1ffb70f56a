/**
 * Entries of the transparency log: pending, sequenced, and the intents of requests without an outcome.
 *
 * An entry is *pending* from its commit until the sequencer assigns its index in the tree. The leaf is the hashed text and
 * never changes. Details are sealed with a key of the person they concern. The database identifies that person by a blind
 * index only: a keyed digest of 16 bytes for a user, of 8 bytes for other values.
 */
import {
  and,
  asc,
  count,
  eq,
  getTableColumns,
  gte,
  isNotNull,
  isNull,
  lt,
  or,
  type SQL,
  sql,
} from 'drizzle-orm'
import type { PgColumn } from 'drizzle-orm/pg-core'
import type { LeafResult } from 'miniseal-protocol/tlog/audit-leaf'
import {
  type ColumnKit,
  compileDelete,
  compileInsert,
  compileUpdate,
  type Engine,
  matching,
  type PruneStep,
  readersOf,
  slotsOf,
  type WriteData,
  type WriteDefinitions,
} from './engine.ts'

export type { LeafResult } from 'miniseal-protocol/tlog/audit-leaf'

/** Entries of one log (one origin) have indexes 0, 1, …; a new origin in the same database is the next log. */
export const indexesPerLog = 2 ** 40

/** The index of an entry among all logs of the database: the order of every list, and its cursor. */
export function globalIndexOf(log: number, index: number): number {
  return log * indexesPerLog + index
}

export type EntryTables = ReturnType<typeof defineTables>

/** The columns of an entry, pending or sequenced. */
function entryColumns({ text, bytes, integer, seconds }: ColumnKit) {
  return {
    /** The 16 bytes of the leaf's UUIDv7. */
    id: bytes('id').notNull(),
    /** The leaf hash (RFC 6962): 32 bytes. */
    hash: bytes('hash').notNull(),
    leaf: bytes('leaf').notNull(),
    /** Milliseconds since 1970, as in the leaf. */
    at: integer('at').notNull(),
    kind: text('kind').notNull(),
    result: text('result').$type<LeafResult>().notNull(),
    /** The problem code of a refusal. */
    code: text('code'),
    app: text('app'),
    userBlindIndex: bytes('user_blind_index'),
    deviceBlindIndex: bytes('device_blind_index'),
    ipBlindIndex: bytes('ip_blind_index'),
    /** The blind index of the whole path, without its query. */
    pathBlindIndex: bytes('path_blind_index'),
    /** The blind index of the path's first segment, for example `/wallet`. */
    areaBlindIndex: bytes('area_blind_index'),
    /** Sealed disclosures and salts; null without them. */
    detail: bytes('detail'),
    detailExpiresAt: seconds('detail_expires_at').notNull(),
  }
}

export function defineTables(kit: ColumnKit) {
  const { table, bytes, integer, seconds, index, uniqueIndex, primaryKey, check } = kit
  // No other index: the table has few rows at any time.
  const tlogPending = table(
    'tlog_pending',
    {
      ...entryColumns(kit),
      /** By the service (`tlog/row-macs.ts`); null when it had no key. */
      mac: bytes('mac'),
    },
    (t) => [
      primaryKey({ name: 'tlog_pending_key', columns: [t.id] }),
      check('tlog_pending_hash_length', sql`length(${t.hash}) = 32`),
    ],
  )
  const tlogEntries = table(
    'tlog_entries',
    {
      /** See {@link globalIndexOf}. */
      globalIndex: integer('global_index').primaryKey(),
      ...entryColumns(kit),
    },
    (t) => {
      const whereNotNull = (name: string, column: PgColumn) =>
        index(name)
          .on(column, t.globalIndex)
          .where(sql.raw(`${column.name} is not null`))
      return [
        uniqueIndex('tlog_entries_id').on(t.id),
        uniqueIndex('tlog_entries_hash').on(t.hash),
        index('tlog_entries_at').on(t.at),
        index('tlog_entries_kind').on(t.kind, t.globalIndex),
        index('tlog_entries_result').on(t.result, t.globalIndex).where(sql`result <> 'ok'`),
        whereNotNull('tlog_entries_code', t.code),
        whereNotNull('tlog_entries_user', t.userBlindIndex),
        whereNotNull('tlog_entries_device', t.deviceBlindIndex),
        whereNotNull('tlog_entries_ip', t.ipBlindIndex),
        whereNotNull('tlog_entries_path', t.pathBlindIndex),
        whereNotNull('tlog_entries_area', t.areaBlindIndex),
        index('tlog_entries_detail_expires').on(t.detailExpiresAt).where(sql`detail is not null`),
      ]
    },
  )
  const tlogIntents = table(
    'tlog_intents',
    {
      /** The id of the leaf that will record the outcome. */
      id: bytes('id').primaryKey(),
      /** Names the key that `draft` is sealed with; null: the service's own. */
      userBlindIndex: bytes('user_blind_index'),
      /** Sealed: the known part of the leaf. */
      draft: bytes('draft').notNull(),
      startedAt: seconds('started_at').notNull(),
    },
    (t) => [index('tlog_intents_started').on(t.startedAt)],
  )
  return { tlogPending, tlogEntries, tlogIntents }
}

/** A pending entry as it is stored. */
export type AuthenticatedPendingEntry = Readonly<EntryTables['tlogPending']['$inferSelect']>

export type PendingEntry = Omit<AuthenticatedPendingEntry, 'mac'>

/** A sequenced entry. */
export type LogEntry = Readonly<EntryTables['tlogEntries']['$inferSelect']>

/** A request that may have an effect and has no outcome yet. */
export type IntentRecord = Readonly<EntryTables['tlogIntents']['$inferSelect']>

/**
 * The redacting writes are bulk. They erase the blind indexes and the detail of entries, and keep the leaf, its kind,
 * result, code and app. One commit contains them in the order of this list, so that an entry that the sequencer moves
 * concurrently is found by the second.
 */
export type EntryWrite =
  /** Refused when an entry of this id is pending. */
  | WriteData<'insert-pending-entry', { entry: AuthenticatedPendingEntry }>
  /** Refused when the index, the id or the hash is taken. */
  | WriteData<'insert-log-entry', { entry: LogEntry }>
  /** Refused when an intent of this id exists. */
  | WriteData<'insert-intent', { intent: IntentRecord }>
  /** Refused when there is no such intent: of simultaneous deletions, in any number of processes, one commits. */
  | WriteData<'delete-intent', { id: Uint8Array }>
  /** Bulk. Removes the user from their intents. */
  | WriteData<'redact-intents', { blindIndex: Uint8Array }>
  /** Bulk. All pending entries of this user, or of this device where they have no user. */
  | WriteData<'redact-pending-entries', { blindIndex: Uint8Array }>
  /** Bulk. As `redact-pending-entries`, for at most `limit` sequenced entries. */
  | WriteData<'redact-entries', { blindIndex: Uint8Array; limit: number }>

const redacted = {
  userBlindIndex: null,
  deviceBlindIndex: null,
  ipBlindIndex: null,
  pathBlindIndex: null,
  areaBlindIndex: null,
  detail: null,
}

/** Entries of a user, and those of a device that were written before its user was known. */
function isAbout({
  userBlindIndex,
  deviceBlindIndex,
}: EntryTables['tlogPending'] | EntryTables['tlogEntries']): SQL | undefined {
  const blindIndex = sql.placeholder('blindIndex')
  return or(eq(userBlindIndex, blindIndex), and(eq(deviceBlindIndex, blindIndex), isNull(userBlindIndex)))
}

export function defineWrites({
  queries,
  tables: { tlogPending, tlogEntries, tlogIntents },
}: Engine<EntryTables>): WriteDefinitions<EntryWrite> {
  const slot = slotsOf<EntryWrite>()
  const insertPending = compileInsert(queries, tlogPending)
  const insertEntry = compileInsert(queries, tlogEntries)
  const insertIntent = compileInsert(queries, tlogIntents)
  const hasUser = eq(tlogIntents.userBlindIndex, slot('blindIndex'))
  const { globalIndex } = tlogEntries
  const about = queries.select({ globalIndex }).from(tlogEntries).where(isAbout(tlogEntries))
  const some = sql`${globalIndex} in ${about.limit(slot('limit'))}`
  return {
    'insert-pending-entry': { bind: ({ entry }) => insertPending(entry), isShareable: true },
    'insert-log-entry': { bind: ({ entry }) => insertEntry(entry) },
    'insert-intent': { bind: ({ intent }) => insertIntent(intent), isShareable: true },
    'delete-intent': {
      bind: compileDelete(queries, tlogIntents, matching(tlogIntents, 'id')),
      isShareable: true,
    },
    'redact-intents': {
      bind: compileUpdate(queries, tlogIntents, { userBlindIndex: null }, hasUser),
      isBulk: true,
    },
    'redact-pending-entries': {
      bind: compileUpdate(queries, tlogPending, redacted, isAbout(tlogPending)),
      isBulk: true,
    },
    'redact-entries': { bind: compileUpdate(queries, tlogEntries, redacted, some), isBulk: true },
  }
}

export interface IndexedLeaf {
  readonly globalIndex: number
  readonly leaf: Uint8Array
}

export interface EntryReads {
  findLogEntry(globalIndex: number): Promise<LogEntry | undefined>
  /** By the leaf's UUIDv7 (16 bytes). */
  findLogEntryById(id: Uint8Array): Promise<LogEntry | undefined>
  /** By the leaf hash (32 bytes). */
  findLogEntryByHash(hash: Uint8Array): Promise<LogEntry | undefined>
  /** Entries with `from <= globalIndex < end`, in this order, at most `limit`. */
  listLogEntries(from: number, end: number, limit: number): Promise<readonly LogEntry[]>
  /** As {@link EntryReads.listLogEntries}, with the leaf bytes only. */
  listLeaves(from: number, end: number, limit: number): Promise<readonly IndexedLeaf[]>
  /** Whether `redact-entries` would touch a row. */
  hasEntriesWith(blindIndex: Uint8Array): Promise<boolean>
  /** A pending entry, by its UUIDv7 (16 bytes) or its hash (32 bytes). */
  findPending(idOrHash: Uint8Array): Promise<PendingEntry | undefined>
  /** Pending entries, the oldest ids first. */
  listPending(limit: number): Promise<readonly AuthenticatedPendingEntry[]>
  countPending(): Promise<number>
  /** Whether any entry is pending. Cheaper than the count. */
  hasPending(): Promise<boolean>
  /** Intents that began before `startedBefore` (UNIX seconds), the oldest first. */
  listIntents(startedBefore: number, limit: number): Promise<readonly IntentRecord[]>
}

export function prepareReads(engine: Engine<EntryTables>): EntryReads {
  return { ...prepareSequencedReads(engine), ...preparePendingReads(engine) }
}

function prepareSequencedReads(engine: Engine<EntryTables>) {
  const { queries } = engine
  const { tlogEntries } = engine.tables
  const { globalIndex, leaf } = tlogEntries
  const { rows, first } = readersOf(engine)
  const slot = sql.placeholder
  const findBy = (key: 'globalIndex' | 'id' | 'hash') =>
    first(
      queries.select(getTableColumns(tlogEntries)).from(tlogEntries).where(matching(tlogEntries, key)),
      key,
    )
  const isInRange = and(gte(globalIndex, slot('from')), lt(globalIndex, slot('end')))
  const entries = queries.select(getTableColumns(tlogEntries)).from(tlogEntries).where(isInRange)
  const leaves = queries.select({ globalIndex, leaf }).from(tlogEntries).where(isInRange)
  const limit = slot('limit')
  const about = queries.select({ globalIndex }).from(tlogEntries).where(isAbout(tlogEntries)).limit(1)
  const findAbout = first(about, 'blindIndex')
  return {
    findLogEntry: findBy('globalIndex'),
    findLogEntryById: findBy('id'),
    findLogEntryByHash: findBy('hash'),
    listLogEntries: rows(entries.orderBy(asc(globalIndex)).limit(limit), 'from', 'end', 'limit'),
    listLeaves: rows(leaves.orderBy(asc(globalIndex)).limit(limit), 'from', 'end', 'limit'),
    hasEntriesWith: async (blindIndex: Uint8Array) => (await findAbout(blindIndex)) !== undefined,
  }
}

function preparePendingReads(engine: Engine<EntryTables>) {
  const { queries } = engine
  const { tlogPending, tlogIntents } = engine.tables
  const { rows, first } = readersOf(engine)
  const limit = sql.placeholder('limit')
  const pending = () => queries.select().from(tlogPending)
  const byId = first(pending().where(matching(tlogPending, 'id')), 'id')
  const byHash = first(pending().where(matching(tlogPending, 'hash')), 'hash')
  const total = first(queries.select({ entries: count() }).from(tlogPending))
  const any = first(queries.select({ id: tlogPending.id }).from(tlogPending).limit(1))
  const isOld = lt(tlogIntents.startedAt, sql.placeholder('before'))
  const intents = queries.select().from(tlogIntents).where(isOld)
  const byAge = [asc(tlogIntents.startedAt), asc(tlogIntents.id)]
  return {
    findPending: (key: Uint8Array) => (key.length === 16 ? byId : byHash)(key),
    listPending: rows(pending().orderBy(asc(tlogPending.id)).limit(limit), 'limit'),
    countPending: async () => (await total())?.entries ?? 0,
    hasPending: async () => (await any()) !== undefined,
    listIntents: rows(intents.orderBy(...byAge).limit(limit), 'before', 'limit'),
  }
}

/** Erases expired details and blind indexes, not the leaf. */
export function compilePruning({ queries, tables }: Engine<EntryTables>): readonly PruneStep[] {
  const { tlogEntries } = tables
  const { globalIndex, detail, detailExpiresAt } = tlogEntries
  const slot = slotsOf<{ before: number; limit: number }>()
  const isExpired = and(lt(detailExpiresAt, slot('before')), isNotNull(detail))
  const expired = queries.select({ globalIndex }).from(tlogEntries).where(isExpired)
  const some = sql`${globalIndex} in ${expired.orderBy(asc(detailExpiresAt)).limit(slot('limit'))}`
  const prune = compileUpdate(queries, tlogEntries, redacted, some)
  return [(now, limit) => prune({ before: now, limit })]
}
