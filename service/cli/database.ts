/** The database of a service, for commands that need nothing else of it. */
import { existsSync } from 'node:fs'
import { readDatabase } from '../config/operator-paths.ts'
import { openStore } from '../store/open-store.ts'
import type { Store } from '../store/store.ts'
import type { ExitCode, Terminal } from './command.ts'
import { CommandFailed } from './command.ts'

/**
 * Opens what `MINISEAL_DATABASE` names, runs `work`, closes it.
 *
 * @throws CommandFailed where there is no SQLite file: the store would make an empty one, and all would look well.
 */
export async function withDatabase(
  { environment }: Terminal,
  work: (store: Store) => Promise<ExitCode>,
): Promise<ExitCode> {
  const location = readDatabase(environment)
  if (location.kind === 'sqlite' && !existsSync(location.path)) {
    throw new CommandFailed(
      `there is no database at ${location.path}: set MINISEAL_DATABASE as for the service, and run this where it runs`,
    )
  }
  const store = await openStore(location)
  try {
    return await work(store)
  } finally {
    await store.close()
  }
}

/** @throws CommandFailed when nobody has this pseudonym. */
export async function assertUser(store: Store, user: string): Promise<void> {
  if ((await store.findUser(user)) !== undefined) return
  throw new CommandFailed(
    `there is no user ${JSON.stringify(user)}: a user is named by the pseudonym that backends see, u_ and 24 characters`,
  )
}

/** UNIX seconds, as an operator reads them. */
export function day(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z')
}
