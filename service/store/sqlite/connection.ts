/** A durable SQLite connection to a file whose migrations are applied. */
import { chmodSync, closeSync, existsSync, mkdirSync, openSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { migrateSqlite } from '../migrations.ts'
import { StoreUnavailable } from '../store.ts'

const openAttempts = 40
const openPause = 50

/**
 * Opens the file (mode 0600) in its folder (mode 0700), releases the claims of exited processes, turns on WAL and foreign
 * keys, and migrates. `wal-sync.ts` makes commits durable.
 *
 * @param statementTimeout milliseconds that a statement waits for another process.
 * @throws StoreUnavailable when the file cannot be opened, is no database, or its file system does not support WAL.
 */
export async function openSqliteConnection(
  path: string,
  statementTimeout: number,
): Promise<Database.Database> {
  let connection: Database.Database | undefined
  try {
    if (path !== ':memory:') {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
      makePrivate(path)
      expireLostClaims(path)
    }
    connection = new Database(path, { timeout: statementTimeout })
    await enableWal(connection)
    connection.pragma('foreign_keys = OFF') // a migration may rebuild a table under the same name
    migrateSqlite(connection)
    connection.pragma('foreign_keys = ON')
    return connection
  } catch (error) {
    connection?.close()
    throw new StoreUnavailable(error)
  }
}

/**
 * Creates the file, readable by the owner only, or makes an existing one so. SQLite gives its other files the same mode.
 *
 * An existing file is never opened here: closing it would release the locks of every connection that this process has to
 * it (POSIX, `fcntl`).
 */
function makePrivate(path: string): void {
  if (!existsSync(path)) closeSync(openSync(path, 'a', 0o600))
  for (const file of [path, `${path}-wal`, `${path}-shm`]) {
    const found = statSync(file, { throwIfNoEntry: false })
    if (found?.isFile() === true && (found.mode & 0o077) !== 0) chmodSync(file, 0o600)
  }
}

/** By table. Absent tables are skipped: migrations run later. */
const expireClaims = {
  idempotency_keys:
    'update idempotency_keys set started_at = 0 where completed_at is null and started_at > 0',
  tlog_intents: 'update tlog_intents set started_at = 0 where started_at > 0',
} as const

/**
 * Sets `started_at = 0` for every open idempotency key and every intent when no other connection has the file open: then
 * their processes have exited. Otherwise, and after any error, they remain until they are older than the longest request.
 *
 * The exclusive lock is the proof: every open connection holds a shared lock, the system releases it when a process exits,
 * and no process can open the file during the update.
 *
 * @param path no database in memory
 */
export function expireLostClaims(path: string): void {
  if (!existsSync(path)) return
  const connection = new Database(path, { timeout: 0 })
  try {
    connection.pragma('locking_mode = EXCLUSIVE')
    connection.pragma('synchronous = FULL')
    const findTable = connection.prepare("select 1 from sqlite_schema where type = 'table' and name = ?")
    connection
      .transaction(() => {
        for (const [table, expire] of Object.entries(expireClaims)) {
          if (findTable.get(table) !== undefined) connection.exec(expire)
        }
      })
      .exclusive()
  } catch {
    // In use, or no database: opening it reports the error.
  } finally {
    connection.close()
  }
}

/** While another process turns on WAL, this fails with BUSY at once, without waiting for the busy timeout. */
async function enableWal(connection: Database.Database): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      const mode = connection.pragma('journal_mode = WAL', { simple: true })
      if (mode !== 'wal' && !connection.memory) throw new Error('this file system does not support WAL')
      connection.pragma('synchronous = NORMAL')
      return
    } catch (error) {
      const isBusy = error instanceof Database.SqliteError && error.code.startsWith('SQLITE_BUSY')
      if (!isBusy || attempt === openAttempts) throw error
      await sleep(openPause)
    }
  }
}
