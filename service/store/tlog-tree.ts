/** The trees of the transparency log: state, tiles (C2SP tlog-tiles), checkpoints, witnesses, and counts for charts. */
import { and, asc, count, desc, eq, gte, isNotNull, isNull, lt, max, ne, type SQL, sql } from 'drizzle-orm'
import {
  type ColumnKit,
  compile,
  type Engine,
  prepareRead,
  type Queries,
  rowSlots,
  slotsOf,
  type WriteData,
  type WriteDefinitions,
} from './engine.ts'
import type { LeafResult } from './tlog-entries.ts'
import { nextTurn } from './turns.ts'

export type TreeTables = ReturnType<typeof defineTree>

export function defineTree(kit: ColumnKit) {
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
      /** By the service (`tlog/row-macs.ts`); null: somebody else wrote this row. */
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
      /** Of the last signing; 0: to be signed again at once. */
      signedAt: seconds('signed_at').notNull(),
      /** The signed note, without cosignatures. */
      note: text('note').notNull(),
      /** Signature lines of witnesses, as received. */
      cosignatures: text('cosignatures').notNull(),
      /** RFC 3161, DER; null where none was requested. */
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

/** The tree of one log as far as it is sequenced. */
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
  /** Replaces the note of the same size; its cosignatures stay. Refused unless it was signed last at `signedBefore`. */
  | WriteData<
      'reissue-checkpoint',
      { log: number; size: number; signedBefore: number; signedAt: number; note: string }
    >
  /** Sets `signedAt` to 0: any process that can sign signs it again at once. Refused when it is 0. */
  | WriteData<'request-checkpoint-reissue', { log: number; size: number }>
  /** Refused unless the cosignatures are still `from`. */
  | WriteData<'replace-cosignatures', { log: number; size: number; from: string; to: string }>
  /** Bulk. Deletes the checkpoint unless it was signed again, or has received a timestamp, since it was read. */
  | WriteData<'delete-checkpoint', { log: number; size: number; signedAt: number }>
  /** Refused when the checkpoint has a token. */
  | WriteData<'set-timestamp', { log: number; size: number; token: Uint8Array }>
  /** Inserts, or replaces the progress of the witness. */
  | WriteData<'upsert-witness', { witness: WitnessRecord }>

type WriteOf<K extends TreeWrite['kind']> = Extract<TreeWrite, { readonly kind: K }>

export function defineTreeWrites({ queries, tables }: Engine<TreeTables>): WriteDefinitions<TreeWrite> {
  return {
    ...defineStateWrites(queries, tables),
    ...defineCheckpointWrites(queries, tables),
    ...defineWitnessWrites(queries, tables),
  }
}

function defineStateWrites(queries: Queries, { tlogStates, tlogTiles, tlogHourlyCounts }: TreeTables) {
  const slot = slotsOf<LogState>()
  const touched = { touched: tlogStates.log }
  const isTree = and(
    eq(tlogStates.log, slot('log')),
    eq(tlogStates.size, slot('size')),
    eq(tlogStates.root, slot('root')),
  )
  const insertState = compile(
    queries.insert(tlogStates).values(rowSlots(tlogStates)).onConflictDoNothing().returning(touched),
  )
  const insertTile = compile(
    queries
      .insert(tlogTiles)
      .values(rowSlots(tlogTiles))
      .onConflictDoNothing()
      .returning({ touched: tlogTiles.log }),
  )
  const { hour, kind, result, code, entries } = tlogHourlyCounts
  const addCount = compile(
    queries
      .insert(tlogHourlyCounts)
      .values(rowSlots(tlogHourlyCounts))
      .onConflictDoUpdate({
        target: [hour, kind, result, code],
        set: { entries: sql`${entries} + excluded.entries` },
      })
      .returning({ touched: hour }),
  )
  return {
    'lock-log-state': {
      bind: compile(
        queries
          .update(tlogStates)
          .set({ size: sql`${tlogStates.size}` })
          .where(isTree)
          .returning(touched),
      ),
    },
    'insert-log-state': { bind: ({ state }: WriteOf<'insert-log-state'>) => insertState(state) },
    'insert-tile': { bind: ({ tile }: WriteOf<'insert-tile'>) => insertTile(tile) },
    'add-hour-count': { bind: ({ count }: WriteOf<'add-hour-count'>) => addCount(count) },
  }
}

function defineCheckpointWrites(queries: Queries, { tlogCheckpoints }: TreeTables) {
  const { log, size, signedAt, cosignatures, timestampToken } = tlogCheckpoints
  const slot = slotsOf<
    WriteOf<'reissue-checkpoint'> & WriteOf<'replace-cosignatures'> & WriteOf<'set-timestamp'>
  >()
  const touched = { touched: size }
  const isOne = and(eq(log, slot('log')), eq(size, slot('size')))
  const update = (values: Record<string, SQL | number>, condition: SQL) =>
    compile(queries.update(tlogCheckpoints).set(values).where(and(isOne, condition)).returning(touched))
  const isUnchanged = and(isOne, eq(signedAt, slot('signedAt')), isNull(timestampToken))
  return {
    'insert-checkpoint': {
      bind: compile(
        queries
          .insert(tlogCheckpoints)
          .values({ ...rowSlots(tlogCheckpoints), cosignatures: '', timestampToken: null })
          .onConflictDoNothing()
          .returning(touched),
      ),
    },
    'reissue-checkpoint': {
      bind: update(
        { signedAt: sql`${slot('signedAt')}`, note: sql`${slot('note')}` },
        eq(signedAt, slot('signedBefore')),
      ),
    },
    'request-checkpoint-reissue': { bind: update({ signedAt: 0 }, ne(signedAt, 0)) },
    'replace-cosignatures': {
      bind: update({ cosignatures: sql`${slot('to')}` }, eq(cosignatures, slot('from'))),
    },
    'delete-checkpoint': {
      bind: compile(queries.delete(tlogCheckpoints).where(isUnchanged).returning(touched)),
      isBulk: true,
    },
    'set-timestamp': { bind: update({ timestampToken: sql`${slot('token')}` }, isNull(timestampToken)) },
  } as const
}

function defineWitnessWrites(queries: Queries, { tlogWitnesses }: TreeTables) {
  const upsert = compile(
    queries
      .insert(tlogWitnesses)
      .values(rowSlots(tlogWitnesses))
      .onConflictDoUpdate({
        target: tlogWitnesses.name,
        set: {
          log: sql`excluded.log`,
          size: sql`excluded.size`,
          cosignedAt: sql`excluded.cosigned_at`,
          triedAt: sql`excluded.tried_at`,
          failure: sql`excluded.failure`,
        },
      })
      .returning({ touched: tlogWitnesses.name }),
  )
  return { 'upsert-witness': { bind: ({ witness }: WriteOf<'upsert-witness'>) => upsert(witness) } }
}

export interface TreeReads {
  /** Of the newest log: the one that is written to. `undefined` before the first start. */
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
  /** Checkpoints of sizes from `from` on, the smallest first. */
  listCheckpointsFrom(log: number, from: number, limit: number): Promise<readonly CheckpointRecord[]>
  /** UNIX seconds of the last signing of a checkpoint that has a timestamp token. */
  findLastTimestamped(): Promise<number | undefined>
  listWitnesses(): Promise<readonly WitnessRecord[]>
  /** Counts of the hours that begin in `from <= hour < until`, UNIX seconds, in order, page by page. */
  streamHourlyCounts(from: number, until: number): AsyncGenerator<readonly HourlyCount[]>
}

export function prepareTreeReads(engine: Engine<TreeTables>): TreeReads {
  return { ...prepareStateReads(engine), ...prepareCheckpointReads(engine), ...prepareCountReads(engine) }
}

function prepareStateReads(engine: Engine<TreeTables>) {
  const { queries } = engine
  const { tlogStates, tlogTiles, tlogWitnesses } = engine.tables
  const slot = slotsOf<TileRecord>()
  const states = () => queries.select().from(tlogStates)
  const newest = prepareRead(engine, states().orderBy(desc(tlogStates.log)).limit(1))
  const all = prepareRead(engine, states().orderBy(asc(tlogStates.log)))
  const isTile = and(
    eq(tlogTiles.log, slot('log')),
    eq(tlogTiles.level, slot('level')),
    eq(tlogTiles.index, slot('index')),
  )
  const tile = prepareRead(engine, queries.select().from(tlogTiles).where(isTile))
  const tiles = prepareRead(
    engine,
    queries
      .select({ tiles: count() })
      .from(tlogTiles)
      .where(eq(tlogTiles.log, slot('log'))),
  )
  const witnesses = prepareRead(engine, queries.select().from(tlogWitnesses).orderBy(asc(tlogWitnesses.name)))
  return {
    findLogState: async () => (await newest())[0],
    listLogStates: () => all(),
    findTile: async (log: number, level: number, index: number) => (await tile({ log, level, index }))[0],
    countTiles: async (log: number) => (await tiles({ log }))[0]?.tiles ?? 0,
    listWitnesses: () => witnesses(),
  }
}

function prepareCheckpointReads(engine: Engine<TreeTables>) {
  const { queries } = engine
  const { tlogCheckpoints } = engine.tables
  const { log, size, signedAt, timestampToken } = tlogCheckpoints
  const slot = slotsOf<{ log: number; size: number; limit: number }>()
  const select = (condition?: SQL) =>
    queries
      .select()
      .from(tlogCheckpoints)
      .where(and(eq(log, slot('log')), condition))
  const bySize = prepareRead(engine, select(eq(size, slot('size'))))
  const latest = prepareRead(engine, select().orderBy(desc(size)).limit(1))
  const below = prepareRead(
    engine,
    select(lt(size, slot('size')))
      .orderBy(desc(size))
      .limit(slot('limit')),
  )
  const from = prepareRead(
    engine,
    select(gte(size, slot('size')))
      .orderBy(asc(size))
      .limit(slot('limit')),
  )
  const timestamped = prepareRead(
    engine,
    queries
      .select({ at: max(signedAt) })
      .from(tlogCheckpoints)
      .where(isNotNull(timestampToken)),
  )
  return {
    findCheckpoint: async (log: number, size: number) => (await bySize({ log, size }))[0],
    findLatestCheckpoint: async (log: number) => (await latest({ log }))[0],
    listCheckpoints: (log: number, size: number, limit: number) => below({ log, size, limit }),
    listCheckpointsFrom: (log: number, size: number, limit: number) => from({ log, size, limit }),
    findLastTimestamped: async () => (await timestamped())[0]?.at ?? undefined,
  }
}

/** More than one hour can have: every kind with every result and code that it can have. */
const countsPerPage = 2_000

function prepareCountReads(engine: Engine<TreeTables>) {
  const { hour, kind, result, code } = engine.tables.tlogHourlyCounts
  const page = prepareRead(
    engine,
    engine.queries
      .select()
      .from(engine.tables.tlogHourlyCounts)
      .where(and(gte(hour, sql.placeholder('from')), lt(hour, sql.placeholder('until'))))
      .orderBy(asc(hour), asc(kind), asc(result), asc(code))
      .limit(countsPerPage),
  )
  return {
    streamHourlyCounts: (from: number, until: number) =>
      wholeHours((next) => page({ from: next, until }), from),
  }
}

/** Each page ends with a whole hour, so that the next one begins with another. */
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
