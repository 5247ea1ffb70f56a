/**
 * The columns with wrapped secrets, for rewrapping under another master key. The store reads only the first bytes of a
 * value, which identify its wrapping key.
 */
import { and, eq, getTableColumns, type SQL, sql } from 'drizzle-orm'
import type { PgColumn, PgTable } from 'drizzle-orm/pg-core'
import type { ClaimTables } from './claims.ts'
import {
  type Compiled,
  compileUpdate,
  type Engine,
  type Queries,
  slotsOf,
  type WriteData,
  type WriteDefinitions,
} from './engine.ts'
import type { EventTables } from './events.ts'
import type { ServiceKeyTables } from './service-keys.ts'
import type { SessionTables } from './sessions.ts'
import type { SubjectKeyTables } from './subject-keys.ts'

type WrappedTables = ClaimTables & EventTables & ServiceKeyTables & SessionTables & SubjectKeyTables

/** As `table.column`; first the one that a service needs to start. */
export const wrappedColumns = [
  'service_keys.secret_wrapped',
  'sessions.c2s_wrapped',
  'sessions.s2c_wrapped',
  'users.openid_wrapped',
  'users.session_key_wrapped',
  'idempotency_keys.response_wrapped',
  'events.payload_wrapped',
  'subject_keys.key_wrapped',
] as const

export type WrappedColumn = (typeof wrappedColumns)[number]

/** The values of a row's primary key, in the order of its columns; one or two. */
export type RowKey = readonly (string | Uint8Array)[]

export interface WrappedValue {
  readonly row: RowKey
  readonly wrapped: Uint8Array
}

/** Replaces a value by the same secret, rewrapped. Refused unless the value is `from`. */
export type WrappedWrite = WriteData<
  'replace-wrapped',
  { column: WrappedColumn; row: RowKey; from: Uint8Array; to: Uint8Array }
>

/** Scans of whole tables: for commands, not for requests. */
export interface WrappedReads {
  /** How many values of the column do not begin with `mark`. */
  countWrapped(column: WrappedColumn, mark: Uint8Array): Promise<number>
  /** At most `limit` of them, in the order of their keys, after the row `after` or from the first one on. */
  listWrapped(
    column: WrappedColumn,
    mark: Uint8Array,
    after: RowKey | undefined,
    limit: number,
  ): Promise<readonly WrappedValue[]>
}

interface ColumnLocation {
  readonly table: PgTable
  readonly column: PgColumn
  readonly key: readonly [PgColumn, PgColumn?]
}

function locationsOf(tables: WrappedTables): Readonly<Record<WrappedColumn, ColumnLocation>> {
  const { users, sessions, idempotencyKeys, events, serviceKeys, subjectKeys } = tables
  const at = (column: PgColumn, ...key: [PgColumn, PgColumn?]) => ({ table: column.table, column, key })
  return {
    'users.openid_wrapped': at(users.openidWrapped, users.id),
    'users.session_key_wrapped': at(users.sessionKeyWrapped, users.id),
    'sessions.c2s_wrapped': at(sessions.c2sWrapped, sessions.id),
    'sessions.s2c_wrapped': at(sessions.s2cWrapped, sessions.id),
    'idempotency_keys.response_wrapped': at(
      idempotencyKeys.responseWrapped,
      idempotencyKeys.user,
      idempotencyKeys.key,
    ),
    'events.payload_wrapped': at(events.payloadWrapped, events.user, events.id),
    'service_keys.secret_wrapped': at(serviceKeys.secretWrapped, serviceKeys.kind, serviceKeys.kid),
    'subject_keys.key_wrapped': at(subjectKeys.keyWrapped, subjectKeys.subjectIndex),
  }
}

const slot = slotsOf<{
  mark: Uint8Array
  limit: number
  first: unknown
  second: unknown
  from: Uint8Array
  to: Uint8Array
}>()

/** Compares version and key hint. Empty values (no response yet, or erased) need no rewrapping. */
function isOld(column: PgColumn): SQL {
  return sql`substr(${column}, 1, 5) <> ${slot('mark')} and length(${column}) > 0`
}

/** One statement for each column. */
export function defineWrites({ queries, tables }: Engine<WrappedTables>): WriteDefinitions<WrappedWrite> {
  const replacements = new Map<string, Compiled>(
    Object.entries(locationsOf(tables)).map(([name, location]) => [name, compileReplace(queries, location)]),
  )
  return {
    'replace-wrapped': {
      bind: ({ column, row, from, to }) => {
        const replace = replacements.get(column)
        if (replace === undefined) throw new Error('no such wrapped column')
        return replace({ first: row[0], second: row[1], from, to })
      },
    },
  }
}

function compileReplace(queries: Queries, { table, column, key: [first, second] }: ColumnLocation): Compiled {
  const [property = ''] =
    Object.entries(getTableColumns(table)).find(([, candidate]) => candidate === column) ?? []
  const isRow = and(
    eq(first, slot('first')),
    second === undefined ? undefined : eq(second, slot('second')),
    eq(column, slot('from')),
  )
  return compileUpdate(queries, table, { [property]: slot('to') }, isRow)
}

export function prepareReads({ queries, tables, guard }: Engine<WrappedTables>): WrappedReads {
  const locations = locationsOf(tables)
  return {
    countWrapped: (column, mark) =>
      guard(async () => {
        const location = locations[column]
        const count = queries.select({ count: sql`count(*)` }).from(location.table)
        const rows = await count.where(isOld(location.column)).prepare('').execute({ mark })
        return Number(rows[0]?.count ?? 0)
      }),
    listWrapped: (column, mark, after, limit) =>
      guard(async () => {
        const location = locations[column]
        const [first, second] = after ?? []
        const query = selectOld(queries, location, after !== undefined)
        const rows = await query.execute({ mark, limit, first, second })
        // TypeScript cannot infer column types from a union of tables.
        const typed = rows as readonly { first: string; second: string; wrapped: Uint8Array }[]
        return typed.map(({ first, second, wrapped }) => ({
          row: location.key.length === 1 ? [first] : [first, second],
          wrapped,
        }))
      }),
  }
}

function selectOld(
  queries: Queries,
  { table, column, key: [first, second] }: ColumnLocation,
  isContinued: boolean,
) {
  const isAfter =
    second === undefined
      ? sql`${first} > ${slot('first')}`
      : sql`(${first}, ${second}) > (${slot('first')}, ${slot('second')})`
  return queries
    .select({ first, second: second ?? first, wrapped: column })
    .from(table)
    .where(and(isContinued ? isAfter : undefined, isOld(column)))
    .orderBy(first, second ?? first)
    .limit(slot('limit'))
    .prepare('')
}
