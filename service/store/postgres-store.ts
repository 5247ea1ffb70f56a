/**
 * The store on PostgreSQL, or on what speaks its protocol: a pool, one transaction per commit, any number of processes.
 *
 * READ COMMITTED is what the statements rely on: an insert that meets another's uncommitted row waits for it, and an
 * update that waited for a row looks at its newest version again.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { DrizzleQueryError } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/node-postgres'
import { Client, DatabaseError, Pool, type PoolClient } from 'pg'
import { prepareAllReads } from './all-reads.ts'
import type { CommitObserver } from './commit-report.ts'
import type { BoundStatement } from './compile.ts'
import { changesOf } from './events.ts'
import type { Outcome } from './group-commit.ts'
import { compileSequence, type Row, type Steps } from './log-sequence.ts'
import { APPLIED_QUERY, APPLIED_TABLE, pendingMigrations, readMigrations } from './migrations.ts'
import { watchPostgres } from './postgres-changes.ts'
import * as schema from './schema-postgres.ts'
import { compileStatements, type Statements } from './statements.ts'
import { type CommitResult, type Store, StoreUnavailable, type Write } from './store.ts'

export interface PostgresOptions {
  /** Connections of this process. */
  readonly poolSize?: number
  /** Milliseconds until the server gives a statement up, waiting for locks included. */
  readonly statementTimeout?: number
  /** Milliseconds to get a connection, new or from the pool. */
  readonly connectionTimeout?: number
  readonly onCommit?: CommitObserver
  /** See `StoreOptions`. One connection, in one transaction. */
  readonly isSnapshot?: boolean
}

const POOL_SIZE = 20
const STATEMENT_TIMEOUT = 5_000
const CONNECTION_TIMEOUT = 3_000
/** How much later than the server this side gives up: a server that hangs does not time its statements either. */
const GRACE = 2_000
const ATTEMPTS = 5
const RETRY_PAUSE = 10
/** `serialization_failure` and `deadlock_detected`: the server says that nothing has happened. */
const WORTH_RETRYING = new Set(['40001', '40P01'])
/** SQLSTATE class of a unique, foreign key, check or not-null constraint. */
const CONSTRAINT_CLASS = '23'
/** Any number that nobody else locks in this database: "miniseal" in ASCII. */
const MIGRATION_LOCK = 0x6d696e697365616cn.toString()

/**
 * Connects and brings the database to this version, in the schema that `search_path` names first.
 *
 * @throws StoreUnavailable when there is no connection, no right to create tables, or when `synchronous_commit` is off.
 */
export async function openPostgresStore(url: string, options: PostgresOptions = {}): Promise<Store> {
  const connectionTimeoutMillis = options.connectionTimeout ?? CONNECTION_TIMEOUT
  await guard(() => migrate(url, connectionTimeoutMillis))
  const pool = await openPool(url, connectionTimeoutMillis, options)
  const queries = drizzle(pool)
  const statements = compileStatements(queries, schema, ' for key share')
  const sequence = compileSequence(queries, schema, ' for update')
  const running = new Set<Promise<unknown>>()
  let closing: Promise<void> | undefined
  /** Counts what runs, so that closing can wait for it: a pool that ends leaves those in its queue without answer. */
  const track = async <T>(work: () => Promise<T>): Promise<T> => {
    if (closing !== undefined) throw new StoreUnavailable(new Error('the store is closed'))
    const promise = guard(work)
    running.add(promise)
    return await promise.finally(() => running.delete(promise))
  }
  // Best effort: a hint that does not get through costs a second, see `postgres-changes.ts`.
  const send = (text: string, values: readonly string[]): void =>
    void track(() => pool.query(text, [...values])).catch(() => undefined)
  const changes = watchPostgres(url, connectionTimeoutMillis, send)
  return {
    ...prepareAllReads(queries, schema, track),
    watch: changes.watch,
    sequence: (grow, limit) =>
      track(() => retry(() => inTransaction(pool, (client) => awaited(client, sequence(grow, limit))))),
    commit: async (writes) => {
      const result = await reported(options.onCommit, () =>
        track(() => retry(() => commitOnce(pool, statements, writes))),
      )
      if (result.kind === 'committed') changes.tell(changesOf(writes))
      return result
    },
    prune: (now, limit) => track(() => retry(() => pruneOnce(pool, statements, now, limit))),
    assertWritable: () => track(() => retry(() => probeOnce(pool, statements))),
    close: () => {
      closing ??= Promise.allSettled([...running, changes.close()]).then(() => pool.end())
      return closing
    },
  }
}

/** @throws StoreUnavailable for a snapshot that cannot be begun. */
async function openPool(
  url: string,
  connectionTimeoutMillis: number,
  options: PostgresOptions,
): Promise<Pool> {
  const statementTimeout = options.statementTimeout ?? STATEMENT_TIMEOUT
  const pool = new Pool({
    connectionString: url,
    application_name: 'miniseal',
    keepAlive: true,
    max: options.isSnapshot === true ? 1 : (options.poolSize ?? POOL_SIZE),
    ...(options.isSnapshot === true ? { idleTimeoutMillis: 0 } : {}),
    connectionTimeoutMillis,
    statement_timeout: statementTimeout,
    query_timeout: statementTimeout + GRACE,
    idle_in_transaction_session_timeout: statementTimeout + GRACE,
  })
  pool.on('error', ignoreIdleError)
  if (options.isSnapshot === true) {
    await guard(() => pool.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY'))
  }
  return pool
}

/** Runs a commit and tells how long it took. */
async function reported<T>(onCommit: CommitObserver | undefined, commit: () => Promise<T>): Promise<T> {
  const startedAt = performance.now()
  const report = (outcome: 'done' | 'failed'): void =>
    onCommit?.({ size: 1, durationMs: performance.now() - startedAt, outcome })
  try {
    const result = await commit()
    report('done')
    return result
  } catch (error) {
    report('failed')
    throw error
  }
}

function commitOnce(pool: Pool, statements: Statements, writes: readonly Write[]): Promise<CommitResult> {
  return inTransaction<CommitResult>(pool, async (client) => {
    for (const [index, write] of writes.entries()) {
      if (!(await isApplied(client, statements, write))) {
        return { keep: false, value: { kind: 'refused', write, index } }
      }
    }
    return { keep: true, value: { kind: 'committed' } }
  })
}

async function isApplied(client: PoolClient, statements: Statements, write: Write): Promise<boolean> {
  try {
    for (const statement of statements.bind(write)) {
      if (!statements.isDone(write, await run(client, statement))) return false
    }
    return true
  } catch (error) {
    if (error instanceof DatabaseError && error.code?.startsWith(CONSTRAINT_CLASS)) return false
    throw error
  }
}

/** Runs the steps one after another. */
async function awaited<T>(client: PoolClient, steps: Steps<T>): Promise<T> {
  let next = steps.next([])
  while (next.done !== true) {
    const { text, values } = next.value
    next = steps.next((await client.query<Row>(text, [...values])).rows)
  }
  return next.value
}

/** The tables one after another, each in a transaction of its own, so that no lock is held for long. */
async function pruneOnce(pool: Pool, statements: Statements, now: number, limit: number): Promise<number> {
  let deleted = 0
  for (const prune of statements.prune) {
    if (deleted < limit) deleted += await run(pool, prune(now, limit - deleted))
  }
  return deleted
}

function probeOnce(pool: Pool, statements: Statements): Promise<void> {
  return inTransaction(pool, async (client) => {
    for (const statement of statements.probe) await run(client, statement)
    return { keep: true, value: undefined }
  })
}

/** @returns how many rows the statement touched. */
async function run(client: Pool | PoolClient, { text, values }: BoundStatement): Promise<number> {
  return (await client.query(text, [...values])).rows.length
}

/** One transaction on a connection of its own. A connection in an unknown state is thrown away, not given back. */
async function inTransaction<T>(pool: Pool, work: (client: PoolClient) => Promise<Outcome<T>>): Promise<T> {
  const client = await pool.connect()
  client.on('error', ignoreIdleError) // a connection that dies between two statements; the next statement rejects
  let usable = false
  try {
    await client.query('BEGIN ISOLATION LEVEL READ COMMITTED')
    const { keep, value } = await work(client)
    const { command } = await client.query(keep ? 'COMMIT' : 'ROLLBACK')
    // An aborted transaction answers COMMIT with ROLLBACK, and no error.
    if (keep && command !== 'COMMIT') throw new Error('the server rolled back instead of committing')
    usable = true
    return value
  } catch (error) {
    usable = error instanceof DatabaseError && (await isRolledBack(client))
    throw error
  } finally {
    client.off('error', ignoreIdleError)
    client.release(!usable)
  }
}

async function isRolledBack(client: PoolClient): Promise<boolean> {
  try {
    await client.query('ROLLBACK')
    return true
  } catch {
    return false // the first error is the one that counts
  }
}

/** Repeats what the server undid for the sake of another transaction. Never what was lost on the way: that may have happened. */
async function retry<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      const undone = error instanceof DatabaseError && WORTH_RETRYING.has(error.code ?? '')
      if (!undone || attempt === ATTEMPTS) throw error
      await sleep(attempt * RETRY_PAUSE)
    }
  }
}

/** All of a database's errors look alike to the caller. Drizzle's quote the values of the query, so they stay out. */
async function guard<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw new StoreUnavailable(error instanceof DrizzleQueryError ? error.cause : error)
  }
}

/** The pool drops a broken connection by itself; without a listener the event would end the process. */
function ignoreIdleError(): void {}

/** One connection without a statement timeout (an index may take long), one transaction, under the lock. */
async function migrate(url: string, connectionTimeoutMillis: number): Promise<void> {
  const client = new Client({ connectionString: url, application_name: 'miniseal', connectionTimeoutMillis })
  client.on('error', ignoreIdleError)
  try {
    await client.connect()
    await assertDurable(client)
    await client.query('BEGIN')
    await client.query('select pg_advisory_xact_lock($1)', [MIGRATION_LOCK]) // until COMMIT or until we die
    await client.query(APPLIED_TABLE)
    const applied = await client.query<{ madeAt: string }>(APPLIED_QUERY)
    for (const { madeAt, hash, statements } of pendingMigrations(readMigrations('postgres'), applied.rows)) {
      for (const statement of statements) await client.query(statement)
      await client.query('insert into applied_migrations (made_at, hash) values ($1, $2)', [madeAt, hash])
    }
    await client.query('COMMIT')
  } finally {
    await client.end()
  }
}

/** With `synchronous_commit = off` the server acknowledges what a crash may still lose: replayed nonces, revived sessions. */
async function assertDurable(client: Client): Promise<void> {
  const { rows } = await client.query<{ synchronous_commit: string }>('show synchronous_commit')
  if (rows[0]?.synchronous_commit === 'off')
    throw new Error('synchronous_commit is off: a commit would not be durable')
}
