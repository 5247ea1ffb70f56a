/**
 * Every column that holds a wrapped secret, so that all of them can be wrapped anew under another master key. The store
 * looks at nothing but the first bytes of a value, which name the key that it is wrapped with.
 */
import { and, eq, type SQL, sql } from 'drizzle-orm'
import type { PgColumn, PgTable } from 'drizzle-orm/pg-core'
import { type Compiled, compile, type Queries, slotsOf } from './compile.ts'
import type { Tables } from './tables.ts'

/** `table.column`, as in the database. */
export type WrappedColumn =
  | 'users.openid_wrapped'
  | 'users.session_key_wrapped'
  | 'sessions.c2s_wrapped'
  | 'sessions.s2c_wrapped'
  | 'idempotency.answer_wrapped'
  | 'events.payload_wrapped'
  | 'service_keys.secret_wrapped'
  | 'subject_keys.key_wrapped'

/** The values of a row's primary key, in the order of its columns; one or two. */
export type RowKey = readonly (string | Uint8Array)[]

export interface WrappedValue {
  readonly row: RowKey
  readonly wrapped: Uint8Array
}

/**
 * Replaces a wrapped value by the same secret, wrapped anew. Refused unless the value is still `from`: whoever wrote
 * something else there meanwhile has won.
 */
export type SwapWrapped = {
  readonly kind: 'swap-wrapped'
  readonly column: WrappedColumn
  readonly row: RowKey
  readonly from: Uint8Array
  readonly to: Uint8Array
}

/** The part of a store that finds values under old master keys. It reads whole tables: for commands, not for requests. */
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
  /** The column, and its name in the table's definition. */
  readonly column: PgColumn
  readonly property: string
  readonly key: readonly [PgColumn, PgColumn?]
  /** Less than every key. */
  readonly start: RowKey
}

function locationsOf(tables: Tables): Readonly<Record<WrappedColumn, ColumnLocation>> {
  const { users, sessions, idempotency, events, serviceKeys, subjectKeys } = tables
  const user = { table: users, key: [users.id], start: [''] } as const
  const session = { table: sessions, key: [sessions.id], start: [new Uint8Array(0)] } as const
  return {
    'users.openid_wrapped': { ...user, column: users.openidWrapped, property: 'openidWrapped' },
    'users.session_key_wrapped': { ...user, column: users.sessionKeyWrapped, property: 'sessionKeyWrapped' },
    'sessions.c2s_wrapped': { ...session, column: sessions.c2sWrapped, property: 'c2sWrapped' },
    'sessions.s2c_wrapped': { ...session, column: sessions.s2cWrapped, property: 's2cWrapped' },
    'idempotency.answer_wrapped': {
      table: idempotency,
      column: idempotency.answerWrapped,
      property: 'answerWrapped',
      key: [idempotency.user, idempotency.key],
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

const slot = slotsOf<{ mark: Uint8Array; limit: number; first: unknown; second: unknown }>()
const swapped = slotsOf<{ first: unknown; second: unknown; from: Uint8Array; to: Uint8Array }>()

/** Version and key hint come first; a column without a value (no answer yet, or erased) is neither old nor new. */
function isOld(column: PgColumn): SQL {
  return sql`substr(${column}, 1, 5) <> ${slot('mark')} and length(${column}) > 0`
}

function valuesOfKey([first, second]: RowKey): Record<string, unknown> {
  return { first, second }
}

/**
 * Prepares the two reads.
 *
 * @param guard runs a read and turns the driver's errors into StoreUnavailable.
 */
export function prepareWrappedReads(
  queries: Queries,
  tables: Tables,
  guard: <T>(read: () => Promise<T>) => Promise<T>,
): WrappedReads {
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
        const rows = await selectOld(queries, location).execute({
          mark,
          limit,
          ...valuesOfKey(after ?? location.start),
        })
        // The types of a key's and a secret's columns are those of the tables; a union of tables forgets them.
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

/** Compiles `swap-wrapped`, a statement for each column. */
export function compileSwaps(queries: Queries, tables: Tables): { readonly 'swap-wrapped': Compiled } {
  const swaps = new Map<unknown, Compiled>(
    Object.entries(locationsOf(tables)).map(([name, location]) => [name, compileSwap(queries, location)]),
  )
  return {
    'swap-wrapped': ({ column, row, from, to }) => {
      const swap = swaps.get(column)
      if (swap === undefined || !Array.isArray(row)) throw new Error('no such wrapped column')
      return swap({ ...valuesOfKey(row), from, to })
    },
  }
}

function compileSwap(
  queries: Queries,
  { table, column, property, key: [first, second] }: ColumnLocation,
): Compiled {
  return compile(
    queries
      .update(table)
      .set({ [property]: sql`${swapped('to')}` })
      .where(
        and(
          eq(first, swapped('first')),
          second === undefined ? undefined : eq(second, swapped('second')),
          eq(column, swapped('from')),
        ),
      )
      .returning({ touched: first }),
  )
}
