/**
 * Every column that holds a wrapped secret, so that all of them can be rewrapped under another master key. The store reads
 * only the first bytes of a value, which name its wrapping key.
 */
import { and, eq, type SQL, sql } from 'drizzle-orm'
import type { PgColumn, PgTable } from 'drizzle-orm/pg-core'
import type { ClaimTables } from './claims.ts'
import {
  type Compiled,
  compile,
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

/** Every column with wrapped secrets, as `table.column`; those that a service needs to start come first. */
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

/** Replaces a wrapped value by the same secret, rewrapped. Refused unless the value is still `from`. */
export type WrappedWrite = WriteData<
  'replace-wrapped',
  { column: WrappedColumn; row: RowKey; from: Uint8Array; to: Uint8Array }
>

/** Reads whole tables: for commands, not for requests. */
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
  /** The column's name in the table's definition. */
  readonly property: string
  readonly key: readonly [PgColumn, PgColumn?]
  /** Less than every key. */
  readonly start: RowKey
}

function locationsOf(tables: WrappedTables): Readonly<Record<WrappedColumn, ColumnLocation>> {
  const { users, sessions, idempotencyKeys, events, serviceKeys, subjectKeys } = tables
  const user = { table: users, key: [users.id], start: [''] } as const
  const session = { table: sessions, key: [sessions.id], start: [new Uint8Array(0)] } as const
  return {
    'users.openid_wrapped': { ...user, column: users.openidWrapped, property: 'openidWrapped' },
    'users.session_key_wrapped': { ...user, column: users.sessionKeyWrapped, property: 'sessionKeyWrapped' },
    'sessions.c2s_wrapped': { ...session, column: sessions.c2sWrapped, property: 'c2sWrapped' },
    'sessions.s2c_wrapped': { ...session, column: sessions.s2cWrapped, property: 's2cWrapped' },
    'idempotency_keys.response_wrapped': {
      table: idempotencyKeys,
      column: idempotencyKeys.responseWrapped,
      property: 'responseWrapped',
      key: [idempotencyKeys.user, idempotencyKeys.key],
      start: ['', ''],
    },
    'events.payload_wrapped': {
      table: events,
      column: events.payloadWrapped,
      property: 'payloadWrapped',
      key: [events.user, events.id],
      start: ['', new Uint8Array(0)],
    },
    'service_keys.secret_wrapped': {
      table: serviceKeys,
      column: serviceKeys.secretWrapped,
      property: 'secretWrapped',
      key: [serviceKeys.kind, serviceKeys.kid],
      start: ['', ''],
    },
    'subject_keys.key_wrapped': {
      table: subjectKeys,
      column: subjectKeys.keyWrapped,
      property: 'keyWrapped',
      key: [subjectKeys.subjectIndex],
      start: [new Uint8Array(0)],
    },
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

/** Version and key hint come first; a column without a value (no response yet, or erased) needs no rewrapping. */
function isOld(column: PgColumn): SQL {
  return sql`substr(${column}, 1, 5) <> ${slot('mark')} and length(${column}) > 0`
}

function keyValues([first, second]: RowKey): Record<string, unknown> {
  return { first, second }
}

/** One statement for each column. */
export function defineWrappedWrites({
  queries,
  tables,
}: Engine<WrappedTables>): WriteDefinitions<WrappedWrite> {
  const replacements = new Map<string, Compiled>(
    Object.entries(locationsOf(tables)).map(([name, location]) => [name, compileReplace(queries, location)]),
  )
  return {
    'replace-wrapped': {
      bind: ({ column, row, from, to }) => {
        const replace = replacements.get(column)
        if (replace === undefined) throw new Error('no such wrapped column')
        return replace({ ...keyValues(row), from, to })
      },
    },
  }
}

function compileReplace(
  queries: Queries,
  { table, column, property, key: [first, second] }: ColumnLocation,
): Compiled {
  return compile(
    queries
      .update(table)
      .set({ [property]: sql`${slot('to')}` })
      .where(
        and(
          eq(first, slot('first')),
          second === undefined ? undefined : eq(second, slot('second')),
          eq(column, slot('from')),
        ),
      )
      .returning({ touched: first }),
  )
}

export function prepareWrappedReads({ queries, tables, guard }: Engine<WrappedTables>): WrappedReads {
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
        const key = keyValues(after ?? location.start)
        const rows = await selectOld(queries, location).execute({ mark, limit, ...key })
        // A union of tables loses the column types; they are those of the tables.
        const typed = rows as readonly { first: string; second: string; wrapped: Uint8Array }[]
        return typed.map(({ first, second, wrapped }) => ({
          row: location.key.length === 1 ? [first] : [first, second],
          wrapped,
        }))
      }),
  }
}

function selectOld(queries: Queries, { table, column, key: [first, second] }: ColumnLocation) {
  const isAfter =
    second === undefined
      ? sql`${first} > ${slot('first')}`
      : sql`(${first}, ${second}) > (${slot('first')}, ${slot('second')})`
  return queries
    .select({ first, second: second ?? first, wrapped: column })
    .from(table)
    .where(and(isAfter, isOld(column)))
    .orderBy(first, second ?? first)
    .limit(slot('limit'))
    .prepare('')
}
