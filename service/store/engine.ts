/** The database engine as shared code uses it: tables, writes and reads are defined once; each driver has an {@link Engine}. */
import {
  and,
  fillPlaceholders,
  getTableColumns,
  lt,
  type Placeholder,
  type SQL,
  sql,
  type Table,
} from 'drizzle-orm'
import type {
  check,
  customType,
  index,
  PgBigInt53BuilderInitial,
  PgColumn,
  PgDatabase,
  PgQueryResultHKT,
  PgTable,
  PgTextBuilderInitial,
  pgTable,
  primaryKey,
  uniqueIndex,
} from 'drizzle-orm/pg-core'

type TextColumn = PgTextBuilderInitial<string, [string, ...string[]]>
type IntegerColumn = PgBigInt53BuilderInitial<string>
type BytesColumn = ReturnType<typeof customType<{ data: Uint8Array; driverData: Uint8Array }>>

/**
 * Column types and constraints of one engine. Typed as PostgreSQL's; SQLite's kit has the same shape and is cast to this
 * type once, in its schema file.
 */
export interface ColumnKit {
  readonly table: typeof pgTable
  readonly text: (name: string) => TextColumn
  /** UNIX seconds: 64 bits in the database, a number in TypeScript. */
  readonly seconds: (name: string) => IntegerColumn
  readonly bytes: (name: string) => ReturnType<BytesColumn>
  /** An integer of at most 53 bits. */
  readonly integer: (name: string) => IntegerColumn
  readonly index: typeof index
  readonly uniqueIndex: typeof uniqueIndex
  readonly primaryKey: typeof primaryKey
  readonly check: typeof check
}

/** The query builders that both engines have. */
export type Queries = Pick<PgDatabase<PgQueryResultHKT>, 'select' | 'insert' | 'update' | 'delete'>

/** Runs a read and turns the driver's errors into StoreUnavailable. */
export type Guard = <T>(read: () => Promise<T>) => Promise<T>

/** One engine with the tables that a module needs. */
export interface Engine<T> {
  readonly queries: Queries
  readonly tables: T
  readonly guard: Guard
  /** Row-lock clauses of SELECT; empty where the transaction locks the whole database. */
  readonly locks: { readonly update: '' | ' for update'; readonly keyShare: '' | ' for key share' }
}

/** SQL and its values for the driver. */
export interface BoundStatement {
  readonly text: string
  readonly values: readonly unknown[]
}

/** Binds the values of the placeholders, by name. */
export type Compiled = (values: object) => BoundStatement

interface SqlSource {
  toSQL(): { sql: string; params: unknown[] }
}

/** Builds the SQL text once. @param suffix appended, for example a lock clause */
export function compile(statement: SqlSource, suffix = ''): Compiled {
  const { sql: text, params } = statement.toSQL()
  return (values) => ({
    text: text + suffix,
    values: fillPlaceholders(params, values as Record<string, unknown>),
  })
}

type KeyOfUnion<T> = T extends unknown ? keyof T & string : never

/** Placeholders, named after the fields of a write or of one of several writes. */
export function slotsOf<T>(): <N extends KeyOfUnion<T>>(name: N) => Placeholder<N> {
  return (name) => sql.placeholder(name)
}

type ColumnName<T extends Table> = keyof T['_']['columns'] & string

/** Each of these columns equals the placeholder of its name. */
export function matching<T extends PgTable>(table: T, ...names: ColumnName<T>[]): SQL {
  const columns = getTableColumns<PgTable>(table)
  const conditions = names.map((name) => sql`${columns[name]} = ${sql.placeholder(name)}`)
  return sql.join(conditions, sql` and `)
}

/** Values of columns: placeholders, SQL or constants. */
type ColumnValues<T extends Table> = {
  readonly [K in ColumnName<T>]?: Placeholder | SQL | string | number | null
}

/** What a write returns for each row it touched. */
const touched = { touched: sql`1` }

/**
 * An INSERT of one row that touches nothing when the row exists.
 *
 * @param values of the columns whose value is not the placeholder of their name
 */
export function compileInsert<T extends PgTable>(
  queries: Queries,
  table: T,
  values?: ColumnValues<T>,
): Compiled {
  return compile(insertRow(queries, table, values).onConflictDoNothing().returning(touched))
}

/** How an upsert changes a row that exists. */
interface Replacement<T extends PgTable> {
  readonly key: PgColumn | PgColumn[]
  /** Columns that get the value of the new row. */
  readonly replace?: readonly ColumnName<T>[]
  /** Other changes. */
  readonly set?: ColumnValues<T>
  /** Otherwise nothing is touched. */
  readonly onlyIf?: SQL
}

/** An INSERT of one row, as {@link compileInsert}, that changes the row when it exists. */
export function compileUpsert<T extends PgTable>(
  queries: Queries,
  table: T,
  values: ColumnValues<T>,
  { key, replace = [], set, onlyIf }: Replacement<T>,
): Compiled {
  const columns = getTableColumns<PgTable>(table)
  const replaced = replace.map((name) => [name, sql`excluded.${sql.identifier(columns[name]?.name ?? '')}`])
  const change = { target: key, set: { ...Object.fromEntries(replaced), ...set } }
  const insert = insertRow(queries, table, values)
  return compile(
    insert
      .onConflictDoUpdate(onlyIf === undefined ? change : { ...change, setWhere: onlyIf })
      .returning(touched),
  )
}

function insertRow<T extends PgTable>(queries: Queries, table: T, values?: ColumnValues<T>) {
  const slots = Object.keys(getTableColumns<PgTable>(table)).map((name) => [name, sql.placeholder(name)])
  return queries.insert<PgTable>(table).values({ ...Object.fromEntries(slots), ...values })
}

/** An UPDATE of the rows that meet the condition. */
export function compileUpdate<T extends PgTable>(
  queries: Queries,
  table: T,
  values: ColumnValues<T>,
  condition: SQL | undefined,
): Compiled {
  return compile(queries.update<PgTable>(table).set(values).where(condition).returning(touched))
}

/** A DELETE of the rows that meet the condition. */
export function compileDelete(queries: Queries, table: PgTable, condition: SQL | undefined): Compiled {
  return compile(queries.delete(table).where(condition).returning(touched))
}

interface ReadSource<T> {
  /** Unnamed: named statements do not work with a pooler that assigns connections per transaction. */
  prepare(name: ''): { execute(values?: Record<string, unknown>): Promise<T[]> }
}

/** Prepares reads under the guard of the engine. */
export function readersOf({ guard }: Pick<Engine<unknown>, 'guard'>) {
  const rows = <T>(query: ReadSource<T>, ...slots: string[]) => {
    const prepared = query.prepare('')
    return (...values: unknown[]): Promise<readonly T[]> => {
      const bound = Object.fromEntries(slots.map((name, index) => [name, values[index]]))
      return guard(async () => await prepared.execute(bound))
    }
  }
  const first = <T>(query: ReadSource<T>, ...slots: string[]) => {
    const read = rows(query, ...slots)
    return async (...values: unknown[]): Promise<T | undefined> => (await read(...values))[0]
  }
  return {
    /** Prepares a SELECT with these placeholders. @returns takes their values in the same order */
    rows,
    /** The same for the first row alone. */
    first,
  }
}

/** A write as data. */
export type WriteData<Kind extends string, Fields> = { readonly kind: Kind } & Readonly<Fields>

/** How one kind of write is executed. */
export interface WriteDefinition<W> {
  /** The statements of the write, in order. Each returns one row for each row it touched. */
  readonly bind: (write: W) => BoundStatement | readonly BoundStatement[]
  /** May touch any number of rows. Any other write is refused unless each of its statements touches one row. */
  readonly isBulk?: true
  /** Touches rows of one request only, so its commit may share a transaction with others (PostgreSQL). */
  readonly isShareable?: true
  /** The change that listeners are notified of after the commit, for the `user` of the write. */
  readonly notifies?: 'events' | 'sessions'
}

/** A definition for each kind of write of a union. */
export type WriteDefinitions<W extends { readonly kind: string }> = {
  readonly [K in W['kind']]: WriteDefinition<Extract<W, { readonly kind: K }>>
}

/** Deletes or empties at most `limit` rows that may be pruned at `now`, and returns them. */
export type PruneStep = (now: number, limit: number) => BoundStatement

/** Values of one IN list. */
const batchSize = 500

/** Reads a long list of values in several queries. */
export async function inBatches<T, R>(
  values: readonly T[],
  read: (batch: readonly T[]) => Promise<readonly R[]>,
): Promise<readonly R[]> {
  const rows: R[] = []
  for (let start = 0; start < values.length; start += batchSize) {
    rows.push(...(await read(values.slice(start, start + batchSize))))
  }
  return rows
}

/** A table whose rows expire. */
type ExpiringTable = PgTable & { readonly expiresAt: PgColumn }

/**
 * Compiles the pruning of expired rows, oldest first: in the order of the index. Without an order PostgreSQL scans the
 * table from its start, past all rows that were deleted there before.
 *
 * @param key the columns of the primary key
 */
export function compileExpired(
  queries: Queries,
  table: ExpiringTable,
  key: readonly PgColumn[],
  condition?: SQL,
): PruneStep {
  const slot = slotsOf<{ before: number; limit: number }>()
  const columns = sql.join(
    key.map((column) => sql`${column}`),
    sql`, `,
  )
  const expired = sql`select ${columns} from ${table}
    where ${and(lt(table.expiresAt, slot('before')), condition)} order by ${table.expiresAt} limit ${slot('limit')}`
  const prune = compileDelete(queries, table, sql`(${columns}) in (${expired})`)
  return (now, limit) => prune({ before: now, limit })
}
