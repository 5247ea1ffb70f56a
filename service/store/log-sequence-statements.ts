/** The statements of {@link compileSequence}, written once for both engines. */
import { and, asc, desc, eq, getTableColumns, inArray, or, type SQL, sql } from 'drizzle-orm'
import { type BoundStatement, type Compiled, compile, type Queries } from './compile.ts'
import type { Tables } from './tables.ts'

/** Numbers of ids for which statements are made; a shorter list repeats its last one, which changes nothing. */
export const listLengths = [1, 8, 64, 256]

/** Levels with a partial tile, at most: five for the 2^40 leaves of a log. */
export const levels = [0, 1, 2, 3, 4]

/** The statements of one transaction that gives leaves their places. */
export interface SequenceStatements {
  readonly newestLog: BoundStatement
  readonly lockState: Compiled
  readonly lockStaged: Compiled
  readonly edge: Compiled
  /** By the number of ids. */
  readonly moveEntries: (ids: number) => Compiled
  readonly countHours: (ids: number) => Compiled
  readonly removeStaged: (ids: number) => Compiled
  readonly insertTile: Compiled
  readonly growTile: Compiled
  readonly growState: Compiled
}

const slot = sql.placeholder

/**
 * Compiles them.
 *
 * @param lock see {@link compileSequence}
 */
export function compileSequenceStatements(
  queries: Queries,
  tables: Tables,
  lock: string,
): SequenceStatements {
  return {
    ...compileLooks(queries, tables, lock),
    ...compileMoves(queries, tables),
    ...compileGrowth(queries, tables),
  }
}

function compileLooks(queries: Queries, { tlogStates, tlogPending, tlogTiles }: Tables, lock: string) {
  const locked =
    (compiled: Compiled): Compiled =>
    (values) => {
      const { text, values: bound } = compiled(values)
      return { text: text + lock, values: bound }
    }
  const state = queries.select().from(tlogStates)
  const onEdge = levels.map((level) =>
    and(eq(tlogTiles.level, level), eq(tlogTiles.index, slot(`index${level}`))),
  )
  return {
    newestLog: compile(
      queries.select({ log: tlogStates.log }).from(tlogStates).orderBy(desc(tlogStates.log)).limit(1),
    )({}),
    lockState: locked(compile(state.where(eq(tlogStates.log, slot('log'))))),
    lockStaged: locked(
      compile(
        queries
          .select({
            id: tlogPending.id,
            hash: tlogPending.hash,
            leaf: tlogPending.leaf,
            mac: tlogPending.mac,
          })
          .from(tlogPending)
          .orderBy(asc(tlogPending.id))
          .limit(slot('limit')),
      ),
    ),
    edge: compile(
      queries
        .select()
        .from(tlogTiles)
        .where(and(eq(tlogTiles.log, slot('log')), or(...onEdge))),
    ),
  }
}

function isAmong(column: Tables['tlogPending']['id'], ids: number): SQL {
  return inArray(
    column,
    Array.from({ length: ids }, (_, i) => slot(`id${i}`)),
  )
}

/** Leaves move inside the database; what is forgotten of a person meanwhile waits for the rows that are locked. */
function compileMoves(queries: Queries, { tlogPending, tlogEntries, tlogHourlyCounts }: Tables) {
  const chosen = (ids: number): SQL => isAmong(tlogPending.id, ids)
  const { id, mac: _, ...others } = getTableColumns(tlogPending)
  const globalIndex = sql<number>`cast(${slot('base')} as bigint) + row_number() over (order by ${id})`.as(
    'global_index',
  )
  const hour = sql<number>`${tlogPending.at} / 3600000 * 3600`.as('hour')
  const code = sql<string>`coalesce(${tlogPending.code}, '')`.as('no_null_code')
  const entries = sql<number>`count(*)`.as('entries')
  const { kind, result } = tlogPending
  return {
    moveEntries: once((ids) =>
      compile(
        queries
          .insert(tlogEntries)
          .select(
            queries
              .select({ globalIndex, id, ...others })
              .from(tlogPending)
              .where(chosen(ids)),
          )
          .returning({ touched: tlogEntries.globalIndex }),
      ),
    ),
    countHours: once((ids) =>
      compile(
        queries
          .insert(tlogHourlyCounts)
          .select(
            queries
              .select({ hour, kind, result, code, entries })
              .from(tlogPending)
              .where(chosen(ids))
              .groupBy(sql`1`, sql`2`, sql`3`, sql`4`),
          )
          .onConflictDoUpdate({
            target: [
              tlogHourlyCounts.hour,
              tlogHourlyCounts.kind,
              tlogHourlyCounts.result,
              tlogHourlyCounts.code,
            ],
            set: { entries: sql`${tlogHourlyCounts.entries} + excluded.entries` },
          })
          .returning({ touched: tlogHourlyCounts.hour }),
      ),
    ),
    removeStaged: once((ids) =>
      compile(queries.delete(tlogPending).where(chosen(ids)).returning({ touched: tlogPending.at })),
    ),
  }
}

function compileGrowth(queries: Queries, { tlogTiles, tlogStates }: Tables) {
  const { log, level, index, hashes } = tlogTiles
  return {
    insertTile: compile(
      queries
        .insert(tlogTiles)
        .values({ log: slot('log'), level: slot('level'), index: slot('index'), hashes: slot('hashes') })
        .returning({ touched: log }),
    ),
    growTile: compile(
      queries
        .update(tlogTiles)
        .set({ hashes: sql`${slot('hashes')}` })
        .where(
          and(
            eq(log, slot('log')),
            eq(level, slot('level')),
            eq(index, slot('index')),
            sql`length(${hashes}) = ${slot('bytesBefore')}`,
          ),
        )
        .returning({ touched: log }),
    ),
    growState: compile(
      queries
        .update(tlogStates)
        .set({ size: sql`${slot('size')}`, root: sql`${slot('root')}`, mac: sql`${slot('mac')}` })
        .where(
          and(
            eq(tlogStates.log, slot('log')),
            eq(tlogStates.size, slot('sizeBefore')),
            eq(tlogStates.root, slot('rootBefore')),
          ),
        )
        .returning({ touched: tlogStates.log }),
    ),
  }
}

/** Makes a statement for each number of ids when it is first needed. */
function once(make: (ids: number) => Compiled): (ids: number) => Compiled {
  const made = new Map<number, Compiled>()
  return (ids) => {
    const compiled = made.get(ids) ?? make(ids)
    made.set(ids, compiled)
    return compiled
  }
}
