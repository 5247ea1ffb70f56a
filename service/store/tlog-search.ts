/** Searching entries of the log by columns and blind indexes, newest first. */
import { and, asc, desc, getTableColumns, gt, gte, lt, type SQL, sql } from 'drizzle-orm'
import type { Engine } from './engine.ts'
import type { EntryTables, LeafResult, LogEntry } from './tlog-entries.ts'

/** Conditions, all of which an entry must meet. */
export interface LogSearch {
  /** Milliseconds since 1970, inclusive. */
  readonly from?: number
  /** Milliseconds since 1970, exclusive. */
  readonly until?: number
  readonly kind?: string
  readonly result?: LeafResult
  readonly code?: string
  readonly app?: string
  /** 16 bytes. */
  readonly id?: Uint8Array
  /** 32 bytes. */
  readonly hash?: Uint8Array
  readonly userBlindIndex?: Uint8Array
  readonly deviceBlindIndex?: Uint8Array
  readonly ipBlindIndex?: Uint8Array
  readonly pathBlindIndex?: Uint8Array
  readonly areaBlindIndex?: Uint8Array
}

export interface SearchReads {
  /**
   * Entries that meet `search`, with `globalIndex < before`, newest first, at most `limit`.
   *
   * A time range is mapped to a range of indexes. An entry whose time contradicts its index by more than ten minutes is
   * not found by its time.
   */
  searchLog(search: LogSearch, before: number, limit: number): Promise<readonly LogEntry[]>
  /** Times and results of the newest entries that meet `search`, at most `limit`: for a chart. */
  listEntryTimes(search: LogSearch, limit: number): Promise<readonly TimedResult[]>
}

export interface TimedResult {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly result: LeafResult
}

/**
 * Milliseconds by which the times of two entries may contradict their indexes: the run time of a request and the clock
 * skew between two processes, with a large margin.
 */
const maxDisorder = 600_000

/** Indexes that one statement scans: some milliseconds of SQLite, which blocks this thread. */
export const indexesPerStatement = 4_000

/** Rows that one statement returns. */
const rowsPerStatement = 500

export function prepareReads(engine: Engine<EntryTables>): SearchReads {
  const { queries } = engine
  const { tlogEntries } = engine.tables
  const { globalIndex, at, result } = tlogEntries
  return {
    searchLog: (search, before, limit) =>
      collect(engine, search, { before, limit }, (condition, rows) =>
        queries
          .select(getTableColumns(tlogEntries))
          .from(tlogEntries)
          .where(condition)
          .orderBy(desc(globalIndex))
          .limit(rows),
      ),
    listEntryTimes: (search, limit) =>
      collect(engine, search, { before: Number.MAX_SAFE_INTEGER, limit }, (condition, rows) =>
        queries
          .select({ globalIndex, at, result })
          .from(tlogEntries)
          .where(condition)
          .orderBy(desc(globalIndex))
          .limit(rows),
      ),
  }
}

type ReadRows<T> = (condition: SQL | undefined, limit: number) => Promise<readonly T[]>

/** Reads in bounded statements, and yields to other work of this thread between them. */
async function collect<T extends { readonly globalIndex: number }>(
  engine: Engine<EntryTables>,
  search: LogSearch,
  { before, limit }: { readonly before: number; readonly limit: number },
  read: ReadRows<T>,
): Promise<readonly T[]> {
  const { globalIndex } = engine.tables.tlogEntries
  const conditions = conditionsOf(engine.tables, search)
  const range = await engine.guard(() => findRange(engine, search))
  const isDirect = usesOneIndex(search)
  const found: T[] = []
  let top = Math.min(before, range.before)
  while (found.length < limit) {
    await nextTurn()
    const newest = await engine.guard(() => findNewest(engine, top))
    if (newest === undefined || newest <= range.after) break
    const bottom = isDirect ? range.after : Math.max(range.after, newest - indexesPerStatement)
    const most = Math.min(limit - found.length, rowsPerStatement)
    const isInWindow = and(lt(globalIndex, top), gt(globalIndex, bottom), ...conditions)
    const rows = await engine.guard(() => read(isInWindow, most))
    found.push(...rows)
    top = rows.length === most ? (rows.at(-1)?.globalIndex ?? bottom) : bottom + 1
  }
  return found
}

/** Whether a statement returns every entry that it scans: then its LIMIT bounds it. */
function usesOneIndex({ from, until, result, ...equal }: LogSearch): boolean {
  if (equal.id !== undefined || equal.hash !== undefined) return true
  if (from !== undefined || until !== undefined || result === 'ok') return false
  return Object.keys(equal).length + (result === undefined ? 0 : 1) <= 1 && equal.app === undefined
}

/** The greatest index below `top` that has an entry: between two logs there is a very large gap. */
async function findNewest(
  { queries, tables }: Engine<EntryTables>,
  top: number,
): Promise<number | undefined> {
  const { globalIndex } = tables.tlogEntries
  const [newest] = await queries
    .select({ globalIndex })
    .from(tables.tlogEntries)
    .where(lt(globalIndex, top))
    .orderBy(desc(globalIndex))
    .limit(1)
  return newest?.globalIndex
}

/** Indexes between `after` and `before`, both excluded. */
interface IndexRange {
  readonly after: number
  readonly before: number
}

/**
 * The indexes that a time range can have. A query by time would sort all matches, and a scan by index would read all newer
 * entries.
 */
async function findRange({ queries, tables }: Engine<EntryTables>, search: LogSearch): Promise<IndexRange> {
  const { at, globalIndex } = tables.tlogEntries
  const firstIndex = async (condition: SQL, order: SQL): Promise<number | undefined> => {
    const rows = queries.select({ globalIndex }).from(tables.tlogEntries).where(condition)
    return (await rows.orderBy(order).limit(1))[0]?.globalIndex
  }
  const { from, until } = search
  const older = from === undefined ? undefined : await firstIndex(lt(at, from - maxDisorder), desc(at))
  const newer = until === undefined ? undefined : await firstIndex(gt(at, until + maxDisorder), asc(at))
  return { after: older ?? -1, before: newer ?? Number.MAX_SAFE_INTEGER }
}

const equalColumns = [
  'kind',
  'result',
  'code',
  'app',
  'id',
  'hash',
  'userBlindIndex',
  'deviceBlindIndex',
  'ipBlindIndex',
  'pathBlindIndex',
  'areaBlindIndex',
] as const

function conditionsOf({ tlogEntries }: EntryTables, search: LogSearch): SQL[] {
  const conditions = equalColumns.flatMap((name) => {
    const value = search[name]
    return value === undefined ? [] : [sql`${tlogEntries[name]} = ${sql.param(value, tlogEntries[name])}`]
  })
  if (search.from !== undefined) conditions.push(gte(tlogEntries.at, search.from))
  if (search.until !== undefined) conditions.push(lt(tlogEntries.at, search.until))
  // The text of the partial index: SQLite does not match it with a bound value.
  if (search.result !== undefined && search.result !== 'ok')
    conditions.push(sql`${tlogEntries.result} <> 'ok'`)
  return conditions
}

const waiting: (() => void)[] = []

/**
 * Schedules long synchronous work fairly: resolves in a turn of the event loop in which no other caller of this process
 * resolves, first come first served. I/O runs in between.
 */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    if (waiting.push(resolve) === 1) setImmediate(runNext)
  })
}

function runNext(): void {
  const step = waiting.shift()
  if (waiting.length > 0) setImmediate(runNext)
  step?.()
}
