/** The log of a service, for the commands that look at it or decide what becomes of it. */
import { existsSync } from 'node:fs'
import { authorityOf } from 'miniseal-protocol/frames/channel-configuration'
import { logPathsOf } from '../audit-log.ts'
import type { Config } from '../config/config.ts'
import { readConfig } from '../config/config.ts'
import { openKeyring } from '../keys/keyring.ts'
import { createSecretWrapper } from '../keys/wrapping.ts'
import { openStore } from '../store/open-store.ts'
import type { LogPaths } from '../tlog/log-health.ts'
import type { ExitCode, Terminal } from './command.ts'
import { CommandFailed } from './command.ts'
import { findDevelopmentFile } from './development-file.ts'

export interface LogSituation {
  readonly config: Config
  readonly paths: LogPaths
  /** Host and port of the public origin. */
  readonly authority: string
  /** UNIX seconds. */
  readonly now: number
}

/** What these commands need, for their usage. */
export const needs =
  'Needs the variables of the service: MINISEAL_DATABASE, MINISEAL_DATA, MINISEAL_ORIGIN, MINISEAL_MASTER_KEY, …'

/**
 * Opens database, keys and anchor as the service has them, runs `work`, closes the database.
 *
 * @throws CommandFailed where there is no SQLite file: an empty one would be made, and all would look well.
 */
export async function withLog(
  { environment }: Terminal,
  work: (situation: LogSituation) => Promise<ExitCode>,
): Promise<ExitCode> {
  const config = readConfig(environment)
  const { database, dataFolder, host, port } = config
  if (database.kind === 'sqlite' && !existsSync(database.path)) {
    throw new CommandFailed(
      `there is no database at ${database.path}: set MINISEAL_DATABASE as for the service, and run this where it runs`,
    )
  }
  const now = Math.floor(Date.now() / 1000)
  const origin = config.origin ?? findDevelopmentFile(dataFolder)?.origin ?? `http://${host}:${port}`
  const authority = authorityOf(origin)
  const store = await openStore(database)
  try {
    const keyring = await openKeyring(store, createSecretWrapper(config.masterKeys), now)
    const paths = logPathsOf(config, { store, keyring }, authority, now)
    return await work({ config, paths, authority, now })
  } finally {
    await store.close()
  }
}
