/**
 * How staged leaves get their places: one transaction, written once, run in step (SQLite) or awaited (PostgreSQL).
 *
 * Who holds the row of the log's state is the only one who gives places, and changes it only from the size and root that
 * it read: two processes cannot fork the tree. Which leaves are taken depends on nothing but that they are there. A leaf
 * that commits late, whatever its id and time, is taken later.
 */
import type { BoundStatement, Queries } from './compile.ts'
import type { Outcome } from './group-commit.ts'
import {
  type AuthenticatedPendingEntry,
  globalIndexOf,
  type LogState,
  type TileRecord,
} from './log-records.ts'
import {
  compileSequenceStatements,
  levels,
  listLengths,
  type SequenceStatements,
} from './log-sequence-statements.ts'
import type { Tables } from './tables.ts'

/** What a batch is made from. */
export interface SequenceBatch {
  readonly state: LogState
  /** The tiles that the tree still fills: the last one of each level, where it is not full. */
  readonly edge: readonly TileRecord[]
  /** In the order of their places. Never empty. */
  readonly pending: readonly Pick<AuthenticatedPendingEntry, 'hash' | 'leaf' | 'mac'>[]
}

/** The tree after a batch. */
export interface Growth {
  readonly root: Uint8Array
  /** Of the state after it. */
  readonly mac: Uint8Array | null
  /** The tiles that changed, whole. */
  readonly tiles: readonly GrownTile[]
}

export interface GrownTile extends TileRecord {
  /** How many hashes it held before; 0: it was not there. */
  readonly widthBefore: number
}

/** Computes the tree after a batch. What it throws undoes the batch and reaches the caller of `sequence`. */
export type Grow = (batch: SequenceBatch) => Growth

export type SequenceResult =
  | { readonly kind: 'sequenced'; readonly state: LogState; readonly leaves: number }
  /** Nothing is staged. */
  | { readonly kind: 'idle' }
  /** No log has been started in this database. */
  | { readonly kind: 'no-log' }
  /** `grow` threw this. */
  | { readonly kind: 'refused'; readonly cause: unknown }

/** The part of a store that gives leaves their places. */
export interface LogSequencing {
  /**
   * Takes at most `limit` (1 to 256) staged leaves into the tree of the newest log, in one durable transaction: entries
   * with their places, tiles, counts of the hour, state. Any number of processes may call it at once.
   *
   * @param grow synchronous
   */
  sequence(grow: Grow, limit: number): Promise<SequenceResult>
}

/** A row as the driver gives it: integers of 64 bits may be text. */
export type Row = Readonly<Record<string, unknown>>

/** A transaction's statements, each answered with its rows. */
export type Steps<T> = Generator<BoundStatement, T, readonly Row[]>

/** The largest batch. */
export const maxSequenced = 256

/**
 * Compiles the transaction for one engine.
 *
 * @param lock what a select takes its rows with: ` for update`, or nothing where the transaction is the lock
 */
export function compileSequence(
  queries: Queries,
  tables: Tables,
  lock: '' | ' for update',
): (grow: Grow, limit: number) => Steps<Outcome<SequenceResult>> {
  const statements = compileSequenceStatements(queries, tables, lock)
  return (grow, limit) => sequenceSteps(statements, grow, limit)
}

function* sequenceSteps(
  statements: SequenceStatements,
  grow: Grow,
  limit: number,
): Steps<Outcome<SequenceResult>> {
  const state = yield* lockNewest(statements)
  if (state === undefined) return keep({ kind: 'no-log' })
  const rows = yield statements.lockStaged({ limit })
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
  yield* moveLeaves(statements, state, ids)
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

/** Whoever starts a log holds the row of the one before: once we have a row, a look shows whether it is the newest. */
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

function* moveLeaves(
  statements: SequenceStatements,
  state: LogState,
  ids: readonly Uint8Array[],
): Steps<void> {
  const length = listLengths.find((candidate) => candidate >= ids.length) ?? maxSequenced
  const values: Record<string, unknown> = { base: globalIndexOf(state.log, state.size) - 1 }
  for (let i = 0; i < length; i++) values[`id${i}`] = ids[Math.min(i, ids.length - 1)]
  expectRows(yield statements.moveEntries(length)(values), ids.length)
  yield statements.countHours(length)(values)
  expectRows(yield statements.removeStaged(length)(values), ids.length)
}

function* writeTile(statements: SequenceStatements, tile: GrownTile): Steps<void> {
  const { widthBefore, ...values } = tile
  const write = widthBefore === 0 ? statements.insertTile : statements.growTile
  expectRows(yield write({ ...values, bytesBefore: widthBefore * 32 }), 1)
}

/** The transaction holds every row that it counts on, so another number is damage, and nothing may be built on it. */
function expectRows(rows: readonly Row[], count: number): void {
  if (rows.length !== count) throw new Error('the tables of the log do not fit each other')
}

/** The index of the last tile of each level, as the names of the placeholders. */
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
  if (!Number.isSafeInteger(number)) throw new Error(`the column ${column} has no whole number`)
  return number
}

function bytesOf(row: Row, column: string): Uint8Array {
  const bytes = row[column]
  if (!(bytes instanceof Uint8Array)) throw new Error(`the column ${column} has no bytes`)
  return new Uint8Array(bytes)
}

function bytesOrNullOf(row: Row, column: string): Uint8Array | null {
  return row[column] === null ? null : bytesOf(row, column)
}
