/** The tables of the users' outboxes, once for both engines. */
import { sql } from 'drizzle-orm'
import type { ColumnKit, PeopleTables } from './tables.ts'

/** How far each user's outbox has come, and the events that are still kept. */
export function defineEvents(kit: ColumnKit, { users }: Pick<PeopleTables, 'users'>) {
  const { table, text, seconds, bytes, count, index, uniqueIndex, primaryKey, check } = kit
  const outboxes = table('outboxes', {
    user: text('user_id')
      .primaryKey()
      .references(() => users.id),
    first: count('first').notNull(),
    last: count('last').notNull(),
  })
  const events = table(
    'events',
    {
      user: text('user_id').notNull(),
      id: bytes('id').notNull(),
      sequence: count('sequence').notNull(),
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
