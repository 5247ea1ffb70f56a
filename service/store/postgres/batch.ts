/**
 * Statements of one transaction, sent together and answered together: one round trip, whatever their number.
 *
 * They end with one Sync: after the first that fails the server does none of the others. So when even BEGIN fails, nothing
 * has happened. What a caller learns is how many rows each has touched, which is what every write returns.
 */
import type { Connection, Submittable } from 'pg'
import type { BoundStatement } from '../compile.ts'
import type { Lent } from './pool.ts'

/** How a batch of statements has gone. The transaction is open either way. */
export type BatchResult =
  | { readonly kind: 'done'; readonly rows: readonly number[] }
  /** The server refused the one at `at`: -1 for what opens the transaction. The driver's error. */
  | { readonly kind: 'failed'; readonly at: number; readonly error: unknown }

/**
 * Begins a transaction and runs statements in it.
 *
 * @param settings for the transaction, as SQL
 * @throws nothing: a connection that breaks is a `failed`, too.
 */
export function runBatch(
  lent: Lent,
  statements: readonly BoundStatement[],
  settings: readonly string[] = [],
): Promise<BatchResult> {
  const opening = ['begin isolation level read committed', ...lent.ownSettings, ...settings]
  const all = [...opening.map((text) => ({ text, values: [] })), ...statements]
  return new Promise((resolve) => {
    const batch: Batch = new Batch(lent, all, (error) => {
      const at = batch.rows.length - opening.length
      if (error !== null) return resolve({ kind: 'failed', at: Math.max(-1, at), error })
      resolve({ kind: 'done', rows: batch.rows.slice(opening.length) })
    })
    lent.client.query(batch)
  })
}

interface WireStatement {
  readonly text: string
  readonly values: (Buffer | string | null)[]
}

/** What the driver calls of a query that it is given. */
class Batch implements Submittable {
  /** As the driver's own queries have it, for whoever looks at what is sent: one statement a line. */
  readonly text: string
  /** Of the statements that are done. */
  readonly rows: number[] = []
  /** The driver puts its own in the place of this one, to time it. */
  callback: (error: unknown) => void
  readonly #lent: Lent
  readonly #statements: readonly WireStatement[]
  readonly #fresh: string[] = []

  constructor(lent: Lent, statements: readonly BoundStatement[], done: (error: unknown) => void) {
    this.text = statements.map(({ text }) => text).join(';\n')
    this.#lent = lent
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
    const name = this.#lent.nameOf(text) ?? ''
    if (!this.#lent.prepared.has(name)) {
      // It may be there from a batch that failed; closing what is not there is no error.
      if (name !== '' && !this.#fresh.includes(name)) connection.close({ type: 'S', name }, true)
      if (!this.#fresh.includes(name)) connection.parse({ name, text, types: [] }, true)
      if (name !== '') this.#fresh.push(name)
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

  /** What it says is counted at its end. */
  handleDataRow(): void {}

  handleRowDescription(): void {}

  handlePortalSuspended(): void {}

  handleReadyForQuery(): void {
    for (const name of this.#fresh) this.#lent.prepared.add(name)
    this.callback(null)
  }

  handleError(error: unknown): void {
    this.callback(error)
  }
}

/** As the wire has it: bytes as they are, all else as text. @throws Error for what no statement of ours binds. */
function wireValue(value: unknown): Buffer | string | null {
  if (value === null || value === undefined) return null
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean')
    return String(value)
  throw new Error('a value that no statement binds')
}
