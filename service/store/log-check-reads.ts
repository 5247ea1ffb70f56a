/** The reads of whoever checks a log as a whole, or draws it. */
import { and, asc, count, eq, gte, lt, sql } from 'drizzle-orm'
import type { Queries } from './compile.ts'
import type { AuthenticatedPendingEntry, CheckpointRecord, HourlyCount } from './log-records.ts'
import { nextTurn } from './sqlite/turns.ts'
import type { Tables } from './tables.ts'

/** The part of a store that a check needs besides `LogReads`. */
export interface LogCheckReads {
  /** How many tiles a log has, of all levels. */
  countTiles(log: number): Promise<number>
  /** Checkpoints of sizes from `from` on, the smallest first. */
  listCheckpointsFrom(log: number, from: number, limit: number): Promise<readonly CheckpointRecord[]>
  /** Counts of the hours that begin in `from <= hour < until`, UNIX seconds, in the order of the hours, page by page. */
  streamHourlyCounts(from: number, until: number): AsyncGenerator<readonly HourlyCount[]>
  /** Leaves that wait for their place, the oldest ids first. */
  listPending(limit: number): Promise<readonly AuthenticatedPendingEntry[]>
}

const slot = sql.placeholder

/** More than one hour can have: every kind with every result and code that comes with it. */
const countsPerPage = 2_000

/** @param guard runs a read and turns the driver's errors into StoreUnavailable. */
export function prepareLogCheckReads(
  queries: Queries,
  { tlogTiles, tlogCheckpoints, tlogHourlyCounts, tlogPending }: Tables,
  guard: <T>(read: () => Promise<T>) => Promise<T>,
): LogCheckReads {
  const tiles = queries
    .select({ tiles: count() })
    .from(tlogTiles)
    .where(eq(tlogTiles.log, slot('log')))
    .prepare('')
  const checkpoints = queries
    .select()
    .from(tlogCheckpoints)
    .where(and(eq(tlogCheckpoints.log, slot('log')), gte(tlogCheckpoints.size, slot('from'))))
    .orderBy(asc(tlogCheckpoints.size))
    .limit(slot('limit'))
    .prepare('')
  const hours = queries
    .select()
    .from(tlogHourlyCounts)
    .where(and(gte(tlogHourlyCounts.hour, slot('from')), lt(tlogHourlyCounts.hour, slot('until'))))
    .orderBy(
      asc(tlogHourlyCounts.hour),
      asc(tlogHourlyCounts.kind),
      asc(tlogHourlyCounts.result),
      asc(tlogHourlyCounts.code),
    )
    .limit(slot('limit'))
    .prepare('')
  const pending = queries
    .select()
    .from(tlogPending)
    .orderBy(asc(tlogPending.id))
    .limit(slot('limit'))
    .prepare('')
  return {
    countTiles: (log) => guard(async () => (await tiles.execute({ log }))[0]?.tiles ?? 0),
    listCheckpointsFrom: (log, from, limit) =>
      guard(async () => await checkpoints.execute({ log, from, limit })),
    streamHourlyCounts: (from, until) =>
      pagesOfHours(
        (next) => guard(async () => await hours.execute({ from: next, until, limit: countsPerPage })),
        from,
      ),
    listPending: (limit) => guard(async () => await pending.execute({ limit })),
  }
}

/** A page ends with a whole hour, so the next one begins with another. */
async function* pagesOfHours(
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
