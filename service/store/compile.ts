/** Turning a builder's query into SQL text and values: once at start, so that a request only binds. */
import { fillPlaceholders, type Placeholder, sql } from 'drizzle-orm'
import type { PgDatabase, PgQueryResultHKT } from 'drizzle-orm/pg-core'

/** What queries may use of a database: nothing that only one of the engines has. */
export type Queries = Pick<PgDatabase<PgQueryResultHKT>, 'select' | 'insert' | 'update' | 'delete'>

/** SQL of one engine with its values, ready for the driver. */
export interface BoundStatement {
  readonly text: string
  readonly values: readonly unknown[]
}

/** A statement that waits for its values, by the names of its placeholders. */
export type Compiled = (values: Record<string, unknown>) => BoundStatement

/** What a builder gives before it runs. */
interface Statement {
  toSQL(): { sql: string; params: unknown[] }
}

/** Makes the text now; binding later costs no more than a pass over the values. */
export function compile(statement: Statement): Compiled {
  const { sql: text, params } = statement.toSQL()
  return (values) => ({ text, values: fillPlaceholders(params, values) })
}

/** Placeholders that are checked against the fields of what will be bound. */
export function slotsOf<T>(): <N extends keyof T & string>(name: N) => Placeholder<N> {
  return (name) => sql.placeholder(name)
}
