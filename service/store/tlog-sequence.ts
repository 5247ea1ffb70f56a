/**
 * Sequencing: pending entries get their indexes in one transaction, a generator of statements that SQLite runs
 * synchronously and PostgreSQL asynchronously.
 *
 * The holder of the state-row lock is the only sequencer, and it changes the row only from the size and root that it read:
 * two processes cannot fork the tree. A batch takes the entries that are pending; an entry that commits later is in a later
 * batch, regardless of its id and time.
 */
import { and, asc, desc, eq, getTableColumns, inArray, or, sql } from 'drizzle-orm'
import {
  type BoundStatement,
  compile,
  compileDelete,
  compileInsert,
  compileUpdate,
  type Engine,
  matching,
  type Queries,
} from './engine.ts'
import { type AuthenticatedPendingEntry, type EntryTables, globalIndexOf } from './tlog-entries.ts'
import type { LogState, TileRecord, TreeTables } from './tlog-tree.ts'

/** The input of a batch. */
export interface SequenceBatch {
  readonly state: LogState
  /** The partial tiles: the last one of each level, where it is not full. */
  readonly edge: readonly TileRecord[]
  /** The entries in the order of their indexes. Never empty. */
  readonly pending: readonly Pick<AuthenticatedPendingEntry, 'hash' | 'leaf' | 'mac'>[]
}

/** The tree after a batch. */
export interface Growth {
  readonly root: Uint8Array
  /** The authentication code of the new state. */
  readonly mac: Uint8Array | null
  /** The tiles that changed, whole. */
  readonly tiles: readonly GrownTile[]
}

export interface GrownTile extends TileRecord {
  /** The number of hashes before; 0: the tile is new. */
  readonly widthBefore: number
}

/** Computes the tree after a batch. An error undoes the batch and is returned as `refused`. */
export type Grow = (batch: SequenceBatch) => Growth

export type SequenceResult =
  | { readonly kind: 'sequenced'; readonly state: LogState; readonly leaves: number }
  /** Nothing is pending. */
  | { readonly kind: 'idle' }
  /** No log has been started in this database. */
  | { readonly kind: 'no-log' }
  /** `grow` threw this. */
  | { readonly kind: 'refused'; readonly cause: unknown }

export interface Sequencing {
  /**
   * Adds at most `limit` (1 to 256) pending entries to the tree of the newest log, in one durable transaction: entries with
   * their indexes, tiles, hourly counts, state. Any number of processes may call it at once.
   *
   * @param grow synchronous
   */
  sequence(grow: Grow, limit: number): Promise<SequenceResult>
}

/** The result of work in a transaction; `keep: false` rolls its writes back. */
export interface Outcome<T> {
  readonly keep: boolean
  readonly value: T
}

/** A row as the driver returns it: 64-bit integers may be text. */
export type Row = Readonly<Record<string, unknown>>

/** The statements of a transaction; each yields its rows. */
export type Steps<T> = Generator<BoundStatement, T, readonly Row[]>

/** The largest batch. */
export const maxSequenced = 256

/** Compiles the transaction for one engine. */
export function compileSequence(
  engine: Engine<EntryTables & TreeTables>,
): (grow: Grow, limit: number) => Steps<Outcome<SequenceResult>> {
  const statements = compileSequenceStatements(engine)
  return (grow, limit) => sequenceSteps(statements, grow, limit)
}

function* sequenceSteps(
  statements: SequenceStatements,
  grow: Grow,
  limit: number,
): Steps<Outcome<SequenceResult>> {
  const state = yield* lockNewest(statements)
  if (state === undefined) return keep({ kind: 'no-log' })
  const rows = yield statements.lockPending({ limit })
  if (rows.length === 0) return keep({ kind: 'idle' })
  const pending = rows.map((row) => ({
    id: bytesOf(row, 'id'),
    hash: bytesOf(row, 'hash'),
    leaf: bytesOf(row, 'leaf'),
    mac: bytesOrNullOf(row, 'mac'),
  }))
  const edge = (yield statements.edge(edgeOf(state))).map(readTile)
  let growth: Growth
  try {
    growth = grow({ state, edge, pending })
  } catch (cause) {
    return { keep: false, value: { kind: 'refused', cause } }
  }
  const ids = pending.map(({ id }) => id)
  yield* moveBatch(statements, state, ids)
  for (const tile of growth.tiles) yield* writeTile(statements, tile)
  const size = state.size + ids.length
  const { log, root: rootBefore, size: sizeBefore } = state
  const { root, mac } = growth
  expectRows(yield statements.growState({ log, sizeBefore, rootBefore, size, root, mac }), 1)
  return keep({ kind: 'sequenced', state: { ...state, size, root, mac }, leaves: ids.length })
}

function keep(value: SequenceResult): Outcome<SequenceResult> {
  return { keep: true, value }
}

/** A new log starts under the lock of the previous state row, so a locked row may no longer be the newest. */
function* lockNewest(statements: SequenceStatements): Steps<LogState | undefined> {
  let [newest] = yield statements.newestLog
  while (newest !== undefined) {
    const [row] = yield statements.lockState({ log: numberOf(newest, 'log') })
    ;[newest] = yield statements.newestLog
    if (row !== undefined && newest !== undefined && numberOf(row, 'log') === numberOf(newest, 'log')) {
      return readState(row)
    }
  }
  return undefined
}

function* moveBatch(
  statements: SequenceStatements,
  state: LogState,
  ids: readonly Uint8Array[],
): Steps<void> {
  const length = listLengths.find((candidate) => candidate >= ids.length) ?? maxSequenced
  const values: Record<string, unknown> = { base: globalIndexOf(state.log, state.size) - 1 }
  for (let i = 0; i < length; i++) values[`id${i}`] = ids[Math.min(i, ids.length - 1)]
  const { moveEntries, countHours, removePending } = statements.movesOf(length)
  expectRows(yield moveEntries(values), ids.length)
  yield countHours(values)
  expectRows(yield removePending(values), ids.length)
}

function* writeTile(statements: SequenceStatements, tile: GrownTile): Steps<void> {
  const { widthBefore, ...values } = tile
  const write = widthBefore === 0 ? statements.insertTile : statements.growTile
  expectRows(yield write({ ...values, bytesBefore: widthBefore * 32 }), 1)
}

/** The transaction holds locks on all rows that it writes, so a different count means damage. */
function expectRows(rows: readonly Row[], count: number): void {
  if (rows.length !== count) throw new Error('the tables of the log contradict each other')
}

/** The index of the last tile of each level, by the names of the placeholders. */
function edgeOf({ log, size }: LogState): Record<string, unknown> {
  const indexes = levels.map((level): [string, number] => [
    `index${level}`,
    Math.floor(size / 256 ** (level + 1)),
  ])
  return { log, ...Object.fromEntries(indexes) }
}

function readState(row: Row): LogState {
  const { origin } = row
  if (typeof origin !== 'string') throw new Error('a log has no origin')
  const [log, size] = [numberOf(row, 'log'), numberOf(row, 'size')]
  return { log, origin, size, root: bytesOf(row, 'root'), mac: bytesOrNullOf(row, 'mac') }
}

function readTile(row: Row): TileRecord {
  const [log, level, index] = [numberOf(row, 'log'), numberOf(row, 'level'), numberOf(row, 'tile_index')]
  return { log, level, index, hashes: bytesOf(row, 'hashes') }
}

function numberOf(row: Row, column: string): number {
  const number = Number(row[column])
  if (!Number.isSafeInteger(number)) throw new Error(`the column ${column} is no integer`)
  return number
}

function bytesOf(row: Row, column: string): Uint8Array {
  const bytes = row[column]
  if (!(bytes instanceof Uint8Array)) throw new Error(`the column ${column} is no byte string`)
  return new Uint8Array(bytes)
}

function bytesOrNullOf(row: Row, column: string): Uint8Array | null {
  return row[column] === null ? null : bytesOf(row, column)
}

/** Lengths of the compiled id lists. A shorter list is filled with its last id, without effect. */
const listLengths = [1, 8, 64, 256]

/** Levels with a partial tile: at most five for the 2^40 leaves of a log. */
const levels = [0, 1, 2, 3, 4]

type SequenceStatements = ReturnType<typeof compileSequenceStatements>

function compileSequenceStatements(engine: Engine<EntryTables & TreeTables>) {
  const moves = new Map<number, ReturnType<typeof compileMoves>>()
  return {
    ...compileLocks(engine),
    ...compileGrowth(engine.queries, engine.tables),
    /** By the length of the id list; compiled on first use. */
    movesOf(length: number) {
      const compiled = moves.get(length) ?? compileMoves(engine, length)
      moves.set(length, compiled)
      return compiled
    },
  }
}

const slot = sql.placeholder

function compileLocks({ queries, tables, locks }: Engine<EntryTables & TreeTables>) {
  const { tlogStates, tlogPending, tlogTiles } = tables
  const { id, hash, leaf, mac } = tlogPending
  const isEdge = levels.map((level) =>
    and(eq(tlogTiles.level, level), eq(tlogTiles.index, slot(`index${level}`))),
  )
  return {
    newestLog: compile(
      queries.select({ log: tlogStates.log }).from(tlogStates).orderBy(desc(tlogStates.log)).limit(1),
    )({}),
    lockState: compile(queries.select().from(tlogStates).where(matching(tlogStates, 'log')), locks.update),
    lockPending: compile(
      queries.select({ id, hash, leaf, mac }).from(tlogPending).orderBy(asc(id)).limit(slot('limit')),
      locks.update,
    ),
    edge: compile(
      queries
        .select()
        .from(tlogTiles)
        .where(and(matching(tlogTiles, 'log'), or(...isEdge))),
    ),
  }
}

/**
 * Compiles the statements that move a list of entries. Entries move inside the database; a concurrent redaction waits for the
 * locked rows.
 */
function compileMoves({ queries, tables }: Engine<EntryTables & TreeTables>, length: number) {
  const { tlogPending, tlogEntries, tlogHourlyCounts: counts } = tables
  const ids = Array.from({ length }, (_, i) => slot(`id${i}`))
  const isChosen = inArray(tlogPending.id, ids)
  const { id, mac: _, ...others } = getTableColumns(tlogPending)
  const globalIndex = sql<number>`cast(${slot('base')} as bigint) + row_number() over (order by ${id})`.as(
    'global_index',
  )
  const moved = queries
    .select({ globalIndex, id, ...others })
    .from(tlogPending)
    .where(isChosen)
  const hour = sql<number>`${tlogPending.at} / 3600000 * 3600`.as('hour')
  const code = sql<string>`coalesce(${tlogPending.code}, '')`.as('code_or_empty')
  const entries = sql<number>`count(*)`.as('entries')
  const { kind, result } = tlogPending
  const counted = queries.select({ hour, kind, result, code, entries }).from(tlogPending).where(isChosen)
  return {
    moveEntries: compile(
      queries.insert(tlogEntries).select(moved).returning({ touched: tlogEntries.globalIndex }),
    ),
    countHours: compile(
      queries
        .insert(counts)
        .select(counted.groupBy(sql`1`, sql`2`, sql`3`, sql`4`))
        .onConflictDoUpdate({
          target: [counts.hour, counts.kind, counts.result, counts.code],
          set: { entries: sql`${counts.entries} + excluded.entries` },
        })
        .returning({ touched: counts.hour }),
    ),
    removePending: compileDelete(queries, tlogPending, isChosen),
  }
}

function compileGrowth(queries: Queries, { tlogTiles, tlogStates }: TreeTables) {
  const isTile = matching(tlogTiles, 'log', 'level', 'index')
  const isShorter = sql`length(${tlogTiles.hashes}) = ${slot('bytesBefore')}`
  const isUnchanged = and(
    matching(tlogStates, 'log'),
    eq(tlogStates.size, slot('sizeBefore')),
    eq(tlogStates.root, slot('rootBefore')),
  )
  const grown = { size: slot('size'), root: slot('root'), mac: slot('mac') }
  return {
    insertTile: compileInsert(queries, tlogTiles),
    growTile: compileUpdate(queries, tlogTiles, { hashes: slot('hashes') }, and(isTile, isShorter)),
    growState: compileUpdate(queries, tlogStates, grown, isUnchanged),
  }
}
