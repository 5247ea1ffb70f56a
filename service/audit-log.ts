/** From a configuration to the log of a service: what it runs, and what a command looks at. */
import type { Config } from './config.ts'
import type { Keyring } from './keys/keyring.ts'
import { openAnchor, openMemoryAnchor } from './log/anchor.ts'
import { defaultOrigin } from './log/origin.ts'
import type { LogPlaces } from './log/standing.ts'
import type { Store } from './store/store.ts'

/**
 * Where a service's log is.
 *
 * @param authority host and port of the public origin: the name of a log that is started now
 * @param now UNIX seconds
 */
export function logPlacesOf(
  { database, dataFolder, log }: Config,
  parts: { readonly store: Store; readonly keyring: Keyring },
  authority: string,
  now: number,
): LogPlaces {
  // A database in memory ends with the process, so what was signed of it is not kept for longer.
  const isInMemory = database.kind === 'sqlite' && database.path === ':memory:'
  return {
    ...parts,
    anchor: isInMemory ? openMemoryAnchor() : openAnchor(dataFolder),
    origin: log.origin ?? defaultOrigin(authority, now),
    isOriginGiven: log.origin !== undefined,
  }
}
