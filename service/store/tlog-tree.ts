/** The trees of the transparency log: state, tiles (C2SP tlog-tiles), checkpoints, witnesses, and counts for charts. */
import { and, asc, count, desc, eq, gte, isNotNull, isNull, lt, max, ne, type SQL, sql } from 'drizzle-orm'
import {
  type ColumnKit,
  compileDelete,
  compileInsert,
  compileUpdate,
  compileUpsert,
  type Engine,
  matching,
  type Queries,
  readersOf,
  slotsOf,
  type WriteData,
  type WriteDefinitions,
} from './engine.ts'
import type { LeafResult } from './tlog-entries.ts'
import { nextTurn } from './tlog-search.ts'

export type TreeTables = ReturnType<typeof defineTables>

export function defineTables(kit: ColumnKit) {
  return { ...defineTiles(kit), ...defineCheckpoints(kit), ...defineCounts(kit) }
}

function defineTiles({ table, text, bytes, integer, primaryKey, check }: ColumnKit) {
  const tlogStates = table(
    'tlog_states',
    {
      /** The number of the log: 0 for the first origin of the database. */
      log: integer('log').primaryKey(),
      origin: text('origin').notNull(),
      size: integer('size').notNull(),
      root: bytes('root').notNull(),
      /** By the service (`tlog/row-macs.ts`); null: not written by the service. */
      mac: bytes('mac'),
    },
    (t) => [check('tlog_states_root_length', sql`length(${t.root}) = 32`)],
  )
  const tlogTiles = table(
    'tlog_tiles',
    {
      log: integer('log').notNull(),
      level: integer('level').notNull(),
      index: integer('tile_index').notNull(),
      /** Up to 256 hashes of 32 bytes; the last tile of a level grows. */
      hashes: bytes('hashes').notNull(),
    },
    (t) => [primaryKey({ name: 'tlog_tiles_key', columns: [t.log, t.level, t.index] })],
  )
  return { tlogStates, tlogTiles }
}

function defineCheckpoints({ table, text, bytes, integer, seconds, primaryKey }: ColumnKit) {
  const tlogCheckpoints = table(
    'tlog_checkpoints',
    {
      log: integer('log').notNull(),
      size: integer('size').notNull(),
      /** The time of the last signature; 0: to be signed again immediately. */
      signedAt: seconds('signed_at').notNull(),
      /** The signed note, without cosignatures. */
      note: text('note').notNull(),
      /** Signature lines of witnesses, as received. */
      cosignatures: text('cosignatures').notNull(),
      /** RFC 3161, DER; null without one. */
      timestampToken: bytes('timestamp_token'),
    },
    (t) => [primaryKey({ name: 'tlog_checkpoints_key', columns: [t.log, t.size] })],
  )
  const tlogWitnesses = table('tlog_witnesses', {
    name: text('name').primaryKey(),
    log: integer('log').notNull(),
    /** The size it cosigned last. */
    size: integer('size').notNull(),
    cosignedAt: seconds('cosigned_at'),
    triedAt: seconds('tried_at').notNull(),
    /** Why the last attempt failed; null after a success. */
    failure: text('failure'),
  })
  return { tlogCheckpoints, tlogWitnesses }
}

function defineCounts({ table, text, integer, seconds, primaryKey }: ColumnKit) {
  const tlogHourlyCounts = table(
    'tlog_hourly_counts',
    {
      /** UNIX seconds of its beginning. */
      hour: seconds('hour').notNull(),
      kind: text('kind').notNull(),
      result: text('result').$type<LeafResult>().notNull(),
      /** Empty without a refusal. */
      code: text('code').notNull(),
      entries: integer('entries').notNull(),
    },
    (t) => [primaryKey({ name: 'tlog_hourly_counts_key', columns: [t.hour, t.kind, t.result, t.code] })],
  )
  return { tlogHourlyCounts }
}

/** The sequenced tree of one log. */
export type LogState = Readonly<TreeTables['tlogStates']['$inferSelect']>
export type TileRecord = Readonly<TreeTables['tlogTiles']['$inferSelect']>
export type CheckpointRecord = Readonly<TreeTables['tlogCheckpoints']['$inferSelect']>
/** The progress of a witness. */
export type WitnessRecord = Readonly<TreeTables['tlogWitnesses']['$inferSelect']>
/** Entries of one hour by kind, result and code. */
export type HourlyCount = Readonly<TreeTables['tlogHourlyCounts']['$inferSelect']>

export type TreeWrite =
  /**
   * Locks the tree until the commit: the sequencer waits. Refused unless the tree of `log` is exactly this one. A new log
   * begins in one commit: the old state locked, then the new state, its first entry, tile and count.
   */
  | WriteData<'lock-log-state', { log: number; size: number; root: Uint8Array }>
  /** Refused when a log of this number exists. */
  | WriteData<'insert-log-state', { state: LogState }>
  /** Refused when the tile exists. */
  | WriteData<'insert-tile', { tile: TileRecord }>
  /** Inserts the count, or adds to it. */
  | WriteData<'add-hour-count', { count: HourlyCount }>
  /** Refused when a checkpoint of this size exists: of several processes that sign at once, one commits. */
  | WriteData<'insert-checkpoint', { log: number; size: number; signedAt: number; note: string }>
  /** Replaces the note of the same size, not its cosignatures. Refused unless its last signature is of `signedBefore`. */
  | WriteData<
      'reissue-checkpoint',
      { log: number; size: number; signedBefore: number; signedAt: number; note: string }
    >
  /** Sets `signedAt` to 0, so that a process with a key signs it again at once. Refused when it is 0. */
  | WriteData<'request-checkpoint-reissue', { log: number; size: number }>
  /** Refused unless the cosignatures are `from`. */
  | WriteData<'replace-cosignatures', { log: number; size: number; from: string; to: string }>
  /** Bulk. Deletes the checkpoint unless it was signed again or timestamped after `signedAt`. */
  | WriteData<'delete-checkpoint', { log: number; size: number; signedAt: number }>
  /** Refused when the checkpoint has a token. */
  | WriteData<'set-timestamp', { log: number; size: number; token: Uint8Array }>
  /** Inserts, or replaces the progress of the witness. */
  | WriteData<'upsert-witness', { witness: WitnessRecord }>

const slot = slotsOf<TreeWrite>()

export function defineWrites({ queries, tables }: Engine<TreeTables>): WriteDefinitions<TreeWrite> {
  const { tlogStates, tlogTiles, tlogHourlyCounts, tlogWitnesses } = tables
  const insertState = compileInsert(queries, tlogStates)
  const insertTile = compileInsert(queries, tlogTiles)
  const addCount = compileAddCount(queries, tlogHourlyCounts)
  const upsertWitness = compileUpsert(
    queries,
    tlogWitnesses,
    {},
    { key: tlogWitnesses.name, replace: ['log', 'size', 'cosignedAt', 'triedAt', 'failure'] },
  )
  const isTree = matching(tlogStates, 'log', 'size', 'root')
  return {
    'lock-log-state': { bind: compileUpdate(queries, tlogStates, { size: sql`${tlogStates.size}` }, isTree) },
    'insert-log-state': { bind: ({ state }) => insertState(state) },
    'insert-tile': { bind: ({ tile }) => insertTile(tile) },
    'add-hour-count': { bind: ({ count }) => addCount(count) },
    ...defineCheckpointWrites(queries, tables),
    'upsert-witness': { bind: ({ witness }) => upsertWitness(witness) },
  }
}

function compileAddCount(queries: Queries, counts: TreeTables['tlogHourlyCounts']) {
  const { hour, kind, result, code, entries } = counts
  const set = { entries: sql`${entries} + excluded.entries` }
  return compileUpsert(queries, counts, {}, { key: [hour, kind, result, code], set })
}

function defineCheckpointWrites(queries: Queries, { tlogCheckpoints }: TreeTables) {
  const { signedAt, cosignatures, timestampToken } = tlogCheckpoints
  const isOne = matching(tlogCheckpoints, 'log', 'size')
  const update = (values: Parameters<typeof compileUpdate<typeof tlogCheckpoints>>[2], condition: SQL) =>
    compileUpdate(queries, tlogCheckpoints, values, and(isOne, condition))
  const isUnchanged = and(isOne, matching(tlogCheckpoints, 'signedAt'), isNull(timestampToken))
  return {
    'insert-checkpoint': {
      bind: compileInsert(queries, tlogCheckpoints, { cosignatures: '', timestampToken: null }),
    },
    'reissue-checkpoint': {
      bind: update({ signedAt: slot('signedAt'), note: slot('note') }, eq(signedAt, slot('signedBefore'))),
    },
    'request-checkpoint-reissue': { bind: update({ signedAt: 0 }, ne(signedAt, 0)) },
    'replace-cosignatures': {
      bind: update({ cosignatures: slot('to') }, eq(cosignatures, slot('from'))),
    },
    'delete-checkpoint': { bind: compileDelete(queries, tlogCheckpoints, isUnchanged), isBulk: true },
    'set-timestamp': { bind: update({ timestampToken: slot('token') }, isNull(timestampToken)) },
  } as const
}

export interface TreeReads {
  /** The state of the newest log, which receives entries. `undefined` before the first start. */
  findLogState(): Promise<LogState | undefined>
  /** All logs, the oldest first. */
  listLogStates(): Promise<readonly LogState[]>
  findTile(log: number, level: number, index: number): Promise<TileRecord | undefined>
  /** The number of tiles of a log, of all levels. */
  countTiles(log: number): Promise<number>
  findCheckpoint(log: number, size: number): Promise<CheckpointRecord | undefined>
  /** The one of the greatest size. */
  findLatestCheckpoint(log: number): Promise<CheckpointRecord | undefined>
  /** Checkpoints below a size, the greatest first. */
  listCheckpoints(log: number, below: number, limit: number): Promise<readonly CheckpointRecord[]>
  /** Checkpoints of size `from` and above, the smallest first. */
  listCheckpointsFrom(log: number, from: number, limit: number): Promise<readonly CheckpointRecord[]>
  /** UNIX seconds of the last signing of a checkpoint that has a timestamp token. */
  findLastTimestamped(): Promise<number | undefined>
  listWitnesses(): Promise<readonly WitnessRecord[]>
  /** Counts of the hours that begin in `from <= hour < until`, UNIX seconds, in order, page by page. */
  streamHourlyCounts(from: number, until: number): AsyncGenerator<readonly HourlyCount[]>
}

export function prepareReads(engine: Engine<TreeTables>): TreeReads {
  const { queries } = engine
  const { tlogStates, tlogTiles, tlogWitnesses, tlogHourlyCounts } = engine.tables
  const { rows, first } = readersOf(engine)
  const states = () => queries.select().from(tlogStates)
  const isTile = matching(tlogTiles, 'log', 'level', 'index')
  const isOfLog = matching(tlogTiles, 'log')
  const tiles = first(queries.select({ tiles: count() }).from(tlogTiles).where(isOfLog), 'log')
  const { hour, kind, result, code } = tlogHourlyCounts
  const isInRange = and(gte(hour, sql.placeholder('from')), lt(hour, sql.placeholder('until')))
  const counts = queries.select().from(tlogHourlyCounts).where(isInRange)
  const inOrder = [asc(hour), asc(kind), asc(result), asc(code)]
  const page = rows(counts.orderBy(...inOrder).limit(countsPerPage), 'from', 'until')
  return {
    findLogState: first(states().orderBy(desc(tlogStates.log)).limit(1)),
    listLogStates: rows(states().orderBy(asc(tlogStates.log))),
    findTile: first(queries.select().from(tlogTiles).where(isTile), 'log', 'level', 'index'),
    countTiles: async (log) => (await tiles(log))?.tiles ?? 0,
    listWitnesses: rows(queries.select().from(tlogWitnesses).orderBy(asc(tlogWitnesses.name))),
    streamHourlyCounts: (from, until) => wholeHours((next) => page(next, until), from),
    ...prepareCheckpointReads(engine),
  }
}

function prepareCheckpointReads(engine: Engine<TreeTables>) {
  const { queries } = engine
  const { tlogCheckpoints } = engine.tables
  const { size, signedAt, timestampToken } = tlogCheckpoints
  const { rows, first } = readersOf(engine)
  const slot = sql.placeholder
  const select = (condition?: SQL) =>
    queries
      .select()
      .from(tlogCheckpoints)
      .where(and(matching(tlogCheckpoints, 'log'), condition))
  const below = select(lt(size, slot('size'))).orderBy(desc(size))
  const from = select(gte(size, slot('size'))).orderBy(asc(size))
  const isTimestamped = isNotNull(timestampToken)
  const timestamped = first(
    queries
      .select({ at: max(signedAt) })
      .from(tlogCheckpoints)
      .where(isTimestamped),
  )
  return {
    findCheckpoint: first(select(matching(tlogCheckpoints, 'size')), 'log', 'size'),
    findLatestCheckpoint: first(select().orderBy(desc(size)).limit(1), 'log'),
    listCheckpoints: rows(below.limit(slot('limit')), 'log', 'size', 'limit'),
    listCheckpointsFrom: rows(from.limit(slot('limit')), 'log', 'size', 'limit'),
    findLastTimestamped: async () => (await timestamped())?.at ?? undefined,
  }
}

/** More than one hour can have, with all combinations of kind, result and code. */
const countsPerPage = 2_000

/** Each page ends with a complete hour, where the next page begins. */
async function* wholeHours(
  read: (from: number) => Promise<readonly HourlyCount[]>,
  from: number,
): AsyncGenerator<readonly HourlyCount[]> {
  for (let next = from; ; ) {
    await nextTurn()
    const page = await read(next)
    const last = page.at(-1)?.hour
    if (page.length < countsPerPage || last === undefined || last === page[0]?.hour) return yield page
    yield page.filter(({ hour }) => hour < last)
    next = last
  }
}
