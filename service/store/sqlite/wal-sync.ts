/**
 * Flushing the WAL off the event loop.
 *
 * With `synchronous=NORMAL` SQLite writes a commit into the WAL without flushing it; with FULL it flushes within COMMIT, and
 * blocks the thread. Here one `fdatasync` of the WAL follows each group of commits, on a thread of libuv's pool, before any
 * of them is acknowledged: the same durability as FULL, because the WAL is written in order and a flush covers every commit
 * before it. (Where a write may tear its neighbor in the same sector, FULL also pads each commit to a sector; SQLite itself
 * assumes by default that this does not happen: SQLITE_IOCAP_POWERSAFE_OVERWRITE.)
 */
import { closeSync, fdatasync, openSync, realpathSync, statSync } from 'node:fs'

export interface WalSync {
  /**
   * Makes durable what was committed before the call.
   *
   * @throws DatabaseReplaced; the system's error, when it is unknown how much is on disk
   */
  flush(): Promise<void>
  close(): void
}

/** The file at the database's path is not the opened one: commits would be lost. */
export class DatabaseReplaced extends Error {
  override readonly name = 'DatabaseReplaced'
}

/** Suffixes of the files of a database. SQLite replaces none of them while the database is open. */
const suffixes = ['', '-wal', '-shm'] as const

/**
 * Opens the WAL of an open database file. Each flush also checks that the files were not replaced: three calls of `stat`, a
 * few microseconds.
 *
 * @throws the system's error
 */
export function openWalSync(path: string): WalSync {
  const wal = openSync(`${realpathSync(path)}-wal`, 'r+')
  const opened = identityOf(path)
  return {
    flush: () =>
      new Promise((resolve, reject) => {
        fdatasync(wal, (error) => {
          if (error !== null) reject(error)
          else if (identityOf(path) !== opened)
            reject(new DatabaseReplaced(`${path} was removed or replaced`))
          else resolve()
        })
      }),
    close: () => closeSync(wal),
  }
}

/** Device and inode of each file. An open file keeps its inode: no other file gets the same. */
function identityOf(path: string): string {
  const stats = suffixes.map((suffix) => statSync(path + suffix, { throwIfNoEntry: false }))
  return stats.map((stat) => `${stat?.dev}:${stat?.ino}`).join()
}

/** For a database in memory. */
export const noSync: WalSync = { flush: async () => {}, close: () => {} }
