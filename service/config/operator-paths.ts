/** Configuration of commands that use a database or a log without the full configuration of the service. */
import { findDevelopmentMasterKey } from '../keys/master-keys.ts'
import type { DatabaseLocation } from '../store/open-store.ts'
import type { RetentionSettings } from '../tlog/settings.ts'
import { parseRetention } from '../tlog/settings.ts'
import type { Environment } from './environment.ts'
import { ConfigError, locateDatabase, parseMode, presentValues, readMasterKeys } from './environment.ts'
import { variables } from './variables.ts'

export interface OperatorPaths {
  readonly database: DatabaseLocation
  readonly dataFolder: string
  /** Current first; `undefined` when none is configured. Secret. */
  readonly masterKeys: readonly Uint8Array[] | undefined
  /** Retention of the log's details. */
  readonly retention: RetentionSettings
}

/**
 * Reads them without creating a folder or a key.
 *
 * @throws ConfigError
 */
export function readOperatorPaths(environment: Environment): OperatorPaths {
  const values = presentValues(environment)
  const mode = parseMode(values.NODE_ENV)
  const dataFolder = values.MINISEAL_DATA ?? variables.shape.MINISEAL_DATA.parse(undefined)
  return asConfigError(() => {
    const configured = readMasterKeys(values, mode)
    const masterKeys =
      configured ?? (mode === 'production' ? undefined : findDevelopmentMasterKey(dataFolder))
    const retention = parseRetention(values.MINISEAL_RETENTION)
    return { database: readDatabase(values), dataFolder, masterKeys, retention }
  })
}

/** The location of the database. @throws ConfigError */
export function readDatabase(environment: Environment): DatabaseLocation {
  const values = presentValues(environment)
  const mode = parseMode(values.NODE_ENV)
  const { MINISEAL_DATABASE = variables.shape.MINISEAL_DATABASE.parse(undefined) } = values
  return asConfigError(() => locateDatabase({ ...values, MINISEAL_DATABASE }, mode))
}

function asConfigError<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof ConfigError) throw error
    throw new ConfigError([error instanceof Error ? error.message : String(error)])
  }
}
