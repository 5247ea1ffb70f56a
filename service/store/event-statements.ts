/** The write on outboxes, and what is read of them. */
import { and, asc, eq, gt, inArray, isNull, sql } from 'drizzle-orm'
import { type Compiled, compile, type Queries, slotsOf } from './compile.ts'
import type { EventReads, EventRecord } from './events.ts'
import type { WriteOf } from './store.ts'
import type { Tables } from './tables.ts'

/** Users or sessions that one query asks for. */
const batchSize = 500

/** `push-event` takes two statements: the first one keeps the outbox for its transaction, and counts. */
export interface PushStatements {
  readonly advance: Compiled
  readonly insert: Compiled
}

/** Compiles `push-event`. */
export function compilePush(queries: Queries, { outboxes, events }: Tables): PushStatements {
  const write = slotsOf<WriteOf<'push-event'>>()
  const advance = queries
    .insert(outboxes)
    .values({ user: write('user'), first: 1, last: 1 })
    .onConflictDoUpdate({ target: outboxes.user, set: { last: sql`${outboxes.last} + 1` } })
    .returning({ touched: outboxes.user })
  const number = sql`(select ${outboxes.last} from ${outboxes} where ${eq(outboxes.user, write('user'))})`
  const insert = queries
    .insert(events)
    .values({
      user: write('user'),
      id: write('id'),
      sequence: number,
      payloadWrapped: write('payloadWrapped'),
      createdAt: write('now'),
      expiresAt: write('expiresAt'),
    })
    .onConflictDoNothing()
    .returning({ touched: events.sequence })
  return { advance: compile(advance), insert: compile(insert) }
}

/**
 * Prepares the reads.
 *
 * @param guard runs a read and turns the driver's errors into StoreUnavailable.
 */
export function prepareEventReads(
  queries: Queries,
  tables: Tables,
  guard: <T>(read: () => Promise<T>) => Promise<T>,
): EventReads {
  const { outboxes, events } = tables
  const page = selectPage(queries, tables)
  const one = queries
    .select()
    .from(events)
    .where(and(eq(events.user, sql.placeholder('user')), eq(events.id, sql.placeholder('id'))))
    .prepare('')
  const lastOf = (users: readonly string[]) =>
    queries
      .select({ user: outboxes.user, last: outboxes.last })
      .from(outboxes)
      .where(inArray(outboxes.user, [...users]))
      .prepare('')
      .execute()
  return {
    listEvents: (user, after, limit) =>
      guard(async () => {
        const rows = await page.execute({ user, after, limit })
        const [outbox = { first: 1, last: 0 }] = rows
        const kept = rows.flatMap(({ event }): EventRecord[] => (event === null ? [] : [event]))
        return { first: outbox.first, last: outbox.last, events: kept }
      }),
    findEvent: (user, id) => guard(async () => (await one.execute({ user, id }))[0]),
    listLastEvents: (users) =>
      guard(async () => {
        const rows = await inBatches(users, lastOf)
        return new Map(rows.map(({ user, last }): [string, number] => [user, last]))
      }),
    listActiveSessions: (ids, now) =>
      guard(async () => {
        const rows = await inBatches(ids, (some) => selectActive(queries, tables, some, now))
        return rows.map(({ id }) => id)
      }),
  }
}

/** One query, so that a push or a pruning between two cannot show as a gap. */
function selectPage(queries: Queries, { outboxes, events }: Tables) {
  const isAsked = and(
    eq(events.user, outboxes.user),
    gt(events.sequence, sql.placeholder('after')),
    sql`${events.sequence} >= ${outboxes.first}`,
  )
  return queries
    .select({ first: outboxes.first, last: outboxes.last, event: events })
    .from(outboxes)
    .leftJoin(events, isAsked)
    .where(eq(outboxes.user, sql.placeholder('user')))
    .orderBy(asc(events.sequence))
    .limit(sql.placeholder('limit'))
    .prepare('')
}

function selectActive(
  queries: Queries,
  { sessions, devices }: Tables,
  ids: readonly Uint8Array[],
  now: number,
) {
  return queries
    .select({ id: sessions.id })
    .from(sessions)
    .innerJoin(devices, eq(devices.id, sessions.device))
    .where(
      and(
        inArray(sessions.id, [...ids]),
        isNull(sessions.endedAt),
        gt(sessions.expiresAt, now),
        isNull(devices.revokedAt),
      ),
    )
    .prepare('')
    .execute()
}

async function inBatches<T, R>(
  values: readonly T[],
  read: (some: readonly T[]) => Promise<readonly R[]>,
): Promise<readonly R[]> {
  const rows: R[] = []
  for (let start = 0; start < values.length; start += batchSize) {
    rows.push(...(await read(values.slice(start, start + batchSize))))
  }
  return rows
}
