/**
 * The store on SQLite: one file, one connection per process, any number of processes.
 *
 * A WAL that is flushed before anybody is told, so that a commit survives a power cut; the lock on the file decides races
 * between processes, and the single connection those within one.
 */
import Database from 'better-sqlite3'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import { prepareAllReads } from '../all-reads.ts'
import type { CommitObserver } from '../commit-report.ts'
import type { BoundStatement, Queries } from '../compile.ts'
import { changesOf } from '../events.ts'
import { GroupCommit, type Outcome } from '../group-commit.ts'
import { compileSequence, type Row, type Steps } from '../log-sequence.ts'
import { compileStatements, type Statements } from '../statements.ts'
import { type CommitResult, type Store, StoreUnavailable, type Write } from '../store.ts'
import { watchSqlite } from './changes.ts'
import { openSqliteConnection } from './connection.ts'
import * as schema from './schema.ts'
import { noSync, openWalSync } from './wal-sync.ts'

export interface SqliteOptions {
  /** How long a statement waits for another process, in milliseconds. The whole process waits with it. */
  readonly busyTimeout?: number
  readonly onCommit?: CommitObserver
  /** See `StoreOptions`. */
  readonly onLost?: (error: unknown) => void
  /** See `StoreOptions`. */
  readonly isSnapshot?: boolean
}

const BUSY_TIMEOUT = 5_000

/**
 * Opens the file (`:memory:` for a database that dies with the process), makes its folder, brings it to this version.
 *
 * @throws StoreUnavailable when the file cannot be opened, is no database, or lies where WAL does not work.
 */
export async function openSqliteStore(path: string, options: SqliteOptions = {}): Promise<Store> {
  const connection = await openSqliteConnection(path, options.busyTimeout ?? BUSY_TIMEOUT)
  // A transaction that only reads: the WAL keeps what it sees, and nobody waits for it.
  if (options.isSnapshot === true) connection.exec('BEGIN')
  // The one cast of this driver: its builders are made alike, and what is shared uses nothing else.
  const queries = drizzle(connection) as unknown as Queries
  const statements = compileStatements(queries, schema, '')
  const wal = connection.memory ? noSync : openWalSync(path)
  const group = new GroupCommit(connection, wal, options)
  const all = statementRunner(connection)
  const run: Run = (statement) => all(statement).length
  const sequence = compileSequence(queries, schema, '')
  const changes = watchSqlite(connection)
  let closed: Promise<void> | undefined
  const end = async (): Promise<void> => {
    changes.close()
    await group.close()
    wal.close()
    connection.close() // the last connection to the file folds the WAL into it
  }
  return {
    ...prepareAllReads(queries, schema, guardRead),
    watch: changes.watch,
    sequence: (grow, limit) => group.add(() => inStep(all, sequence(grow, limit))),
    commit: async (writes) => {
      if (writes.length === 0) return { kind: 'committed' }
      const result = await group.add(() => applyAll(statements, run, writes))
      if (result.kind === 'committed') changes.notify(changesOf(writes))
      return result
    },
    prune: (now, limit) => group.add(() => pruneAll(statements, run, now, limit)),
    assertWritable: () =>
      group.add(() => {
        for (const statement of statements.probe) run(statement)
        return { keep: true, value: undefined }
      }),
    close: () => {
      closed ??= end()
      return closed
    },
  }
}

/** @returns how many rows the statement touched. */
type Run = (statement: BoundStatement) => number

type All = (statement: BoundStatement) => readonly Row[]

/** Prepares each text once. */
function statementRunner(connection: Database.Database): All {
  const prepared = new Map<string, Database.Statement<unknown[], Row>>()
  return ({ text, values }) => {
    let statement = prepared.get(text)
    if (statement === undefined) {
      statement = connection.prepare<unknown[], Row>(text)
      prepared.set(text, statement)
    }
    return statement.all(...values)
  }
}

/** Runs the steps one after another. A constraint that stands in the way undoes them, and not their neighbours. */
function inStep<T>(all: All, steps: Steps<T>): T {
  try {
    let next = steps.next([])
    while (next.done !== true) next = steps.next(all(next.value))
    return next.value
  } catch (error) {
    throw codeOf(error).startsWith('SQLITE_CONSTRAINT') ? new StoreUnavailable(error) : error
  }
}

function applyAll(statements: Statements, run: Run, writes: readonly Write[]): Outcome<CommitResult> {
  for (const [index, write] of writes.entries()) {
    const bound = statements.bind(write)
    if (isApplied(() => bound.every((statement) => statements.isDone(write, run(statement))))) continue
    // Of a first statement that is refused nothing is to be taken back: a replay costs its neighbours nothing.
    const keep = index === 0 && bound.length === 1
    return { keep, value: { kind: 'refused', write, index } }
  }
  return { keep: true, value: { kind: 'committed' } }
}

function isApplied(apply: () => boolean): boolean {
  try {
    return apply()
  } catch (error) {
    if (codeOf(error).startsWith('SQLITE_CONSTRAINT')) return false
    throw error
  }
}

function pruneAll(statements: Statements, run: Run, now: number, limit: number): Outcome<number> {
  let deleted = 0
  for (const prune of statements.prune) if (deleted < limit) deleted += run(prune(now, limit - deleted))
  return { keep: true, value: deleted }
}

async function guardRead<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    throw new StoreUnavailable(error)
  }
}

function codeOf(error: unknown): string {
  return error instanceof Database.SqliteError ? error.code : ''
}
