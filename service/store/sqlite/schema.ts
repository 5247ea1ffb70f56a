/** The tables in SQLite's columns. `drizzle-kit` makes `migrations/sqlite` from this file. */
import {
  check,
  customType,
  index,
  integer,
  primaryKey,
  sqliteTable,
  text,
  uniqueIndex,
} from 'drizzle-orm/sqlite-core'
import { type ColumnKit, defineTables } from '../tables.ts'

const blob = customType<{ data: Uint8Array; driverData: Uint8Array }>({
  dataType: () => 'blob',
  fromDriver: (value) => new Uint8Array(value),
})

const kit = {
  table: sqliteTable,
  text: (name: string) => text(name),
  seconds: (name: string) => integer(name),
  bytes: (name: string) => blob(name),
  count: (name: string) => integer(name),
  index,
  uniqueIndex,
  primaryKey,
  check,
}

// The one cast of this engine's tables: same shape, other class names. The store suite runs every query on both.
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
} = defineTables(kit as unknown as ColumnKit)
