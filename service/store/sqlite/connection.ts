/** A SQLite connection that keeps what it acknowledges, to a file that is at this version. */
import { chmodSync, closeSync, existsSync, mkdirSync, openSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { APPLIED_QUERY, APPLIED_TABLE, pendingMigrations, readMigrations } from '../migrations.ts'
import { StoreUnavailable } from '../store.ts'
import { markLostClaims } from './lost-claims.ts'

const IN_MEMORY = ':memory:'
const OPEN_ATTEMPTS = 40
const OPEN_PAUSE = 50

/**
 * Opens the file (mode 0600), makes its folder (mode 0700), marks the claims that were lost with their processes, turns WAL and foreign keys on, migrates. Whoever
 * commits on it waits for the disk as `wal-sync.ts` has it.
 *
 * @param busyTimeout milliseconds that a statement waits for another process.
 * @throws StoreUnavailable when the file cannot be opened, is no database, or lies where WAL does not work.
 */
export async function openSqliteConnection(path: string, busyTimeout: number): Promise<Database.Database> {
  let connection: Database.Database | undefined
  try {
    if (path !== IN_MEMORY) {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
      keepPrivate(path)
      markLostClaims(path)
    }
    connection = new Database(path, { timeout: busyTimeout })
    await makeDurable(connection)
    connection.pragma('foreign_keys = OFF') // a migration may have to build a table anew, under the same name
    migrate(connection)
    connection.pragma('foreign_keys = ON')
    return connection
  } catch (error) {
    connection?.close()
    throw new StoreUnavailable(error)
  }
}

/**
 * Readable by the owner alone, also where it was made in another way. SQLite gives its other files the same mode.
 *
 * A folder in the place of the file is left as it is: it is refused when it is opened.
 *
 * A file that is there is never opened here: to close it again would take the locks of every connection that this process
 * has to it (POSIX, `fcntl`).
 */
function keepPrivate(path: string): void {
  if (!existsSync(path)) closeSync(openSync(path, 'a', 0o600))
  for (const file of [path, `${path}-wal`, `${path}-shm`]) {
    const found = statSync(file, { throwIfNoEntry: false })
    if (found?.isFile() === true && (found.mode & 0o077) !== 0) chmodSync(file, 0o600)
  }
}

/** Turning WAL on answers BUSY at once, whatever the busy timeout, while another process does the same. */
async function makeDurable(connection: Database.Database): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      const mode = connection.pragma('journal_mode = WAL', { simple: true })
      if (mode !== 'wal' && !connection.memory) throw new Error('WAL does not work in this file system')
      connection.pragma('synchronous = NORMAL')
      return
    } catch (error) {
      const isBusy = error instanceof Database.SqliteError && error.code.startsWith('SQLITE_BUSY')
      if (!isBusy || attempt === OPEN_ATTEMPTS) throw error
      await sleep(OPEN_PAUSE)
    }
  }
}

/** BEGIN IMMEDIATE is the lock: a second process waits here, then finds everything applied. */
function migrate(connection: Database.Database): void {
  const migrations = readMigrations('sqlite')
  connection
    .transaction(() => {
      connection.exec(APPLIED_TABLE)
      const applied = connection.prepare<[], { madeAt: number }>(APPLIED_QUERY).all()
      const record = connection.prepare('insert into applied_migrations (made_at, hash) values (?, ?)')
      for (const { madeAt, hash, statements } of pendingMigrations(migrations, applied)) {
        for (const statement of statements) connection.exec(statement)
        record.run(madeAt, hash)
      }
    })
    .immediate()
}
