/** Backup of a SQLite database from a running service, and restore. */
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
} from 'node:fs'
import { dirname } from 'node:path'
import Database from 'better-sqlite3'

/** The message is for the operator. */
export class CopyRefused extends Error {}

/** Pages of one step: a few milliseconds. */
const pagesPerStep = 1_000

/** Suffixes of the files of a database. */
const suffixes = ['', '-wal', '-shm'] as const

/** State of the time of the backup that must not be restored (docs/guides/operations.md). */
const eraseTransientState = [
  'delete from sessions',
  'delete from login_codes',
  'delete from step_up_challenges',
  "delete from service_keys where kind = 'agreement'",
  // Claims to create missing keys: the next start creates them.
  "delete from nonces where scope like 'service-keys/%'",
] as const

/**
 * Copies the database while it is in use. The copy is a snapshot: later commits are not in it.
 *
 * @returns its number of pages
 * @throws CopyRefused when the file exists, or the copy fails its integrity check.
 */
export async function backUpDatabase(
  from: string,
  to: string,
  onProgress: (done: number, total: number) => void,
): Promise<number> {
  const draft = `${to}.part`
  createPrivate(to)
  const source = new Database(from, { fileMustExist: true })
  let pages = 0
  try {
    createPrivate(draft)
    // A snapshot: otherwise every other commit would restart the backup.
    source.exec('BEGIN')
    source.prepare('select count(*) from sqlite_schema').get()
    await source.backup(draft, {
      progress({ totalPages, remainingPages }) {
        pages = totalPages
        onProgress(totalPages - remainingPages, totalPages)
        return pagesPerStep
      },
    })
    useDatabase(draft, assertIntact)
    syncFile(draft)
    renameSync(draft, to)
    syncFile(dirname(to))
    return pages
  } catch (error) {
    for (const file of [to, draft]) rmSync(file, { force: true })
    throw error
  } finally {
    source.close()
  }
}

/**
 * Replaces a database by a backup. The old one is renamed.
 *
 * @param now UNIX seconds
 * @returns the new name of the old database, if there was one
 * @throws CopyRefused when a process has the database open, or the backup is not a database of this service.
 */
export function restoreDatabase(from: string, to: string, now: number): string | undefined {
  const draft = `${to}.restored`
  rmSync(draft, { force: true })
  createPrivate(draft)
  try {
    copyFileSync(from, draft)
    useDatabase(draft, (database) => {
      assertIntact(database)
      assertOnlyTables(database)
      database.transaction(() => {
        for (const statement of eraseTransientState) database.exec(statement)
      })()
      // Removes deleted rows from the file.
      database.exec('vacuum')
    })
    syncFile(draft)
    assertUnused(to)
    const replaced = existsSync(to) ? freeName(`${to}.replaced-${now}`) : undefined
    for (const suffix of suffixes) {
      if (!existsSync(to + suffix)) continue
      if (replaced === undefined) rmSync(to + suffix)
      else renameSync(to + suffix, replaced + suffix)
    }
    renameSync(draft, to)
    syncFile(dirname(to))
    return replaced
  } finally {
    for (const suffix of [...suffixes, '-journal']) rmSync(draft + suffix, { force: true })
  }
}

/** An empty file of mode 0600. */
function createPrivate(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600))
    chmodSync(path, 0o600)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST')
      throw new CopyRefused(`${path} exists: choose another file, or remove it`)
    throw error
  }
}

/** As one file, without a WAL. */
function useDatabase(path: string, use: (database: Database.Database) => void): void {
  const database = new Database(path, { fileMustExist: true })
  try {
    database.pragma('journal_mode = DELETE')
    use(database)
  } catch (error) {
    throw error instanceof Database.SqliteError
      ? new CopyRefused(`${path} is not an intact database: ${error.code}`)
      : error
  } finally {
    database.close()
  }
}

function assertIntact(database: Database.Database): void {
  const result = database.pragma('integrity_check', { simple: true })
  if (result !== 'ok') throw new CopyRefused(`the copy failed its integrity check: ${String(result)}`)
  const isOurs = database.prepare("select 1 from sqlite_schema where name = 'tlog_checkpoints'").get()
  if (isOurs === undefined) throw new CopyRefused('the file is not a database of this service')
}

/** A planted trigger or view could preserve deleted rows, and would remain active in the service. */
function assertOnlyTables(database: Database.Database): void {
  const [foreign] = database
    .prepare<[], { type: string; name: string }>(
      "select type, name from sqlite_schema where type in ('trigger', 'view')",
    )
    .all()
  if (foreign === undefined) return
  throw new CopyRefused(`the copy has a ${foreign.type}, which this service never creates: ${foreign.name}`)
}

/** Two restores within one second must not overwrite each other's old database. */
function freeName(path: string): string {
  for (let number = 1; ; number++) {
    const name = number === 1 ? path : `${path}-${number}`
    if (!suffixes.some((suffix) => existsSync(name + suffix))) return name
  }
}

/** Every open connection holds a lock, so an exclusive lock proves that there is none. A damaged file passes. */
function assertUnused(path: string): void {
  if (!existsSync(path)) return
  const database = new Database(path, { timeout: 0 })
  try {
    database.pragma('locking_mode = EXCLUSIVE')
    database.exec('BEGIN EXCLUSIVE; COMMIT')
  } catch (error) {
    if (error instanceof Database.SqliteError && error.code.startsWith('SQLITE_BUSY'))
      throw new CopyRefused(`a process has ${path} open: stop the service on every port, and run this again`)
  } finally {
    database.close()
  }
}

function syncFile(path: string): void {
  const file = openSync(path, 'r')
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}
