/** All tables. `drizzle-kit` generates the migrations from the two schema files that are made from this. */
import { type AuditorTables, defineAuditors } from './auditors.ts'
import { type ClaimTables, defineClaims } from './claims.ts'
import type { ColumnKit } from './engine.ts'
import { defineEvents, type EventTables } from './events.ts'
import { defineServiceKeys, type ServiceKeyTables } from './service-keys.ts'
import { defineSessions, type SessionTables } from './sessions.ts'
import { defineStepUps, type StepUpTables } from './step-ups.ts'
import { defineSubjectKeys, type SubjectKeyTables } from './subject-keys.ts'
import { defineEntries, type EntryTables } from './tlog-entries.ts'
import { defineTree, type TreeTables } from './tlog-tree.ts'
import { defineUsers } from './users.ts'

export type Tables = SessionTables &
  ClaimTables &
  StepUpTables &
  EventTables &
  ServiceKeyTables &
  SubjectKeyTables &
  AuditorTables &
  EntryTables &
  TreeTables

/** Defines the tables with the column types of one engine. */
export function defineTables(kit: ColumnKit): Tables {
  const users = defineUsers(kit)
  return {
    ...users,
    ...defineSessions(kit, users),
    ...defineClaims(kit),
    ...defineStepUps(kit),
    ...defineEvents(kit, users),
    ...defineServiceKeys(kit),
    ...defineSubjectKeys(kit),
    ...defineAuditors(kit),
    ...defineEntries(kit),
    ...defineTree(kit),
  }
}
