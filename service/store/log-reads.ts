/** The reads of the audit log, once for both engines, prepared at start. */
import { and, asc, count, desc, eq, getTableColumns, gte, isNotNull, lt, max, sql } from 'drizzle-orm'
import type { Queries } from './compile.ts'
import type { CheckpointRecord, LogEntry, LogState, TileRecord, WitnessRecord } from './log-records.ts'
import type { Tables } from './tables.ts'

/** The part of a store that looks at the log's tree, its entries and its checkpoints. */
export interface LogReads {
  /** Of the log that was started last: the one that is written to. `undefined` before the first start. */
  findLogState(): Promise<LogState | undefined>
  /** All of them, the oldest first. */
  listLogStates(): Promise<readonly LogState[]>
  findTile(log: number, level: number, index: number): Promise<TileRecord | undefined>
  findLogEntry(globalIndex: number): Promise<LogEntry | undefined>
  /** By the leaf's UUIDv7 (16 bytes). */
  findLogEntryById(id: Uint8Array): Promise<LogEntry | undefined>
  /** By the leaf hash (32 bytes). */
  findLogEntryByHash(hash: Uint8Array): Promise<LogEntry | undefined>
  /** Entries with `from <= place < end`, in this order, at most `limit`. */
  listLogEntries(from: number, end: number, limit: number): Promise<readonly LogEntry[]>
  /** The same, their leaf bytes alone. */
  listLeaves(from: number, end: number, limit: number): Promise<readonly IndexedLeaf[]>
  /** How many leaves wait for their place. */
  countPending(): Promise<number>
  /** Whether any leaf waits. Cheaper than the count. */
  hasPending(): Promise<boolean>
  findCheckpoint(log: number, size: number): Promise<CheckpointRecord | undefined>
  /** The one of the greatest size. */
  findLatestCheckpoint(log: number): Promise<CheckpointRecord | undefined>
  /** Those below a size, the greatest first. */
  listCheckpoints(log: number, below: number, limit: number): Promise<readonly CheckpointRecord[]>
  /** UNIX seconds of the last signing of a checkpoint that has a timestamp token. */
  findLastTimestamped(): Promise<number | undefined>
  listWitnesses(): Promise<readonly WitnessRecord[]>
}

export interface IndexedLeaf {
  readonly globalIndex: number
  readonly leaf: Uint8Array
}

const UNNAMED = ''
const slot = sql.placeholder

type Guard = <T>(read: () => Promise<T>) => Promise<T>

/**
 * Prepares the reads of one engine.
 *
 * @param guard runs a read and turns the driver's errors into StoreUnavailable.
 */
export function prepareLogReads(queries: Queries, tables: Tables, guard: Guard): LogReads {
  return {
    ...prepareTree(queries, tables, guard),
    ...prepareEntries(queries, tables, guard),
    ...prepareCheckpoints(queries, tables, guard),
  }
}

function prepareTree(queries: Queries, { tlogStates, tlogTiles, tlogWitnesses }: Tables, guard: Guard) {
  const newest = queries.select().from(tlogStates).orderBy(desc(tlogStates.log)).limit(1).prepare(UNNAMED)
  const states = queries.select().from(tlogStates).orderBy(asc(tlogStates.log)).prepare(UNNAMED)
  const tile = queries
    .select()
    .from(tlogTiles)
    .where(
      and(
        eq(tlogTiles.log, slot('log')),
        eq(tlogTiles.level, slot('level')),
        eq(tlogTiles.index, slot('index')),
      ),
    )
    .prepare(UNNAMED)
  const witnesses = queries.select().from(tlogWitnesses).orderBy(asc(tlogWitnesses.name)).prepare(UNNAMED)
  return {
    findLogState: () => guard(async () => (await newest.execute())[0]),
    listLogStates: () => guard(async () => await states.execute()),
    findTile: (log: number, level: number, index: number) =>
      guard(async () => (await tile.execute({ log, level, index }))[0]),
    listWitnesses: () => guard(async () => await witnesses.execute()),
  }
}

function prepareEntries(queries: Queries, { tlogEntries, tlogPending }: Tables, guard: Guard) {
  const { globalIndex, id, hash, leaf } = tlogEntries
  const columns = getTableColumns(tlogEntries)
  const within = and(gte(globalIndex, slot('from')), lt(globalIndex, slot('end')))
  const byPlace = queries
    .select(columns)
    .from(tlogEntries)
    .where(eq(globalIndex, slot('globalIndex')))
    .prepare(UNNAMED)
  const byId = queries
    .select(columns)
    .from(tlogEntries)
    .where(eq(id, slot('id')))
    .prepare(UNNAMED)
  const byHash = queries
    .select(columns)
    .from(tlogEntries)
    .where(eq(hash, slot('hash')))
    .prepare(UNNAMED)
  const range = queries
    .select(columns)
    .from(tlogEntries)
    .where(within)
    .orderBy(asc(globalIndex))
    .limit(slot('limit'))
    .prepare(UNNAMED)
  const leaves = queries
    .select({ globalIndex, leaf })
    .from(tlogEntries)
    .where(within)
    .orderBy(asc(globalIndex))
    .limit(slot('limit'))
    .prepare(UNNAMED)
  const pending = queries.select({ leaves: count() }).from(tlogPending).prepare(UNNAMED)
  const anyPending = queries.select({ id: tlogPending.id }).from(tlogPending).limit(1).prepare(UNNAMED)
  return {
    findLogEntry: (globalIndex: number) => guard(async () => (await byPlace.execute({ globalIndex }))[0]),
    findLogEntryById: (id: Uint8Array) => guard(async () => (await byId.execute({ id }))[0]),
    findLogEntryByHash: (hash: Uint8Array) => guard(async () => (await byHash.execute({ hash }))[0]),
    listLogEntries: (from: number, end: number, limit: number) =>
      guard(async () => await range.execute({ from, end, limit })),
    listLeaves: (from: number, end: number, limit: number) =>
      guard(async () => await leaves.execute({ from, end, limit })),
    countPending: () => guard(async () => (await pending.execute())[0]?.leaves ?? 0),
    hasPending: () => guard(async () => (await anyPending.execute()).length > 0),
  }
}

function prepareCheckpoints(queries: Queries, { tlogCheckpoints }: Tables, guard: Guard) {
  const { log, size, signedAt, timestampToken } = tlogCheckpoints
  const ofLog = eq(log, slot('log'))
  const bySize = queries
    .select()
    .from(tlogCheckpoints)
    .where(and(ofLog, eq(size, slot('size'))))
    .prepare(UNNAMED)
  const latest = queries
    .select()
    .from(tlogCheckpoints)
    .where(ofLog)
    .orderBy(desc(size))
    .limit(1)
    .prepare(UNNAMED)
  const older = queries
    .select()
    .from(tlogCheckpoints)
    .where(and(ofLog, lt(size, slot('below'))))
    .orderBy(desc(size))
    .limit(slot('limit'))
    .prepare(UNNAMED)
  const timestamped = queries
    .select({ at: max(signedAt) })
    .from(tlogCheckpoints)
    .where(isNotNull(timestampToken))
    .prepare(UNNAMED)
  return {
    findCheckpoint: (log: number, size: number) =>
      guard(async () => (await bySize.execute({ log, size }))[0]),
    findLatestCheckpoint: (log: number) => guard(async () => (await latest.execute({ log }))[0]),
    listCheckpoints: (log: number, below: number, limit: number) =>
      guard(async () => await older.execute({ log, below, limit })),
    findLastTimestamped: () => guard(async () => (await timestamped.execute())[0]?.at ?? undefined),
  }
}
