/** The log with the configuration and keys of the service, for commands that assess it or change its state. */
import { authorityOf } from 'miniseal-protocol/frames/channel-configuration'
import { logPathsOf } from '../audit-log.ts'
import type { Config } from '../config/config.ts'
import { readConfig } from '../config/config.ts'
import { openKeyring } from '../keys/keyring.ts'
import { createSecretWrapper } from '../keys/wrapping.ts'
import type { LogPaths } from '../tlog/log-health.ts'
import type { ExitCode, Terminal } from './command.ts'
import { withDatabase } from './database.ts'
import { publicOrigin } from './development-file.ts'

interface LogContext {
  readonly config: Config
  readonly paths: LogPaths
  /** Host and port of the public origin. */
  readonly authority: string
  /** UNIX seconds. */
  readonly now: number
}

/** For the usage of these commands. */
export const environmentNote =
  'Needs the variables of the service: MINISEAL_DATABASE, MINISEAL_DATA, MINISEAL_ORIGIN, MINISEAL_MASTER_KEY, …'

/** Opens database and keys like the service, runs `work`, closes the database. @throws ConfigError, CommandFailed */
export async function withLogContext(
  terminal: Terminal,
  work: (context: LogContext) => Promise<ExitCode>,
): Promise<ExitCode> {
  const config = readConfig(terminal.environment)
  const now = Math.floor(Date.now() / 1000)
  const authority = authorityOf(publicOrigin(config))
  return await withDatabase(terminal, async (store) => {
    const keyring = await openKeyring(store, createSecretWrapper(config.masterKeys), now)
    return await work({
      config,
      paths: logPathsOf(config, { store, keyring }, authority, now),
      authority,
      now,
    })
  })
}
