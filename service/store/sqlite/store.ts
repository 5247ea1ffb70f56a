/**
 * The store on SQLite: one file, one connection per process, any number of processes. The WAL is flushed before a commit is
 * acknowledged, so that it survives a power failure. The lock on the file serializes processes; the single connection
 * serializes the work of a process.
 */
import Database from 'better-sqlite3'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import { type ChangeSource, createChanges } from '../changes.ts'
import type { BoundStatement, Engine, Queries } from '../engine.ts'
import { compileStatements, prepareReads, type Statements, type Tables } from '../statements.ts'
import { type CommitResult, type Store, type StoreOptions, StoreUnavailable, type Write } from '../store.ts'
import { compileSequence, type Outcome, type Row, type Steps } from '../tlog-sequence.ts'
import { openSqliteConnection } from './connection.ts'
import { GroupCommit } from './group-commit.ts'
import * as tables from './schema.ts'
import { noSync, openWalSync } from './wal-sync.ts'

/** Milliseconds. */
const defaultStatementTimeout = 5_000

/**
 * Opens the file (`:memory:` for a database that ends with the process), creates its folder, and migrates.
 *
 * @throws StoreUnavailable when the file cannot be opened, is no database, or its file system does not support WAL.
 */
export async function openSqliteStore(path: string, options: StoreOptions = {}): Promise<Store> {
  const connection = await openSqliteConnection(path, options.statementTimeout ?? defaultStatementTimeout)
  // A read transaction: the WAL preserves its snapshot and blocks no writer.
  if (options.isSnapshot === true) connection.exec('BEGIN')
  // The one cast of this driver: its builders have the same shape, and the shared code uses nothing else.
  const queries = drizzle(connection) as unknown as Queries
  const engine: Engine<Tables> = { queries, tables, guard, locks: { update: '', keyShare: '' } }
  const statements = compileStatements(engine)
  const sequence = compileSequence(engine)
  const wal = connection.memory ? noSync : openWalSync(path)
  const group = new GroupCommit(connection, wal, options)
  const run = statementRunner(connection)
  const changes = createChanges(pollChanges(connection))
  let closed: Promise<void> | undefined
  const end = async (): Promise<void> => {
    void changes.close()
    await group.close()
    wal.close()
    connection.close() // the last connection to the file checkpoints the WAL
  }
  return {
    ...prepareReads(engine),
    watch: changes.watch,
    sequence: (grow, limit) => group.add(() => runSteps(run, sequence(grow, limit))),
    commit: async (writes) => {
      if (writes.length === 0) return { kind: 'committed' }
      const result = await group.add(() => applyAll(statements, run, writes))
      if (result.kind === 'committed') changes.notify(statements.changesOf(writes))
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

/** Runs a statement and returns its rows. */
type Run = (statement: BoundStatement) => readonly Row[]

/** Prepares each text once. */
function statementRunner(connection: Database.Database): Run {
  const prepared = new Map<string, Database.Statement<unknown[], Row>>()
  return ({ text, values }) => {
    let statement = prepared.get(text)
    if (statement === undefined) {
      statement = connection.prepare<unknown[], Row>(text)
      prepared.set(text, statement)
    }
    if (statement.reader) return statement.all(...values)
    statement.run(...values)
    return []
  }
}

/** A constraint violation undoes these steps, not the other work of the group. */
function runSteps<T>(run: Run, steps: Steps<T>): T {
  try {
    let next = steps.next([])
    while (next.done !== true) next = steps.next(run(next.value))
    return next.value
  } catch (error) {
    throw isConstraint(error) ? new StoreUnavailable(error) : error
  }
}

function applyAll(statements: Statements, run: Run, writes: readonly Write[]): Outcome<CommitResult> {
  for (const [index, write] of writes.entries()) {
    const bound = statements.bind(write)
    if (isApplied(() => bound.every((statement) => statements.isDone(write, run(statement).length)))) continue
    // A refused first statement needs no rollback, so a replay does not slow down the rest of the group.
    const keep = index === 0 && bound.length === 1
    return { keep, value: { kind: 'refused', write, index } }
  }
  return { keep: true, value: { kind: 'committed' } }
}

function isApplied(apply: () => boolean): boolean {
  try {
    return apply()
  } catch (error) {
    if (isConstraint(error)) return false
    throw error
  }
}

function pruneAll(statements: Statements, run: Run, now: number, limit: number): Outcome<number> {
  let deleted = 0
  for (const prune of statements.prune) {
    if (deleted < limit) deleted += run(prune(now, limit - deleted)).length
  }
  return { keep: true, value: deleted }
}

async function guard<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    throw new StoreUnavailable(error)
  }
}

function isConstraint(error: unknown): boolean {
  return error instanceof Database.SqliteError && error.code.startsWith('SQLITE_CONSTRAINT')
}

/** Milliseconds. A poll takes some microseconds. */
const pollPeriod = 150

/** Polls `data_version`, which changes with every commit of another connection. */
function pollChanges(connection: Database.Database): ChangeSource {
  const version = connection.prepare<[], number>('pragma data_version').pluck()
  const findVersion = (): number | undefined => {
    try {
      return version.get()
    } catch {
      return undefined // the file cannot be read: the next statement reports the error
    }
  }
  return (notify) => {
    let seen = findVersion()
    const timer = setInterval(() => {
      const current = findVersion()
      if (current !== seen) notify([{ kind: 'any' }])
      seen = current
    }, pollPeriod)
    timer.unref()
    return () => clearInterval(timer)
  }
}
