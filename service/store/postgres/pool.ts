/**
 * The connections of one process to PostgreSQL: direct, or through a pooler that assigns connections per transaction.
 *
 * A new connection detects a pooler: the process ID of the handshake differs from the one that answers. Settings and prepared
 * statements persist only on direct connections; with a pooler each transaction makes its settings, and statements are
 * unnamed.
 */
import { DatabaseError, Pool, type PoolClient, type QueryArrayConfig } from 'pg'

export interface PoolSettings {
  readonly url: string
  /** The largest number of connections. */
  readonly size: number
  /** Milliseconds until the server cancels a statement, including waits for locks. */
  readonly statementTimeout: number
  /** Milliseconds to get a connection, new or from the pool. */
  readonly connectionTimeout: number
  /** Never close idle connections. */
  readonly keepIdle: boolean
}

export interface PostgresPool {
  /** Runs `work` with a connection, which is closed afterwards unless `work` returns or sets `isUsable`. */
  withClient<T>(work: (lease: Lease) => Promise<T>): Promise<T>
  /** For drizzle, and for single statements outside a transaction. */
  query(config: string | QueryArrayConfig, values?: unknown[]): Promise<unknown>
  end(): Promise<void>
}

/** A connection while it is checked out. */
export interface Lease {
  readonly client: PoolClient
  /** The name under which this connection prepares a statement; `undefined` to leave it unnamed. */
  nameOf(text: string): string | undefined
  /** Names that batches (`transaction.ts`) have prepared on this connection. */
  readonly prepared: Set<string>
  /** SQL of the settings after BEGIN. */
  readonly transactionSettings: readonly string[]
  /** Set to true before throwing when the connection may be used again. */
  isUsable: boolean
}

/** Milliseconds by which the client waits longer than the server, which does not enforce timeouts when it hangs. */
const grace = 2_000

/** Opens no connection yet. */
export function createPostgresPool(settings: PoolSettings): PostgresPool {
  const timeouts = [
    `statement_timeout = ${settings.statementTimeout}`,
    `idle_in_transaction_session_timeout = ${settings.statementTimeout + grace}`,
  ]
  const direct = new WeakMap<object, Set<string>>()
  const names = statementNames()
  const pool = openPool(settings, timeouts, (client) => direct.set(client, new Set()))
  const localTimeouts = timeouts.map((timeout) => `set local ${timeout}`)
  const lend = (client: PoolClient): Lease => {
    const prepared = direct.get(client)
    return {
      client,
      nameOf: (text) => (prepared === undefined ? undefined : names(text)),
      prepared: prepared ?? new Set(),
      transactionSettings: prepared === undefined ? localTimeouts : [],
      isUsable: false,
    }
  }
  const withClient: PostgresPool['withClient'] = async (work) => {
    const client = await pool.connect()
    client.on('error', ignoreError) // of a connection lost between two statements: the next statement rejects
    const lease = lend(client)
    try {
      const value = await work(lease)
      lease.isUsable = true
      return value
    } finally {
      client.off('error', ignoreError)
      client.release(!lease.isUsable)
    }
  }
  const query: PostgresPool['query'] = (config, values) =>
    withClient((lease) => queryOnce(lease, config, values))
  return { withClient, query, end: () => pool.end() }
}

/** @param onDirect called for each connection without a pooler */
function openPool(
  { url, size, statementTimeout, connectionTimeout, keepIdle }: PoolSettings,
  timeouts: readonly string[],
  onDirect: (client: object) => void,
): Pool {
  const pool = new Pool({
    connectionString: url,
    application_name: 'miniseal',
    keepAlive: true,
    max: size,
    ...(keepIdle ? { idleTimeoutMillis: 0 } : {}),
    connectionTimeoutMillis: connectionTimeout,
    query_timeout: statementTimeout + grace,
    onConnect: async (client) => {
      const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid')
      if (!('processID' in client) || rows[0]?.pid !== client.processID) return
      for (const timeout of timeouts) await client.query(`set ${timeout}`)
      onDirect(client)
    },
  })
  // The pool removes a broken connection; without a listener the event would end the process.
  pool.on('error', ignoreError)
  return pool
}

async function queryOnce(
  lease: Lease,
  config: string | QueryArrayConfig,
  values: unknown[] | undefined,
): Promise<unknown> {
  try {
    if (typeof config === 'string') return await lease.client.query(config, values)
    // The driver tracks these names, so they must differ from those of a batch.
    const name = config.name === '' ? lease.nameOf(`${config.text} `) : config.name
    return await lease.client.query({ ...config, ...(name === undefined ? {} : { name }) }, values)
  } catch (error) {
    lease.isUsable = error instanceof DatabaseError
    throw error
  }
}

/** Uses after which a statement is worth preparing. */
const minUses = 20
/** Bounds the prepared statements of each connection. */
const maxNames = 120
/** Bounds the texts that are counted. */
const maxCounted = 2_000

/** @returns the stable name of a frequent statement; `undefined` for rare ones, and for lists, whose text varies */
function statementNames(): (text: string) => string | undefined {
  const names = new Map<string, string>()
  const counts = new Map<string, number>()
  return (text) => {
    const name = names.get(text)
    if (name !== undefined || names.size >= maxNames) return name
    const uses = (counts.get(text) ?? 0) + 1
    if (counts.size >= maxCounted) counts.clear()
    counts.set(text, uses)
    if (uses < minUses) return undefined
    counts.delete(text)
    const made = `miniseal_${names.size}`
    names.set(text, made)
    return made
  }
}

function ignoreError(): void {}
