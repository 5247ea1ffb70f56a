/**
 * The store on PostgreSQL, or on a database with its protocol: a pool of connections, any number of processes.
 *
 * The statements rely on READ COMMITTED: an insert that conflicts with an uncommitted row waits for it, and an update that
 * waited for a row reads its newest version.
 */
import { DrizzleQueryError } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/node-postgres'
import type { Pool } from 'pg'
import { createChanges } from '../changes.ts'
import type { Engine } from '../engine.ts'
import { migratePostgres } from '../migrations.ts'
import { compileStatements, prepareReads, type Statements, type Tables } from '../statements.ts'
import { type Store, type StoreOptions, StoreUnavailable } from '../store.ts'
import { compileSequence, type Row, type Steps } from '../tlog-sequence.ts'
import { listenForChanges, notifyOthers } from './changes.ts'
import { PostgresGroupCommit } from './group-commit.ts'
import { createPostgresPool, type Lease, type PostgresPool } from './pool.ts'
import * as tables from './schema.ts'
import { inTransaction, retry } from './transaction.ts'

/** Connection settings of PostgreSQL other than its URL. */
export interface PostgresConnections {
  /** Connections of this process, in addition to the one that listens. */
  readonly poolSize?: number
  /** The same database without a pooler: for migrations and for LISTEN. */
  readonly directUrl?: string | undefined
}

export interface PostgresOptions extends PostgresConnections, StoreOptions {
  /** Milliseconds to get a connection, new or from the pool. */
  readonly connectionTimeout?: number
}

const defaultPoolSize = 20
const defaultStatementTimeout = 5_000
const defaultConnectionTimeout = 3_000

/**
 * Connects, and migrates the schema that `search_path` names first.
 *
 * @throws StoreUnavailable when there is no connection, no right to create tables, or when `synchronous_commit` is off.
 */
export async function openPostgresStore(url: string, options: PostgresOptions = {}): Promise<Store> {
  const connectionTimeout = options.connectionTimeout ?? defaultConnectionTimeout
  const directUrl = options.directUrl ?? url
  await guard(() => migratePostgres(directUrl, connectionTimeout))
  const pool = await openPool(url, connectionTimeout, options)
  const calls = new PendingCalls()
  // The one cast of this driver: drizzle uses only `query` of a pool.
  const queries = drizzle(pool as unknown as Pool)
  const engine: Engine<Tables> = {
    queries,
    tables,
    guard: (read) => calls.run(read),
    locks: { update: ' for update', keyShare: ' for key share' },
  }
  const statements = compileStatements(engine)
  const sequence = compileSequence(engine)
  const group = new PostgresGroupCommit(pool, statements, options.onCommit)
  // Best effort: without the notification other processes poll, see `changes.ts`.
  const run = (text: string, values: readonly string[]): void =>
    void calls.run(() => pool.query(text, [...values])).catch(() => undefined)
  const changes = createChanges(
    listenForChanges({ url: directUrl, connectionTimeoutMillis: connectionTimeout, run }),
  )
  let closing: Promise<void> | undefined
  return {
    ...prepareReads(engine),
    watch: changes.watch,
    sequence: (grow, limit) =>
      calls.run(() => retry(() => inTransaction(pool, (lease) => runSteps(lease, sequence(grow, limit))))),
    commit: async (writes) => {
      const result = await calls.run(() => group.commit(writes))
      if (result.kind === 'committed') {
        const changed = statements.changesOf(writes)
        changes.notify(changed)
        notifyOthers(run, changed)
      }
      return result
    },
    prune: (now, limit) => calls.run(() => retry(() => pruneOnce(pool, statements, now, limit))),
    assertWritable: () => calls.run(() => retry(() => probeOnce(pool, statements))),
    close: () => {
      closing ??= calls
        .close()
        .then(() => changes.close())
        .then(() => pool.end())
      return closing
    },
  }
}

async function openPool(
  url: string,
  connectionTimeout: number,
  {
    isSnapshot = false,
    poolSize = defaultPoolSize,
    statementTimeout = defaultStatementTimeout,
  }: PostgresOptions,
): Promise<PostgresPool> {
  const pool = createPostgresPool({
    url,
    size: isSnapshot ? 1 : poolSize,
    statementTimeout,
    connectionTimeout,
    keepIdle: isSnapshot,
  })
  if (isSnapshot) await guard(() => pool.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY'))
  return pool
}

/** Tracks running calls, so that closing waits for them: a pool that ends does not serve its queue. */
class PendingCalls {
  readonly #running = new Set<Promise<unknown>>()
  #isClosed = false

  /** @throws StoreUnavailable, also after `close` */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#isClosed) throw new StoreUnavailable(new Error('the store is closed'))
    const promise = guard(work)
    this.#running.add(promise)
    return await promise.finally(() => this.#running.delete(promise))
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.allSettled(this.#running)
  }
}

async function runSteps<T>({ client, nameOf }: Lease, steps: Steps<T>): Promise<T> {
  let next = steps.next([])
  while (next.done !== true) {
    const { text, values } = next.value
    const name = nameOf(`${text} `)
    const query = { text, values: [...values], ...(name === undefined ? {} : { name }) }
    next = steps.next((await client.query<Row>(query)).rows)
  }
  return next.value
}

/** One transaction for each table, so that no lock is held for long. */
async function pruneOnce(
  pool: PostgresPool,
  statements: Statements,
  now: number,
  limit: number,
): Promise<number> {
  let deleted = 0
  for (const prune of statements.prune) {
    if (deleted < limit)
      deleted += await inTransaction(pool, async ({ client }) => {
        const { text, values } = prune(now, limit - deleted)
        return { keep: true, value: (await client.query(text, [...values])).rows.length }
      })
  }
  return deleted
}

function probeOnce(pool: PostgresPool, statements: Statements): Promise<void> {
  return inTransaction(pool, async ({ client }) => {
    for (const { text, values } of statements.probe) await client.query(text, [...values])
    return { keep: true, value: undefined }
  })
}

/** Keeps only the cause of drizzle's errors, which quote the values of the query. @throws StoreUnavailable */
async function guard<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof StoreUnavailable) throw error
    throw new StoreUnavailable(error instanceof DrizzleQueryError ? error.cause : error)
  }
}
