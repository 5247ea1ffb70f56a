/** How a transaction on PostgreSQL ends, and what its end says of it. */
import { setTimeout as sleep } from 'node:timers/promises'
import { DatabaseError } from 'pg'
import type { Outcome } from '../group-commit.ts'
import { StoreUnavailable } from '../store.ts'
import type { Lent, PostgresPool } from './pool.ts'

const attempts = 5
const retryPause = 10
/** `serialization_failure` and `deadlock_detected`: the server says that nothing has happened. */
const undone = new Set(['40001', '40P01'])
/** `invalid_sql_statement_name`, `feature_not_supported`: a prepared statement is gone, or its tables have changed. */
const unprepared = new Set(['26000', '0A000'])

/** Whether the server said so, in answer to a statement. Before COMMIT was sent that means: nothing has happened. */
export function isOfTheServer(error: unknown): error is DatabaseError {
  return error instanceof DatabaseError
}

/**
 * Repeats what the server undid for the sake of another transaction. Never what was lost on the way: that may have
 * happened.
 */
export async function retry<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      const code = isOfTheServer(error) ? (error.code ?? '') : ''
      if ((!undone.has(code) && !unprepared.has(code)) || attempt === attempts) throw error
      await sleep(attempt * retryPause)
    }
  }
}

/**
 * Sends COMMIT.
 *
 * @throws the server's error where it says that it has undone the transaction; StoreUnavailable where nobody knows.
 */
export async function commitIn({ client }: Lent): Promise<void> {
  let command: string
  try {
    command = (await client.query('COMMIT')).command
  } catch (error) {
    // Also what a server says that is being stopped: it may have committed before.
    throw isOfTheServer(error) && undone.has(error.code ?? '') ? error : new StoreUnavailable(error)
  }
  // An aborted transaction answers COMMIT with ROLLBACK, and no error.
  if (command !== 'COMMIT')
    throw new StoreUnavailable(new Error('the server rolled back instead of committing'))
}

/** After an error of the server, too. @returns whether the connection may be used again */
export async function isRolledBack({ client }: Lent, error?: unknown): Promise<boolean> {
  try {
    await client.query('ROLLBACK')
    return !(isOfTheServer(error) && unprepared.has(error.code ?? ''))
  } catch {
    return false // the first error is the one that counts
  }
}

/** A transaction whose statements depend on each other's answers. */
export function inTransaction<T>(pool: PostgresPool, work: (lent: Lent) => Promise<Outcome<T>>): Promise<T> {
  return pool.withClient(async (lent) => {
    let isOpen = true
    try {
      await lent.client.query(['begin isolation level read committed', ...lent.ownSettings].join(';'))
      const { keep, value } = await work(lent)
      isOpen = false
      if (keep) await commitIn(lent)
      else await lent.client.query('ROLLBACK')
      return value
    } catch (error) {
      lent.isUsable = isOpen && isOfTheServer(error) && (await isRolledBack(lent, error))
      throw error
    }
  })
}
