/**
 * The connections of one process to PostgreSQL: directly, or through a pooler that hands out connections for a transaction.
 *
 * Which of both it is shows when a connection is made: a pooler tells us another process than the one that answers. Only
 * on a connection of our own are settings and prepared statements there again with the next transaction; through a pooler
 * settings are made in each transaction, and no statement has a name.
 */
import { DatabaseError, Pool, type PoolClient, type QueryArrayConfig } from 'pg'
import { statementNames } from '../statement-names.ts'

export interface PoolSettings {
  readonly url: string
  /** Connections at most. */
  readonly size: number
  /** Milliseconds until the server gives a statement up, waiting for locks included. */
  readonly statementTimeout: number
  /** Milliseconds to get a connection, new or from the pool. */
  readonly connectionTimeout: number
  /** Keep connections that nobody uses. */
  readonly keepIdle: boolean
}

export interface PostgresPool {
  /** Gives a connection to `work`. One in an unknown state is thrown away after it: `work` says whether it is usable. */
  withClient<T>(work: (lent: Lent) => Promise<T>): Promise<T>
  /** For drizzle, and for single statements outside a transaction. */
  query(config: string | QueryArrayConfig, values?: unknown[]): Promise<unknown>
  end(): Promise<void>
}

/** A connection, lent. */
export interface Lent {
  readonly client: PoolClient
  /** The name under which this connection keeps a statement prepared; `undefined` where it keeps none. */
  nameOf(text: string): string | undefined
  /** Statements that the connection has prepared for {@link PostgresBatch}. */
  readonly prepared: Set<string>
  /** What a transaction has to set for itself after BEGIN. */
  readonly ownSettings: readonly string[]
  /** To be set before `work` ends by an error, if the connection may be used again. */
  isUsable: boolean
}

/** How much later than the server this side gives up: a server that hangs does not time its statements either. */
const GRACE = 2_000

/** Opens no connection yet. */
export function createPostgresPool(settings: PoolSettings): PostgresPool {
  const timeouts = [
    `statement_timeout = ${settings.statementTimeout}`,
    `idle_in_transaction_session_timeout = ${settings.statementTimeout + GRACE}`,
  ]
  const own = new WeakMap<object, Set<string>>()
  const names = statementNames()
  const pool = openPool(settings, timeouts, (client) => own.set(client, new Set()))
  const inTransaction = timeouts.map((timeout) => `set local ${timeout}`)
  const lend = (client: PoolClient): Lent => {
    const prepared = own.get(client)
    return {
      client,
      nameOf: (text) => (prepared === undefined ? undefined : names(text)),
      prepared: prepared ?? new Set(),
      ownSettings: prepared === undefined ? inTransaction : [],
      isUsable: false,
    }
  }
  const withClient: PostgresPool['withClient'] = async (work) => {
    const client = await pool.connect()
    client.on('error', ignoreError) // a connection that dies between two statements; the next statement rejects
    const lent = lend(client)
    try {
      const value = await work(lent)
      lent.isUsable = true
      return value
    } finally {
      client.off('error', ignoreError)
      client.release(!lent.isUsable)
    }
  }
  const query: PostgresPool['query'] = (config, values) =>
    withClient((lent) => queryOnce(lent, config, values))
  return { withClient, query, end: () => pool.end() }
}

/** @param onOwn told of each connection that is no pooler's */
function openPool(
  { url, size, statementTimeout, connectionTimeout, keepIdle }: PoolSettings,
  timeouts: readonly string[],
  onOwn: (client: object) => void,
): Pool {
  const pool = new Pool({
    connectionString: url,
    application_name: 'miniseal',
    keepAlive: true,
    max: size,
    ...(keepIdle ? { idleTimeoutMillis: 0 } : {}),
    connectionTimeoutMillis: connectionTimeout,
    query_timeout: statementTimeout + GRACE,
    onConnect: async (client) => {
      const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid')
      if (!('processID' in client) || rows[0]?.pid !== client.processID) return
      for (const timeout of timeouts) await client.query(`set ${timeout}`)
      onOwn(client)
    },
  })
  // The pool drops a broken connection by itself; without a listener the event would end the process.
  pool.on('error', ignoreError)
  return pool
}

async function queryOnce(
  lent: Lent,
  config: string | QueryArrayConfig,
  values: unknown[] | undefined,
): Promise<unknown> {
  try {
    if (typeof config === 'string') return await lent.client.query(config, values)
    // The driver keeps account of its names by itself, so they are others than those of a batch.
    const name = config.name === '' ? lent.nameOf(`${config.text} `) : config.name
    return await lent.client.query({ ...config, ...(name === undefined ? {} : { name }) }, values)
  } catch (error) {
    lent.isUsable = error instanceof DatabaseError
    throw error
  }
}

function ignoreError(): void {}
