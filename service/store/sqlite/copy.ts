/** A SQLite database as one file: copied out of a running service, and put in the place of one that is gone. */
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

/** Why it cannot be done; the message is for the operator. */
export class CopyRefused extends Error {}

/** Pages of one step: a few milliseconds. */
const pagesPerStep = 1_000

/** What is about the moment of the backup, and not about people: it must not come back (docs/guides/operations.md). */
const forgotten = [
  'delete from sessions',
  'delete from login_codes',
  'delete from step_ups',
  "delete from service_keys where kind = 'agreement'",
  // Who claims to make the keys that are missing: the next start does it anew.
  "delete from nonces where scope like 'service-keys/%'",
] as const

/**
 * Copies the database that is in use. What is committed meanwhile is not in the copy, and does not disturb it.
 *
 * @throws CopyRefused when the file is there, or the copy is not sound.
 */
export async function backUpDatabase(
  from: string,
  to: string,
  onProgress: (done: number, total: number) => void,
): Promise<number> {
  const draft = `${to}.part`
  makePrivate(to)
  const source = new Database(from, { fileMustExist: true })
  let pages = 0
  try {
    makePrivate(draft)
    // One moment of it: a copy that sees the commits of others would begin again with each.
    source.exec('BEGIN')
    source.prepare('select count(*) from sqlite_schema').get()
    await source.backup(draft, {
      progress({ totalPages, remainingPages }) {
        pages = totalPages
        onProgress(totalPages - remainingPages, totalPages)
        return pagesPerStep
      },
    })
    useDatabase(draft, assertSound)
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
 * Puts a copy in the place of a database. The old one is kept beside it.
 *
 * @param now UNIX seconds
 * @returns the name that the old one has now, where there was one
 * @throws CopyRefused when a process has the database open, or the copy is no database of a service.
 */
export function restoreDatabase(from: string, to: string, now: number): string | undefined {
  const draft = `${to}.restored`
  rmSync(draft, { force: true })
  makePrivate(draft)
  try {
    copyFileSync(from, draft)
    useDatabase(draft, (database) => {
      assertSound(database)
      assertPlain(database)
      database.transaction(() => {
        for (const statement of forgotten) database.exec(statement)
      })()
      // What was deleted must not be found in the file.
      database.exec('vacuum')
    })
    syncFile(draft)
    assertUnused(to)
    const kept = existsSync(to) ? freeName(`${to}.replaced-${now}`) : undefined
    for (const ending of ['', '-wal', '-shm']) {
      if (!existsSync(to + ending)) continue
      if (kept === undefined) rmSync(to + ending)
      else renameSync(to + ending, kept + ending)
    }
    renameSync(draft, to)
    syncFile(dirname(to))
    return kept
  } finally {
    for (const ending of ['', '-wal', '-shm', '-journal']) rmSync(draft + ending, { force: true })
  }
}

/** An empty file of mode 0600. */
function makePrivate(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600))
    chmodSync(path, 0o600)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST')
      throw new CopyRefused(`${path} is there: name another file, or take it away`)
    throw error
  }
}

/** One file, without a WAL beside it. */
function useDatabase(path: string, use: (database: Database.Database) => void): void {
  const database = new Database(path, { fileMustExist: true })
  try {
    database.pragma('journal_mode = DELETE')
    use(database)
  } catch (error) {
    throw error instanceof Database.SqliteError
      ? new CopyRefused(`${path} is no sound database: ${error.code}`)
      : error
  } finally {
    database.close()
  }
}

function assertSound(database: Database.Database): void {
  const found = database.pragma('integrity_check', { simple: true })
  if (found !== 'ok') throw new CopyRefused(`the copy is not sound: ${String(found)}`)
  const isOurs = database.prepare("select 1 from sqlite_schema where name = 'tlog_checkpoints'").get()
  if (isOurs === undefined) throw new CopyRefused('that is no database of a service')
}

/** A trigger in the copy could keep what is to be deleted, and would go on working for whoever has put it there. */
function assertPlain(database: Database.Database): void {
  const [foreign] = database
    .prepare<[], { type: string; name: string }>(
      "select type, name from sqlite_schema where type in ('trigger', 'view')",
    )
    .all()
  if (foreign === undefined) return
  throw new CopyRefused(`the copy has a ${foreign.type}, which no service makes: ${foreign.name}`)
}

/** Of two restores within one second neither takes the place of what the other has kept. */
function freeName(path: string): string {
  for (let number = 1; ; number++) {
    const name = number === 1 ? path : `${path}-${number}`
    if (!['', '-wal', '-shm'].some((ending) => existsSync(name + ending))) return name
  }
}

/** Whoever has the file open has a lock on it: with an exclusive one nobody is left. A file that is damaged has no users. */
function assertUnused(path: string): void {
  if (!existsSync(path)) return
  const database = new Database(path, { timeout: 0 })
  try {
    database.pragma('locking_mode = EXCLUSIVE')
    database.exec('BEGIN EXCLUSIVE; COMMIT')
  } catch (error) {
    if (error instanceof Database.SqliteError && error.code.startsWith('SQLITE_BUSY'))
      throw new CopyRefused(`a process has ${path} open: stop the service, on every port, and run this again`)
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
