/** What other processes have changed in the same file: SQLite tells by a number, so it is asked again and again. */
import type Database from 'better-sqlite3'
import { Listeners, type Watching } from '../events.ts'

/** Between two looks, in milliseconds. One takes some microseconds, and nobody looks where nobody listens. */
const PERIOD = 150

export interface SqliteChanges extends Watching {
  /** For the commits of this connection. */
  readonly notify: Listeners['notify']
  close(): void
}

/** `data_version` changes with each commit of another connection, whatever it wrote. */
export function watchSqlite(connection: Database.Database): SqliteChanges {
  const listeners = new Listeners()
  const version = connection.prepare<[], number>('pragma data_version').pluck()
  let seen: number | undefined
  let timer: NodeJS.Timeout | undefined
  const look = (): void => {
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
        timer = setInterval(look, PERIOD)
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

/** `undefined` where the file does not answer: that is no change, and what is asked of it next says what is wrong. */
function findVersion(version: Database.Statement<[], number>): number | undefined {
  try {
    return version.get()
  } catch {
    return undefined
  }
}
