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
import { APPLIED_QUERY, APPLIED_TABLE, pendingMigrations, readMigrations } from './migrations.ts'
import { prepareReads } from './reads.ts'
import * as schema from './schema-postgres.ts'
import { type BoundStatement, compileStatements, type Statements } from './statements.ts'
import { type CommitResult, type Store, StoreUnavailable, type Write } from './store.ts'

export interface PostgresOptions {
  /** Connections of this process. */
  readonly poolSize?: number
  /** Milliseconds until the server gives a statement up, waiting for locks included. */
  readonly statementTimeout?: number
  /** Milliseconds to get a connection, new or from the pool. */
  readonly connectionTimeout?: number
}

const POOL_SIZE = 20
const STATEMENT_TIMEOUT = 5_000
const CONNECTION_TIMEOUT = 3_000
/** How much later than the server this side gives up: a server that hangs does not time its statements either. */
const GRACE = 2_000
const ATTEMPTS = 5
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
  const statementTimeout = options.statementTimeout ?? STATEMENT_TIMEOUT
  const connectionTimeoutMillis = options.connectionTimeout ?? CONNECTION_TIMEOUT
  await guard(() => migrate(url, connectionTimeoutMillis))
  const pool = new Pool({
    connectionString: url,
    application_name: 'miniseal',
    keepAlive: true,
    max: options.poolSize ?? POOL_SIZE,
    connectionTimeoutMillis,
    statement_timeout: statementTimeout,
    query_timeout: statementTimeout + GRACE,
    idle_in_transaction_session_timeout: statementTimeout + GRACE,
  })
  pool.on('error', ignoreIdleError)
  const queries = drizzle(pool)
  return makeStore(pool, compileStatements(queries, schema), (track) => prepareReads(queries, schema, track))
}
