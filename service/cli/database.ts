/** The database of a service, for commands that need little else. */
import { existsSync } from 'node:fs'
import { readDatabase } from '../config/environment.ts'
import { openStore } from '../store/open-store.ts'
import { CopyRefused } from '../store/sqlite/copy.ts'
import type { Store, StoreOptions } from '../store/store.ts'
import type { Terminal } from './command.ts'
import { CommandFailed } from './command.ts'

/**
 * Opens the database of `MINISEAL_DATABASE`, runs `work`, closes it.
 *
 * @throws CommandFailed when the SQLite file does not exist: the store would create an empty one.
 */
export async function withDatabase<const T>(
  { environment }: Terminal,
  work: (store: Store) => Promise<T>,
  options?: StoreOptions,
): Promise<T> {
  const location = readDatabase(environment)
  if (location.kind === 'sqlite' && !existsSync(location.path)) {
    throw new CommandFailed(
      `there is no database at ${location.path}: set MINISEAL_DATABASE as for the service, and run this where it runs`,
    )
  }
  const store = await openStore(location, options)
  try {
    return await work(store)
  } finally {
    await store.close()
  }
}

/**
 * The path of the SQLite database.
 *
 * @param alternative what to use for PostgreSQL
 * @throws CommandFailed for another database.
 */
export function sqlitePath({ environment }: Terminal, alternative: string): string {
  const location = readDatabase(environment)
  if (location.kind === 'sqlite' && location.path !== ':memory:') return location.path
  throw new CommandFailed(`this is for a SQLite file; for PostgreSQL use ${alternative}`)
}

/** Runs a backup or a restore. @throws CommandFailed when it is refused, or a file cannot be read or written. */
export async function copyingDatabase<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof CopyRefused || (error instanceof Error && 'code' in error))
      throw new CommandFailed(error.message)
    throw error
  }
}

/** @throws CommandFailed for an unknown subject. */
export async function assertUser(store: Store, user: string): Promise<void> {
  if ((await store.findUser(user)) === undefined) throw unknownUser(user)
}

export function unknownUser(user: string): CommandFailed {
  return new CommandFailed(
    `there is no user ${JSON.stringify(user)}: give the pairwise subject that backends see, u_ and 24 characters`,
  )
}

/** @param seconds UNIX seconds @returns ISO 8601, to the second */
export function formatTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z')
}
