/** All tables, and all writes, reads and pruning steps of one engine, compiled once at start. */
import { eq } from 'drizzle-orm'
import { type AuditorTables, defineAuditors, defineAuditorWrites, prepareAuditorReads } from './auditors.ts'
import type { Change } from './changes.ts'
import {
  type ClaimTables,
  compileClaimPruning,
  defineClaims,
  defineClaimWrites,
  prepareClaimReads,
} from './claims.ts'
import {
  type BoundStatement,
  type ColumnKit,
  compile,
  type Engine,
  type PruneStep,
  type WriteDefinition,
  type WriteDefinitions,
} from './engine.ts'
import {
  compileEventPruning,
  defineEvents,
  defineEventWrites,
  type EventTables,
  prepareEventReads,
} from './events.ts'
import {
  compileServiceKeyPruning,
  defineServiceKeys,
  defineServiceKeyWrites,
  prepareServiceKeyReads,
  type ServiceKeyTables,
} from './service-keys.ts'
import {
  compileSessionPruning,
  defineSessions,
  defineSessionWrites,
  prepareSessionReads,
  type SessionTables,
} from './sessions.ts'
import {
  compileStepUpPruning,
  defineStepUps,
  defineStepUpWrites,
  prepareStepUpReads,
  type StepUpTables,
} from './step-ups.ts'
import type { Reads, Write } from './store.ts'
import {
  defineSubjectKeys,
  defineSubjectKeyWrites,
  prepareSubjectKeyReads,
  type SubjectKeyTables,
} from './subject-keys.ts'
import {
  compileDetailPruning,
  defineEntries,
  defineEntryWrites,
  type EntryTables,
  prepareEntryReads,
} from './tlog-entries.ts'
import { prepareSearchReads } from './tlog-search.ts'
import { defineTree, defineTreeWrites, prepareTreeReads, type TreeTables } from './tlog-tree.ts'
import { defineUsers, defineUserWrites, prepareUserReads } from './users.ts'
import { defineWrappedWrites, prepareWrappedReads } from './wrapped-values.ts'

export type Tables = SessionTables &
  ClaimTables &
  StepUpTables &
  EventTables &
  ServiceKeyTables &
  SubjectKeyTables &
  AuditorTables &
  EntryTables &
  TreeTables

/** Defines the tables with the column types of one engine. `drizzle-kit` generates the migrations from the results. */
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

/** All writes of one engine. */
export interface Statements {
  /** The statements of a write, in order, for one transaction. */
  bind(write: Write): readonly BoundStatement[]
  /** Whether a statement of the write that touched so many rows succeeded. */
  isDone(write: Write, rows: number): boolean
  /** Whether commits of these writes may share a transaction. */
  areShareable(writes: readonly Write[]): boolean
  /** What listeners are notified of after a commit of these writes. */
  changesOf(writes: readonly Write[]): readonly Change[]
  /** In order. */
  readonly prune: readonly PruneStep[]
  /** Inserts a row and deletes it, in one transaction. Row counts do not matter: another process may do the same. */
  readonly probe: readonly BoundStatement[]
}

export function compileStatements(engine: Engine<Tables>): Statements {
  const definitions: WriteDefinitions<Write> = {
    ...defineUserWrites(engine),
    ...defineSessionWrites(engine),
    ...defineClaimWrites(engine),
    ...defineStepUpWrites(engine),
    ...defineEventWrites(engine),
    ...defineServiceKeyWrites(engine),
    ...defineWrappedWrites(engine),
    ...defineSubjectKeyWrites(engine),
    ...defineAuditorWrites(engine),
    ...defineEntryWrites(engine),
    ...defineTreeWrites(engine),
  }
  // A definition takes the write of its own kind only; TypeScript cannot relate the two.
  const definitionOf = ({ kind }: Write) => definitions[kind] as WriteDefinition<Write>
  return {
    bind: (write) => [definitionOf(write).bind(write)].flat(),
    isDone: (write, rows) => rows === 1 || definitionOf(write).isBulk === true,
    areShareable: (writes) => writes.every((write) => definitionOf(write).isShareable === true),
    changesOf: (writes) => {
      const changes = new Map<string, Change>()
      for (const write of writes) {
        const kind = definitionOf(write).notifies
        if (kind !== undefined && 'user' in write)
          changes.set(`${kind} ${write.user}`, { kind, user: write.user })
      }
      return [...changes.values()]
    },
    prune: compilePruning(engine),
    probe: compileProbe(engine),
  }
}

export function prepareReads(engine: Engine<Tables>): Reads {
  return {
    ...prepareUserReads(engine),
    ...prepareSessionReads(engine),
    ...prepareClaimReads(engine),
    ...prepareStepUpReads(engine),
    ...prepareEventReads(engine),
    ...prepareServiceKeyReads(engine),
    ...prepareWrappedReads(engine),
    ...prepareSubjectKeyReads(engine),
    ...prepareAuditorReads(engine),
    ...prepareEntryReads(engine),
    ...prepareSearchReads(engine),
    ...prepareTreeReads(engine),
  }
}

/** Sessions go before idempotency keys: see `sessions.ts`. */
function compilePruning(engine: Engine<Tables>): readonly PruneStep[] {
  const claims = compileClaimPruning(engine)
  return [
    ...claims.logins,
    ...compileStepUpPruning(engine),
    ...compileEventPruning(engine),
    ...compileSessionPruning(engine),
    ...claims.idempotency,
    ...compileServiceKeyPruning(engine),
    ...compileDetailPruning(engine),
  ]
}

/** No caller uses this scope: theirs name what they belong to. */
const probeScope = 'readyz'

function compileProbe({ queries, tables: { nonces } }: Engine<ClaimTables>): readonly BoundStatement[] {
  const insert = queries.insert(nonces).values({ scope: probeScope, nonce: new Uint8Array(16), expiresAt: 0 })
  const erase = queries.delete(nonces).where(eq(nonces.scope, probeScope))
  return [compile(insert.onConflictDoNothing()), compile(erase)].map((statement) => statement({}))
}
