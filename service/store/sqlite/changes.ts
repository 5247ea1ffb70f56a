/** Notifications on SQLite. For commits of other processes the version number of the file is polled. */
import type Database from 'better-sqlite3'
import { Listeners, type Watching } from '../changes.ts'

/** Milliseconds. A poll takes some microseconds, and runs only while there are listeners. */
const pollPeriod = 150

export interface SqliteChanges extends Watching {
  /** For the commits of this connection. */
  readonly notify: Listeners['notify']
  close(): void
}

/** `data_version` changes with every commit of another connection. */
export function watchSqlite(connection: Database.Database): SqliteChanges {
  const listeners = new Listeners()
  const version = connection.prepare<[], number>('pragma data_version').pluck()
  let seen: number | undefined
  let timer: NodeJS.Timeout | undefined
  const poll = (): void => {
    const now = findVersion(version)
    if (now !== seen) listeners.notify([{ kind: 'any' }])
    seen = now
  }
  const stop = (): void => {
    clearInterval(timer)
    timer = undefined
  }
  return {
    notify: (changes) => listeners.notify(changes),
    watch: (listener) => {
      const end = listeners.add(listener)
      if (timer === undefined) {
        seen = findVersion(version)
        timer = setInterval(poll, pollPeriod)
        timer.unref()
      }
      return () => {
        end()
        if (listeners.size === 0) stop()
      }
    },
    close: stop,
  }
}

/** `undefined` when the file cannot be read: the next statement reports the error. */
function findVersion(version: Database.Statement<[], number>): number | undefined {
  try {
    return version.get()
  } catch {
    return undefined
  }
}
