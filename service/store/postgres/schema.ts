/** The tables in PostgreSQL's columns. `drizzle-kit` makes `migrations/postgres` from this file. */
import { bigint, check, customType, index, pgTable, primaryKey, text, uniqueIndex } from 'drizzle-orm/pg-core'
import { defineTables } from '../tables.ts'

const bytea = customType<{ data: Uint8Array; driverData: Uint8Array }>({
  dataType: () => 'bytea',
  fromDriver: (value) => new Uint8Array(value), // the driver's Buffer may share its memory with other answers
})

export const {
  users,
  devices,
  sessions,
  outboxes,
  events,
  nonces,
  loginCodes,
  idempotency,
  stepUps,
  soterCounters,
  serviceKeys,
  tlogPending,
  tlogEntries,
  tlogIntents,
  tlogStates,
  tlogTiles,
  tlogCheckpoints,
  tlogWitnesses,
  tlogHourlyCounts,
  subjectKeys,
  auditors,
} = defineTables({
  table: pgTable,
  text: (name) => text(name),
  seconds: (name) => bigint(name, { mode: 'number' }),
  bytes: (name) => bytea(name),
  count: (name) => bigint(name, { mode: 'number' }),
  index,
  uniqueIndex,
  primaryKey,
  check,
})
