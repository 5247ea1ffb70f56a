/**
 * Waiting for the disk off the event loop.
 *
 * With `synchronous=NORMAL` SQLite writes a commit into the WAL and leaves the flush to somebody else; with FULL it waits
 * for it within COMMIT, and in Node everything waits with it. Here one `fdatasync` of the WAL follows each group of
 * commits, on a thread of its own, and only then is anybody told: the same durability as FULL, because the WAL is written
 * in order and a flush of it covers every commit before. (Where a write may tear its neighbour in the same sector, FULL
 * also pads each commit to a sector; SQLite itself assumes by default that it does not: SQLITE_IOCAP_POWERSAFE_OVERWRITE.)
 */
import { closeSync, fdatasync, openSync, realpathSync } from 'node:fs'

/** The disk, as far as a group of commits waits for it. */
export interface WalSync {
  /** Makes durable what was committed before the call. @throws the system's error: nobody can say what of it is on the disk */
  flush(): Promise<void>
  close(): void
}

/** For the WAL of a database file that is open. @throws the system's error */
export function openWalSync(path: string): WalSync {
  const wal = openSync(`${realpathSync(path)}-wal`, 'r+')
  return {
    flush: () =>
      new Promise((resolve, reject) => {
        fdatasync(wal, (error) => (error === null ? resolve() : reject(error)))
      }),
    close: () => closeSync(wal),
  }
}

/** For a database in memory, which dies with the process. */
export const noSync: WalSync = { flush: async () => {}, close: () => {} }
