/** Transactions on PostgreSQL: statements in one round trip or one by one, COMMIT, ROLLBACK, retries. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Connection, DatabaseError, type Submittable } from 'pg'
import type { BoundStatement } from '../engine.ts'
import { StoreUnavailable } from '../store.ts'
import type { Outcome } from '../tlog-sequence.ts'
import type { Lease, PostgresPool } from './pool.ts'

const maxAttempts = 5
const retryPause = 10
/** `serialization_failure` and `deadlock_detected`: the server has undone the transaction. */
const undone = new Set(['40001', '40P01'])
/** `invalid_sql_statement_name`, `feature_not_supported`: a prepared statement does not exist, or its tables have changed. */
const unprepared = new Set(['26000', '0A000'])

const begin = 'begin isolation level read committed'

/** Whether the server answered a statement with this error. Before COMMIT it means that nothing was written. */
export function isServerError(error: unknown): error is DatabaseError {
  return error instanceof DatabaseError
}

/** Repeats work that the server undid. Never after a lost connection, whose outcome is unknown. */
export async function retry<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      const code = isServerError(error) ? (error.code ?? '') : ''
      if ((!undone.has(code) && !unprepared.has(code)) || attempt === maxAttempts) throw error
      await sleep(attempt * retryPause)
    }
  }
}

/**
 * Sends COMMIT.
 *
 * @throws the server's error where it reports that it has undone the transaction; StoreUnavailable where the outcome is
 *   unknown.
 */
export async function commitIn({ client }: Lease): Promise<void> {
  let command: string
  try {
    command = (await client.query('COMMIT')).command
  } catch (error) {
    // A server that is shutting down may report an error after it has committed.
    throw isServerError(error) && undone.has(error.code ?? '') ? error : new StoreUnavailable(error)
  }
  // An aborted transaction answers COMMIT with ROLLBACK, and no error.
  if (command !== 'COMMIT')
    throw new StoreUnavailable(new Error('the server rolled back instead of committing'))
}

/** Sends ROLLBACK, also after an error of the server. @returns whether the connection may be used again */
export async function isRolledBack({ client }: Lease, error?: unknown): Promise<boolean> {
  try {
    await client.query('ROLLBACK')
    return !(isServerError(error) && unprepared.has(error.code ?? ''))
  } catch {
    return false // the caller reports the first error
  }
}

/** A transaction whose statements depend on each other's results. */
export function inTransaction<T>(
  pool: PostgresPool,
  work: (lease: Lease) => Promise<Outcome<T>>,
): Promise<T> {
  return pool.withClient(async (lease) => {
    let isOpen = true
    try {
      await lease.client.query([begin, ...lease.transactionSettings].join(';'))
      const { keep, value } = await work(lease)
      isOpen = false
      if (keep) await commitIn(lease)
      else await lease.client.query('ROLLBACK')
      return value
    } catch (error) {
      lease.isUsable = isOpen && isServerError(error) && (await isRolledBack(lease, error))
      throw error
    }
  })
}

/** The result of {@link runBatch}. The transaction is open either way. */
export type BatchResult =
  /** How many rows each statement has touched. */
  | { readonly kind: 'done'; readonly rows: readonly number[] }
  /** The statement at `at` failed; -1: the opening of the transaction. The driver's error. */
  | { readonly kind: 'failed'; readonly at: number; readonly error: unknown }

/**
 * Begins a transaction and runs statements in it, in one round trip. They end with one Sync: after the first failure, also
 * of BEGIN, the server skips the rest.
 *
 * @param settings for the transaction, as SQL
 * @returns `failed` also for a broken connection; it never rejects
 */
export function runBatch(
  lease: Lease,
  statements: readonly BoundStatement[],
  settings: readonly string[] = [],
): Promise<BatchResult> {
  const opening = [begin, ...lease.transactionSettings, ...settings]
  const all = [...opening.map((text) => ({ text, values: [] })), ...statements]
  return new Promise((resolve) => {
    const batch: Batch = new Batch(lease, all, (error) => {
      const at = batch.rows.length - opening.length
      if (error !== null) return resolve({ kind: 'failed', at: Math.max(-1, at), error })
      resolve({ kind: 'done', rows: batch.rows.slice(opening.length) })
    })
    lease.client.query(batch)
  })
}

interface WireStatement {
  readonly text: string
  readonly values: (Buffer | string | null)[]
}

/** A query object of the driver (`Submittable`) that sends many statements with one Sync. */
class Batch implements Submittable {
  /** The statements, one per line, under the name that the driver's own queries use, for instrumentation. */
  readonly text: string
  /** The row counts of the completed statements. */
  readonly rows: number[] = []
  /** The driver wraps this to time the query. */
  callback: (error: unknown) => void
  readonly #lease: Lease
  readonly #statements: readonly WireStatement[]
  readonly #parsed: string[] = []

  constructor(lease: Lease, statements: readonly BoundStatement[], done: (error: unknown) => void) {
    this.text = statements.map(({ text }) => text).join(';\n')
    this.#lease = lease
    this.#statements = statements.map(({ text, values }) => ({ text, values: values.map(wireValue) }))
    this.callback = done
  }

  submit(connection: Connection): void {
    connection.stream.cork()
    for (const statement of this.#statements) this.#send(connection, statement)
    connection.sync()
    connection.stream.uncork()
  }

  #send(connection: Connection, { text, values }: WireStatement): void {
    const name = this.#lease.nameOf(text) ?? ''
    if (!this.#lease.prepared.has(name)) {
      // The name may exist from a failed batch; closing an unknown name is no error.
      if (name !== '' && !this.#parsed.includes(name)) connection.close({ type: 'S', name }, true)
      if (!this.#parsed.includes(name)) connection.parse({ name, text, types: [] }, true)
      if (name !== '') this.#parsed.push(name)
    }
    connection.bind({ statement: name, values }, true)
    connection.execute({}, true)
  }

  handleCommandComplete({ text }: { readonly text: string }): void {
    this.rows.push(Number(/ ([0-9]+)$/.exec(text)?.[1] ?? 0))
  }

  handleEmptyQuery(): void {
    this.rows.push(0)
  }

  /** Rows are counted by CommandComplete. */
  handleDataRow(): void {}

  handleRowDescription(): void {}

  handlePortalSuspended(): void {}

  handleReadyForQuery(): void {
    for (const name of this.#parsed) this.#lease.prepared.add(name)
    this.callback(null)
  }

  handleError(error: unknown): void {
    this.callback(error)
  }
}

/** The wire format: bytes in binary, everything else as text. @throws Error for a type that no statement binds */
function wireValue(value: unknown): Buffer | string | null {
  if (value === null || value === undefined) return null
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean')
    return String(value)
  throw new Error('no statement binds a value of this type')
}
