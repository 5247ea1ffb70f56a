/** All tables, and all writes, reads and pruning steps of one engine, compiled once at start. */
import { eq } from 'drizzle-orm'
import * as auditors from './auditors.ts'
import type { Change } from './changes.ts'
import * as claims from './claims.ts'
import {
  type BoundStatement,
  type ColumnKit,
  compile,
  type Engine,
  type PruneStep,
  type WriteDefinition,
  type WriteDefinitions,
} from './engine.ts'
import * as events from './events.ts'
import * as serviceKeys from './service-keys.ts'
import * as sessions from './sessions.ts'
import * as stepUps from './step-ups.ts'
import type { Reads, Write } from './store.ts'
import * as subjectKeys from './subject-keys.ts'
import * as entries from './tlog-entries.ts'
import * as search from './tlog-search.ts'
import * as tree from './tlog-tree.ts'
import * as users from './users.ts'
import * as wrapped from './wrapped-values.ts'

export type Tables = sessions.SessionTables &
  claims.ClaimTables &
  stepUps.StepUpTables &
  events.EventTables &
  serviceKeys.ServiceKeyTables &
  subjectKeys.SubjectKeyTables &
  auditors.AuditorTables &
  entries.EntryTables &
  tree.TreeTables

/** Defines the tables with the column types of one engine. `drizzle-kit` generates the migrations from the results. */
export function defineTables(kit: ColumnKit): Tables {
  const userTables = users.defineTables(kit)
  return {
    ...userTables,
    ...sessions.defineTables(kit, userTables),
    ...claims.defineTables(kit),
    ...stepUps.defineTables(kit),
    ...events.defineTables(kit, userTables),
    ...serviceKeys.defineTables(kit),
    ...subjectKeys.defineTables(kit),
    ...auditors.defineTables(kit),
    ...entries.defineTables(kit),
    ...tree.defineTables(kit),
  }
}

/** All writes of one engine. */
export interface Statements {
  /** The statements of a write, in order, for one transaction. */
  bind(write: Write): readonly BoundStatement[]
  /** Whether a statement of the write that touched this number of rows succeeded. */
  isDone(write: Write, rows: number): boolean
  /** Whether commits of these writes may share a transaction. */
  areShareable(writes: readonly Write[]): boolean
  /** What listeners are notified of after a commit of these writes. */
  changesOf(writes: readonly Write[]): readonly Change[]
  /** The steps of pruning, in order. */
  readonly prune: readonly PruneStep[]
  /** Inserts a row and deletes it, in one transaction. Other processes may do the same, so row counts do not matter. */
  readonly probe: readonly BoundStatement[]
}

export function compileStatements(engine: Engine<Tables>): Statements {
  const definitions: WriteDefinitions<Write> = {
    ...users.defineWrites(engine),
    ...sessions.defineWrites(engine),
    ...claims.defineWrites(engine),
    ...stepUps.defineWrites(engine),
    ...events.defineWrites(engine),
    ...serviceKeys.defineWrites(engine),
    ...wrapped.defineWrites(engine),
    ...subjectKeys.defineWrites(engine),
    ...auditors.defineWrites(engine),
    ...entries.defineWrites(engine),
    ...tree.defineWrites(engine),
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
    ...users.prepareReads(engine),
    ...sessions.prepareReads(engine),
    ...claims.prepareReads(engine),
    ...stepUps.prepareReads(engine),
    ...events.prepareReads(engine),
    ...serviceKeys.prepareReads(engine),
    ...wrapped.prepareReads(engine),
    ...subjectKeys.prepareReads(engine),
    ...auditors.prepareReads(engine),
    ...entries.prepareReads(engine),
    ...search.prepareReads(engine),
    ...tree.prepareReads(engine),
  }
}

/** Sessions are pruned before idempotency keys: see `sessions.ts`. */
function compilePruning(engine: Engine<Tables>): readonly PruneStep[] {
  const { logins, idempotency } = claims.compilePruning(engine)
  return [
    ...logins,
    ...stepUps.compilePruning(engine),
    ...events.compilePruning(engine),
    ...sessions.compilePruning(engine),
    ...idempotency,
    ...serviceKeys.compilePruning(engine),
    ...entries.compilePruning(engine),
  ]
}

/** A scope that no caller uses. */
const probeScope = 'readyz'

function compileProbe({
  queries,
  tables: { nonces },
}: Engine<claims.ClaimTables>): readonly BoundStatement[] {
  const insert = queries.insert(nonces).values({ scope: probeScope, nonce: new Uint8Array(16), expiresAt: 0 })
  const erase = queries.delete(nonces).where(eq(nonces.scope, probeScope))
  return [compile(insert.onConflictDoNothing()), compile(erase)].map((statement) => statement({}))
}
