/** The tables with PostgreSQL's column types. `drizzle-kit` generates `migrations/postgres` from this file. */
import { bigint, check, customType, index, pgTable, primaryKey, text, uniqueIndex } from 'drizzle-orm/pg-core'
import { defineTables } from '../statements.ts'

const bytea = customType<{ data: Uint8Array; driverData: Uint8Array }>({
  dataType: () => 'bytea',
  fromDriver: (value) => new Uint8Array(value), // the driver's Buffer may share its memory with other results
})

// drizzle-kit finds tables among the exports only.
export const {
  users,
  devices,
  sessions,
  nonces,
  loginCodes,
  idempotencyKeys,
  stepUpChallenges,
  soterCounters,
  outboxes,
  events,
  serviceKeys,
  subjectKeys,
  auditors,
  tlogPending,
  tlogEntries,
  tlogIntents,
  tlogStates,
  tlogTiles,
  tlogCheckpoints,
  tlogWitnesses,
  tlogHourlyCounts,
} = defineTables({
  table: pgTable,
  text: (name) => text(name),
  seconds: (name) => bigint(name, { mode: 'number' }),
  bytes: (name) => bytea(name),
  integer: (name) => bigint(name, { mode: 'number' }),
  index,
  uniqueIndex,
  primaryKey,
  check,
})
