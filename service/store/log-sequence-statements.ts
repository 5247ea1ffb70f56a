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

function compileLooks(queries: Queries, { logStates, logStaged, logTiles }: Tables, lock: string) {
  const locked =
    (compiled: Compiled): Compiled =>
    (values) => {
      const { text, values: bound } = compiled(values)
      return { text: text + lock, values: bound }
    }
  const state = queries.select().from(logStates)
  const onEdge = levels.map((level) =>
    and(eq(logTiles.level, level), eq(logTiles.index, slot(`index${level}`))),
  )
  return {
    newestLog: compile(
      queries.select({ log: logStates.log }).from(logStates).orderBy(desc(logStates.log)).limit(1),
    )({}),
    lockState: locked(compile(state.where(eq(logStates.log, slot('log'))))),
    lockStaged: locked(
      compile(
        queries
          .select({ id: logStaged.id, hash: logStaged.hash, leaf: logStaged.leaf, seal: logStaged.seal })
          .from(logStaged)
          .orderBy(asc(logStaged.id))
          .limit(slot('limit')),
      ),
    ),
    edge: compile(
      queries
        .select()
        .from(logTiles)
        .where(and(eq(logTiles.log, slot('log')), or(...onEdge))),
    ),
  }
}

/** Leaves move inside the database; what is forgotten of a person meanwhile waits for the rows that are locked. */
function compileMoves(queries: Queries, { logStaged, logEntries, logHours }: Tables) {
  const chosen = (ids: number): SQL =>
    inArray(
      logStaged.id,
      Array.from({ length: ids }, (_, i) => slot(`id${i}`)),
    )
  const { id, seal: _, ...others } = getTableColumns(logStaged)
  const place = sql<number>`cast(${slot('base')} as bigint) + row_number() over (order by ${id})`.as('place')
  const hour = sql<number>`${logStaged.at} / 3600000 * 3600`.as('hour')
  const code = sql<string>`coalesce(${logStaged.code}, '')`.as('no_null_code')
  const entries = sql<number>`count(*)`.as('entries')
  const { kind, result } = logStaged
  return {
    moveEntries: once((ids) =>
      compile(
        queries
          .insert(logEntries)
          .select(
            queries
              .select({ place, id, ...others })
              .from(logStaged)
              .where(chosen(ids)),
          )
          .returning({ touched: logEntries.place }),
      ),
    ),
    countHours: once((ids) =>
      compile(
        queries
          .insert(logHours)
          .select(
            queries
              .select({ hour, kind, result, code, entries })
              .from(logStaged)
              .where(chosen(ids))
              .groupBy(sql`1`, sql`2`, sql`3`, sql`4`),
          )
          .onConflictDoUpdate({
            target: [logHours.hour, logHours.kind, logHours.result, logHours.code],
            set: { entries: sql`${logHours.entries} + excluded.entries` },
          })
          .returning({ touched: logHours.hour }),
      ),
    ),
    removeStaged: once((ids) =>
      compile(queries.delete(logStaged).where(chosen(ids)).returning({ touched: logStaged.at })),
    ),
  }
}

function compileGrowth(queries: Queries, { logTiles, logStates }: Tables) {
  const { log, level, index, hashes } = logTiles
  return {
    insertTile: compile(
      queries
        .insert(logTiles)
        .values({ log: slot('log'), level: slot('level'), index: slot('index'), hashes: slot('hashes') })
        .returning({ touched: log }),
    ),
    growTile: compile(
      queries
        .update(logTiles)
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
        .update(logStates)
        .set({ size: sql`${slot('size')}`, root: sql`${slot('root')}`, seal: sql`${slot('seal')}` })
        .where(
          and(
            eq(logStates.log, slot('log')),
            eq(logStates.size, slot('sizeBefore')),
            eq(logStates.root, slot('rootBefore')),
          ),
        )
        .returning({ touched: logStates.log }),
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
