/**
 * Waiting for the disk off the event loop.
 *
 * With `synchronous=NORMAL` SQLite writes a commit into the WAL and leaves the flush to somebody else; with FULL it waits
 * for it within COMMIT, and in Node everything waits with it. Here one `fdatasync` of the WAL follows each group of
 * commits, on a thread of its own, and only then is anybody told: the same durability as FULL, because the WAL is written
 * in order and a flush of it covers every commit before. (Where a write may tear its neighbour in the same sector, FULL
 * also pads each commit to a sector; SQLite itself assumes by default that it does not: SQLITE_IOCAP_POWERSAFE_OVERWRITE.)
 */
import { closeSync, fdatasync, openSync, realpathSync, statSync } from 'node:fs'

/** The disk, as far as a group of commits waits for it. */
export interface WalSync {
  /**
   * Makes durable what was committed before the call.
   *
   * @throws DatabaseReplaced; the system's error: nobody can say what of it is on the disk
   */
  flush(): Promise<void>
  close(): void
}

/** What is at the database's path is not the file that was opened: SQLite goes on writing where nobody will look. */
export class DatabaseReplaced extends Error {
  override readonly name = 'DatabaseReplaced'
}

/** The files of a database, by what is put behind its name. SQLite makes none of them anew while the database is open. */
const endings = ['', '-wal', '-shm'] as const

/**
 * For the WAL of a database file that is open. Each flush also looks whether the files are still those that were opened:
 * three calls of `stat`, a few microseconds.
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

/** Device and inode of each file. One that is open keeps its inode: no other file gets the same. */
function identityOf(path: string): string {
  const stats = endings.map((ending) => statSync(path + ending, { throwIfNoEntry: false }))
  return stats.map((stat) => `${stat?.dev}:${stat?.ino}`).join()
}

/** For a database in memory, which dies with the process. */
export const noSync: WalSync = { flush: async () => {}, close: () => {} }
