/** Tells, when a database file is opened, which requests were lost with the processes that worked on them. */
import { existsSync } from 'node:fs'
import Database from 'better-sqlite3'

const findTable = "select 1 from sqlite_schema where type = 'table' and name = ?"

const markLost = {
  idempotency: 'update idempotency set started_at = 0 where settled_at is null and started_at > 0',
  tlog_intents: 'update tlog_intents set started_at = 0 where started_at > 0',
} as const

/**
 * Sets `started_at = 0` for every claim that is not settled and every intent, if no other connection in any process has
 * the file open: then nobody is left who works on one. Otherwise, and when anything fails, nothing happens: they stay as
 * they are until they are older than the longest work.
 *
 * The exclusive lock is the proof. Whoever opens the file has a shared lock on it for as long as they have it open,
 * the system takes it from them when they die, and nobody can open it while we write.
 *
 * @param path no database in memory
 */
export function markLostClaims(path: string): void {
  if (!existsSync(path)) return
  const connection = new Database(path, { timeout: 0 })
  try {
    connection.pragma('locking_mode = EXCLUSIVE')
    connection.pragma('synchronous = FULL')
    connection
      .transaction(() => {
        for (const [table, mark] of Object.entries(markLost)) {
          if (connection.prepare(findTable).get(table) !== undefined) connection.exec(mark)
        }
      })
      .exclusive()
  } catch {
    // In use, or no database at all: whoever opens it next says so.
  } finally {
    connection.close()
  }
}
