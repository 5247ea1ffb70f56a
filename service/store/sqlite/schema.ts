/** The tables with SQLite's column types. `drizzle-kit` generates `migrations/sqlite` from this file. */
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
import type { ColumnKit } from '../engine.ts'
import { defineTables } from '../statements.ts'

const blob = customType<{ data: Uint8Array; driverData: Uint8Array }>({
  dataType: () => 'blob',
  fromDriver: (value) => new Uint8Array(value),
})

const kit = {
  table: sqliteTable,
  text: (name: string) => text(name),
  seconds: (name: string) => integer(name),
  bytes: (name: string) => blob(name),
  integer: (name: string) => integer(name),
  index,
  uniqueIndex,
  primaryKey,
  check,
}

// The one cast of this engine's tables: same shape, other class names. The store suite runs every query on both engines.
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
} = defineTables(kit as unknown as ColumnKit)
