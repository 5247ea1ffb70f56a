/**
 * What the shared code may use of a database engine. Tables, writes and reads are defined once, in terms of an
 * {@link Engine}; SQLite and PostgreSQL each provide one.
 */
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

/** SQL with its values, ready for the driver. */
export interface BoundStatement {
  readonly text: string
  readonly values: readonly unknown[]
}

/** Compiled SQL; takes its values by the names of the placeholders. */
export type Compiled = (values: object) => BoundStatement

interface SqlSource {
  toSQL(): { sql: string; params: unknown[] }
}

/** Builds the SQL text once; binding costs a pass over the values. @param suffix appended, for example a lock clause */
export function compile(statement: SqlSource, suffix = ''): Compiled {
  const { sql: text, params } = statement.toSQL()
  return (values) => ({
    text: text + suffix,
    values: fillPlaceholders(params, values as Record<string, unknown>),
  })
}

/** Placeholders whose names are checked against the fields that will be bound. */
export function slotsOf<T>(): <N extends keyof T & string>(name: N) => Placeholder<N> {
  return (name) => sql.placeholder(name)
}

/** A placeholder for each column of the table, named as its property: the values of an INSERT of a whole row. */
export function rowSlots<T extends Table>(table: T): { [K in keyof T['_']['columns']]: Placeholder } {
  const slots = Object.keys(getTableColumns(table)).map((name) => [name, sql.placeholder(name)])
  return Object.fromEntries(slots)
}

interface ReadSource<T> {
  /** Unnamed: a named statement does not survive a pooler that assigns connections per transaction. */
  prepare(name: ''): { execute(values?: Record<string, unknown>): Promise<T[]> }
}

/** Prepares a SELECT under the engine's guard. @returns runs it and resolves with its rows */
export function prepareRead<T>(
  { guard }: Pick<Engine<unknown>, 'guard'>,
  query: ReadSource<T>,
): (values?: Record<string, unknown>) => Promise<readonly T[]> {
  const prepared = query.prepare('')
  return (values = {}) => guard(async () => await prepared.execute(values))
}

/** A write as data. */
export type WriteData<Kind extends string, Fields> = { readonly kind: Kind } & Readonly<Fields>

/** How one kind of write is executed. */
export interface WriteDefinition<W> {
  /** The statements of the write, in order. Each returns one row for each row it touched. */
  readonly bind: (write: W) => BoundStatement | readonly BoundStatement[]
  /** Touches any number of rows, including none. Every other write is refused unless each statement touches one row. */
  readonly isBulk?: true
  /** Each row it touches belongs to one request, so its commit may share a transaction with others (PostgreSQL). */
  readonly isShareable?: true
  /** What listeners are notified of after the commit. The write has a `user`. */
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
  const prune = compile(
    queries.delete(table).where(sql`(${columns}) in (${expired})`).returning({ touched: table.expiresAt }),
  )
  return (now, limit) => prune({ before: now, limit })
}
