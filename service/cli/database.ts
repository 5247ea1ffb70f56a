/** Database and master key of the service, as commands read them from its environment variables. */
import { existsSync } from 'node:fs'
import { readDatabase, readOperatorPaths } from '../config/environment.ts'
import { readServiceKey } from '../keys/keyring.ts'
import type { SecretWrapper } from '../keys/wrapping.ts'
import { createSecretWrapper } from '../keys/wrapping.ts'
import { openStore } from '../store/open-store.ts'
import { CopyRefused } from '../store/sqlite/copy.ts'
import type { Store, StoreOptions } from '../store/store.ts'
import type { Terminal } from './command.ts'
import { CommandFailed } from './command.ts'

/**
 * Opens the database of `MINISEAL_DATABASE`, runs `work`, closes it.
 *
 * @throws CommandFailed if the SQLite file does not exist; the store would create an empty one
 */
export async function withDatabase<const T>(
  { environment }: Terminal,
  work: (store: Store) => Promise<T>,
  options?: StoreOptions,
): Promise<T> {
  const location = readDatabase(environment)
  if (location.kind === 'sqlite' && !existsSync(location.path)) {
    throw new CommandFailed(
      `no database at ${location.path}: set MINISEAL_DATABASE as for the service, and run the command on its machine`,
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
 * @param alternative for PostgreSQL
 * @throws CommandFailed for another database
 */
export function sqlitePath({ environment }: Terminal, alternative: string): string {
  const location = readDatabase(environment)
  if (location.kind === 'sqlite' && location.path !== ':memory:') return location.path
  throw new CommandFailed(`MINISEAL_DATABASE is not a SQLite file; for PostgreSQL use ${alternative}`)
}

/** Runs a backup or a restore. @throws CommandFailed if it is refused, or a file cannot be read or written */
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
    `no user ${JSON.stringify(user)}: give the pairwise subject as backends receive it (u_ and 24 characters)`,
  )
}

/** UNIX seconds. */
export function currentTime(): number {
  return Math.floor(Date.now() / 1000)
}

/** @param seconds UNIX seconds @returns ISO 8601, to the second */
export function formatTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z')
}

export function masterKeyMissing(): CommandFailed {
  return new CommandFailed('MINISEAL_MASTER_KEY is required; set it as for the service')
}

/** @throws CommandFailed without a master key; ConfigError */
export function requireMasterKey({ environment }: Terminal): SecretWrapper {
  const { masterKeys } = readOperatorPaths(environment)
  if (masterKeys === undefined) throw masterKeyMissing()
  return createSecretWrapper(masterKeys)
}

/** The secret lookup key. @throws CommandFailed if the service never started with this database */
export async function readLookupKey(store: Store, wrapper: SecretWrapper): Promise<Uint8Array> {
  const record = (await store.listServiceKeys()).find(({ kind }) => kind === 'lookup')
  if (record === undefined) throw new CommandFailed('the database has no keys; start the service once')
  return readServiceKey(record, wrapper).secretKey
}
