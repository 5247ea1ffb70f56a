/** Finding entries of the log by what they are: columns and tags, the newest first. */
import { and, asc, desc, getTableColumns, gt, gte, lt, type SQL, sql } from 'drizzle-orm'
import type { Queries } from './compile.ts'
import type { LeafResult, LogEntry } from './log-records.ts'
import { nextTurn } from './sqlite/turns.ts'
import type { Tables } from './tables.ts'

/** What an entry must be; what is absent does not matter. */
export interface LogSearch {
  /** Milliseconds since 1970: not before. */
  readonly from?: number
  /** Milliseconds since 1970: before this. */
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

/** The part of a store that searches. */
export interface LogSearching {
  /**
   * Entries that are all of `search`, with `place < before`, the newest first, at most `limit`.
   *
   * A time range is looked for among the places that it can be at: entries may be ten minutes out of the order of their
   * times, and one that is more is not found by its time.
   */
  searchLog(search: LogSearch, before: number, limit: number): Promise<readonly LogEntry[]>
  /** When the newest entries that are all of `search` happened, and what came of them: for a chart, at most `limit`. */
  listEntryTimes(search: LogSearch, limit: number): Promise<readonly TimedResult[]>
}

/** An entry as a chart shows it. */
export interface TimedResult {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly result: LeafResult
}

/**
 * By how much the times of two entries may contradict their places, in milliseconds: how long a request runs, and how
 * far the clocks of two processes are apart, with much to spare.
 */
const disorder = 600_000

type Guard = <T>(read: () => Promise<T>) => Promise<T>

/**
 * Places that one statement looks through, so that a search that finds little does not hold a database that runs in
 * this thread. Some milliseconds of SQLite.
 */
export const indexesPerStatement = 4_000

/** Rows that one statement returns. */
const rowsPerStatement = 500

/** @param guard runs a read and turns the driver's errors into StoreUnavailable. */
export function prepareLogSearch(queries: Queries, tables: Tables, guard: Guard): LogSearching {
  const { tlogEntries } = tables
  const { globalIndex, at, result } = tlogEntries
  return {
    searchLog: (search, before, limit) =>
      collect(guard, queries, tables, search, { before, limit }, (within, most) =>
        queries
          .select(getTableColumns(tlogEntries))
          .from(tlogEntries)
          .where(within)
          .orderBy(desc(globalIndex))
          .limit(most),
      ),
    listEntryTimes: (search, limit) =>
      collect(guard, queries, tables, search, { before: Number.MAX_SAFE_INTEGER, limit }, (within, most) =>
        queries
          .select({ globalIndex, at, result })
          .from(tlogEntries)
          .where(within)
          .orderBy(desc(globalIndex))
          .limit(most),
      ),
  }
}

type ReadRows<T> = (within: SQL | undefined, most: number) => Promise<readonly T[]>

/** Reads statement by statement, each of a bounded size, and lets other work of this thread come between them. */
async function collect<T extends { readonly globalIndex: number }>(
  guard: Guard,
  queries: Queries,
  tables: Tables,
  search: LogSearch,
  { before, limit }: { readonly before: number; readonly limit: number },
  read: ReadRows<T>,
): Promise<readonly T[]> {
  const { globalIndex } = tables.tlogEntries
  const conditions = conditionsOf(tables, search)
  const range = await guard(() => findRange(queries, tables, search))
  const isDirect = isWalkOfOneIndex(search)
  const found: T[] = []
  let top = Math.min(before, range.before)
  while (found.length < limit) {
    await nextTurn()
    const newest = await guard(() => findNewest(queries, tables, top))
    if (newest === undefined || newest <= range.after) break
    const bottom = isDirect ? range.after : Math.max(range.after, newest - indexesPerStatement)
    const most = Math.min(limit - found.length, rowsPerStatement)
    const within = and(lt(globalIndex, top), gt(globalIndex, bottom), ...conditions)
    const rows = await guard(() => read(within, most))
    found.push(...rows)
    top = rows.length === most ? (rows.at(-1)?.globalIndex ?? bottom) : bottom + 1
  }
  return found
}

/** Whether every entry that a statement looks at is one that it returns: then its limit bounds it. */
function isWalkOfOneIndex({ from, until, result, ...equal }: LogSearch): boolean {
  if (equal.id !== undefined || equal.hash !== undefined) return true
  if (from !== undefined || until !== undefined || result === 'ok') return false
  return Object.keys(equal).length + (result === undefined ? 0 : 1) <= 1 && equal.app === undefined
}

/** The newest place below `top`: between two logs there are very many places without entries. */
async function findNewest(
  queries: Queries,
  { tlogEntries: { globalIndex }, tlogEntries }: Tables,
  top: number,
): Promise<number | undefined> {
  const [newest] = await queries
    .select({ globalIndex })
    .from(tlogEntries)
    .where(lt(globalIndex, top))
    .orderBy(desc(globalIndex))
    .limit(1)
  return newest?.globalIndex
}

/** Places between `after` and `before`, both excluded. */
interface IndexRange {
  readonly after: number
  readonly before: number
}

/**
 * The places that a time range can be at. An index by time alone would have to sort all that it finds, and a walk by
 * place would have to pass all that is newer.
 */
async function findRange(queries: Queries, { tlogEntries }: Tables, search: LogSearch): Promise<IndexRange> {
  const { at, globalIndex } = tlogEntries
  let [after, before] = [-1, Number.MAX_SAFE_INTEGER]
  if (search.from !== undefined) {
    const [older] = await queries
      .select({ globalIndex })
      .from(tlogEntries)
      .where(lt(at, search.from - disorder))
      .orderBy(desc(at))
      .limit(1)
    after = older?.globalIndex ?? after
  }
  if (search.until !== undefined) {
    const [newer] = await queries
      .select({ globalIndex })
      .from(tlogEntries)
      .where(gt(at, search.until + disorder))
      .orderBy(asc(at))
      .limit(1)
    before = newer?.globalIndex ?? before
  }
  return { after, before }
}

function conditionsOf({ tlogEntries }: Tables, search: LogSearch): SQL[] {
  const equal = (
    [
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
  ).flatMap((name) => {
    const value = search[name]
    return value === undefined ? [] : [sql`${tlogEntries[name]} = ${sql.param(value, tlogEntries[name])}`]
  })
  if (search.from !== undefined) equal.push(gte(tlogEntries.at, search.from))
  if (search.until !== undefined) equal.push(lt(tlogEntries.at, search.until))
  // As in the partial index, word for word: SQLite proves nothing about a bound value.
  if (search.result !== undefined && search.result !== 'ok') equal.push(sql`${tlogEntries.result} <> 'ok'`)
  return equal
}
