/** Finding entries of the log by what they are: columns and tags, the newest first. */
import { and, asc, desc, getTableColumns, gt, gte, lt, type SQL, sql } from 'drizzle-orm'
import type { Queries } from './compile.ts'
import type { LeafResult, LogEntry } from './log-records.ts'
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
  readonly userTag?: Uint8Array
  readonly deviceTag?: Uint8Array
  readonly ipTag?: Uint8Array
  readonly pathTag?: Uint8Array
  readonly areaTag?: Uint8Array
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
  listTimes(search: LogSearch, limit: number): Promise<readonly TimedResult[]>
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

/** @param guard runs a read and turns the driver's errors into StoreUnavailable. */
export function prepareLogSearch(queries: Queries, tables: Tables, guard: Guard): LogSearching {
  const { logEntries } = tables
  const columns = getTableColumns(logEntries)
  return {
    searchLog: (search, before, limit) =>
      guard(async () => {
        const range = await findRange(queries, tables, search)
        return await queries
          .select(columns)
          .from(logEntries)
          .where(and(lt(logEntries.place, before), ...range, ...conditionsOf(tables, search)))
          .orderBy(desc(logEntries.place))
          .limit(limit)
      }),
    listTimes: (search, limit) =>
      guard(async () => {
        const range = await findRange(queries, tables, search)
        return await queries
          .select({ at: logEntries.at, result: logEntries.result })
          .from(logEntries)
          .where(and(...range, ...conditionsOf(tables, search)))
          .orderBy(desc(logEntries.place))
          .limit(limit)
      }),
  }
}

/**
 * The places that a time range can be at. An index by time alone would have to sort all that it finds, and a walk by
 * place would have to pass all that is newer.
 */
async function findRange(queries: Queries, { logEntries }: Tables, search: LogSearch): Promise<SQL[]> {
  const { at, place } = logEntries
  const range: SQL[] = []
  if (search.from !== undefined) {
    const [older] = await queries
      .select({ place })
      .from(logEntries)
      .where(lt(at, search.from - disorder))
      .orderBy(desc(at))
      .limit(1)
    if (older !== undefined) range.push(gt(place, older.place))
  }
  if (search.until !== undefined) {
    const [newer] = await queries
      .select({ place })
      .from(logEntries)
      .where(gt(at, search.until + disorder))
      .orderBy(asc(at))
      .limit(1)
    if (newer !== undefined) range.push(lt(place, newer.place))
  }
  return range
}

function conditionsOf({ logEntries }: Tables, search: LogSearch): SQL[] {
  const equal = (
    [
      'kind',
      'result',
      'code',
      'app',
      'id',
      'hash',
      'userTag',
      'deviceTag',
      'ipTag',
      'pathTag',
      'areaTag',
    ] as const
  ).flatMap((name) => {
    const value = search[name]
    return value === undefined ? [] : [sql`${logEntries[name]} = ${sql.param(value, logEntries[name])}`]
  })
  if (search.from !== undefined) equal.push(gte(logEntries.at, search.from))
  if (search.until !== undefined) equal.push(lt(logEntries.at, search.until))
  // As in the partial index, word for word: SQLite proves nothing about a bound value.
  if (search.result !== undefined && search.result !== 'ok') equal.push(sql`${logEntries.result} <> 'ok'`)
  return equal
}
