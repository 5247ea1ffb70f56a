/**
 * The store on PostgreSQL, or on what speaks its protocol: a pool, and any number of processes.
 *
 * READ COMMITTED is what the statements rely on: an insert that meets another's uncommitted row waits for it, and an
 * update that waited for a row looks at its newest version again.
 */
import { DrizzleQueryError } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/node-postgres'
import type { Pool } from 'pg'
import { prepareAllReads } from '../all-reads.ts'
import type { CommitObserver } from '../commit-report.ts'
import { changesOf } from '../events.ts'
import { compileSequence, type Row, type Steps } from '../log-sequence.ts'
import { compileStatements, type Statements } from '../statements.ts'
import { type Store, StoreUnavailable } from '../store.ts'
import { watchPostgres } from './changes.ts'
import { PostgresGroup } from './group.ts'
import { migratePostgres } from './migration.ts'
import { createPostgresPool, type Lent, type PostgresPool } from './pool.ts'
import * as schema from './schema.ts'
import { inTransaction, retry } from './transaction.ts'

export interface PostgresOptions {
  /** Connections of this process, besides the one that listens. */
  readonly poolSize?: number
  /** Past a pooler: for migrations, and for what needs a connection that stays. The same database. */
  readonly directUrl?: string | undefined
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

/**
 * Connects and brings the database to this version, in the schema that `search_path` names first.
 *
 * @throws StoreUnavailable when there is no connection, no right to create tables, or when `synchronous_commit` is off.
 */
export async function openPostgresStore(url: string, options: PostgresOptions = {}): Promise<Store> {
  const connectionTimeout = options.connectionTimeout ?? CONNECTION_TIMEOUT
  const directUrl = options.directUrl ?? url
  const isSnapshot = options.isSnapshot === true
  await guard(() => migratePostgres(directUrl, connectionTimeout))
  const pool = createPostgresPool({
    url,
    size: isSnapshot ? 1 : (options.poolSize ?? POOL_SIZE),
    statementTimeout: options.statementTimeout ?? STATEMENT_TIMEOUT,
    connectionTimeout,
    keepIdle: isSnapshot,
  })
  if (isSnapshot) await guard(() => pool.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY'))
  // The one cast of this driver: `query` is all that is used of a pool.
  const queries = drizzle(pool as unknown as Pool)
  const statements = compileStatements(queries, schema, ' for key share')
  const sequence = compileSequence(queries, schema, ' for update')
  const group = new PostgresGroup(pool, statements, options.onCommit)
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
  const changes = watchPostgres(directUrl, connectionTimeout, send)
  return {
    ...prepareAllReads(queries, schema, track),
    watch: changes.watch,
    sequence: (grow, limit) =>
      track(() => retry(() => inTransaction(pool, (lent) => awaited(lent, sequence(grow, limit))))),
    commit: async (writes) => {
      const result = await track(() => group.commit(writes))
      if (result.kind === 'committed') changes.notify(changesOf(writes))
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

/** Runs the steps one after another. */
async function awaited<T>({ client, nameOf }: Lent, steps: Steps<T>): Promise<T> {
  let next = steps.next([])
  while (next.done !== true) {
    const { text, values } = next.value
    const name = nameOf(`${text} `)
    const query = { text, values: [...values], ...(name === undefined ? {} : { name }) }
    next = steps.next((await client.query<Row>(query)).rows)
  }
  return next.value
}

/** The tables one after another, each in a transaction of its own, so that no lock is held for long. */
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

/** All of a database's errors look alike to the caller. Drizzle's quote the values of the query, so they stay out. */
async function guard<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof StoreUnavailable) throw error
    throw new StoreUnavailable(error instanceof DrizzleQueryError ? error.cause : error)
  }
}
