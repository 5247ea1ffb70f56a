/** Events for users: each user has an outbox, whose events are numbered 1, 2, 3, … without gaps. */
import { and, asc, eq, gt, gte, inArray, lt, sql } from 'drizzle-orm'
import {
  type ColumnKit,
  compileDelete,
  compileInsert,
  compileUpdate,
  compileUpsert,
  type Engine,
  inBatches,
  matching,
  type PruneStep,
  readersOf,
  slotsOf,
  type WriteData,
  type WriteDefinitions,
} from './engine.ts'
import type { UserTables } from './users.ts'

export type EventTables = ReturnType<typeof defineTables>

export function defineTables(kit: ColumnKit, { users }: Pick<UserTables, 'users'>) {
  const { table, text, seconds, bytes, integer, index, uniqueIndex, primaryKey, check } = kit
  const outboxes = table('outboxes', {
    user: text('user_id')
      .primaryKey()
      .references(() => users.id),
    /** The number of the oldest event; `lastSequence + 1` when there is none. */
    firstSequence: integer('first_sequence').notNull(),
    /** The number of the newest event, pruned or not. */
    lastSequence: integer('last_sequence').notNull(),
  })
  const events = table(
    'events',
    {
      user: text('user_id').notNull(),
      id: bytes('id').notNull(),
      /** The number of the event in the outbox, from 1. */
      sequence: integer('sequence').notNull(),
      payloadWrapped: bytes('payload_wrapped').notNull(),
      createdAt: seconds('created_at').notNull(),
      expiresAt: seconds('expires_at').notNull(),
    },
    (t) => [
      primaryKey({ name: 'events_key', columns: [t.user, t.id] }),
      uniqueIndex('events_sequence').on(t.user, t.sequence),
      index('events_expires').on(t.expiresAt),
      check('events_id_length', sql`length(${t.id}) = 16`),
    ],
  )
  return { outboxes, events }
}

export type EventRecord = Readonly<EventTables['events']['$inferSelect']>

/** A consistent read of an outbox. */
export interface OutboxPage {
  /** The number of the oldest event; `last + 1` when there is none. */
  readonly first: number
  /** The number of the newest event, pruned or not; 0 before the first one. */
  readonly last: number
  /** The events in order and without gaps, from the first requested one that was not pruned. */
  readonly events: readonly EventRecord[]
}

export type EventWrite =
  /**
   * Appends an event to the outbox of `user` under the next number. Numbers have no gaps and follow the order of commits,
   * also across processes: an append blocks other appends of the same user until its commit is done. A commit that is
   * refused or fails uses no number.
   *
   * Refused when the user does not exist, or has an event of this `id` (16 bytes) that is not pruned.
   */
  WriteData<
    'append-event',
    { user: string; id: Uint8Array; payloadWrapped: Uint8Array; now: number; expiresAt: number }
  >

/** Two statements: the first locks the outbox for the transaction and advances its number. */
export function defineWrites({ queries, tables }: Engine<EventTables>): WriteDefinitions<EventWrite> {
  const { outboxes, events } = tables
  const advance = compileUpsert(
    queries,
    outboxes,
    { firstSequence: 1, lastSequence: 1 },
    { key: outboxes.user, set: { lastSequence: sql`${outboxes.lastSequence} + 1` } },
  )
  const insert = compileInsert(queries, events, {
    sequence: sql`(select ${outboxes.lastSequence} from ${outboxes} where ${matching(outboxes, 'user')})`,
    createdAt: slotsOf<EventWrite>()('now'),
  })
  return { 'append-event': { bind: (write) => [advance(write), insert(write)], notifies: 'events' } }
}

export interface EventReads {
  /** At most `limit` events of `user` with numbers over `after`, in one consistent read. */
  listEvents(user: string, after: number, limit: number): Promise<OutboxPage>
  findEvent(user: string, id: Uint8Array): Promise<EventRecord | undefined>
  /** The number of the newest event of each of these users who have one. */
  listLastEvents(users: readonly string[]): Promise<ReadonlyMap<string, number>>
}

export function prepareReads(engine: Engine<EventTables>): EventReads {
  const { queries, guard } = engine
  const { outboxes, events } = engine.tables
  const { rows, first } = readersOf(engine)
  const slot = slotsOf<{ user: string; after: number; limit: number }>()
  const isOnPage = and(
    eq(events.user, outboxes.user),
    gt(events.sequence, slot('after')),
    sql`${events.sequence} >= ${outboxes.firstSequence}`,
  )
  // One query: between two queries a push or a pruning could look like a gap.
  const page = rows(
    queries
      .select({ first: outboxes.firstSequence, last: outboxes.lastSequence, event: events })
      .from(outboxes)
      .leftJoin(events, isOnPage)
      .where(matching(outboxes, 'user'))
      .orderBy(asc(events.sequence))
      .limit(slot('limit')),
    'user',
    'after',
    'limit',
  )
  const isOne = matching(events, 'user', 'id')
  const selectLast = (users: readonly string[]) =>
    queries
      .select({ user: outboxes.user, last: outboxes.lastSequence })
      .from(outboxes)
      .where(inArray(outboxes.user, [...users]))
  return {
    listEvents: async (...query) => {
      const found = await page(...query)
      const { first, last } = found[0] ?? { first: 1, last: 0 }
      return { first, last, events: found.flatMap(({ event }) => (event === null ? [] : [event])) }
    },
    findEvent: first(queries.select().from(events).where(isOne), 'user', 'id'),
    listLastEvents: (users) =>
      guard(async () => {
        const found = await inBatches(users, selectLast)
        return new Map(found.map(({ user, last }) => [user, last]))
      }),
  }
}

/**
 * Raises the first number of an outbox past the newest expired event, then deletes the events below it. In two steps, so
 * that no reader sees a gap: DELETE has no order, and expiry times may contradict the numbers.
 */
export function compilePruning({ queries, tables }: Engine<EventTables>): readonly PruneStep[] {
  const { outboxes, events } = tables
  const slot = slotsOf<{ before: number; limit: number }>()
  const isExpired = lt(events.expiresAt, slot('before'))
  const isOwn = eq(events.user, outboxes.user)
  const next = sql`select max(${events.sequence}) + 1 from ${events} where ${and(isOwn, isExpired)}`
  const due = sql`select ${events.user} from ${events} inner join ${outboxes} on ${isOwn}
    where ${and(isExpired, gte(events.sequence, outboxes.firstSequence))} order by ${events.expiresAt} limit ${slot('limit')}`
  const below = sql`select ${events.user}, ${events.id} from ${events} inner join ${outboxes} on ${isOwn}
    where ${and(isExpired, lt(events.sequence, outboxes.firstSequence))} order by ${events.expiresAt} limit ${slot('limit')}`
  const isDue = sql`${outboxes.user} in (${due})`
  const raise = compileUpdate(queries, outboxes, { firstSequence: sql`(${next})` }, isDue)
  const erase = compileDelete(queries, events, sql`(${events.user}, ${events.id}) in (${below})`)
  // First the events below the first number: raising it before would delay their deletion.
  return [erase, raise, erase].map((step) => (now, limit) => step({ before: now, limit }))
}
