/** What a command needs that looks at a service's log, and runs without all that the service itself needs. */

import { findDevelopmentMasterKey } from '../keys/master-keys.ts'
import type { DatabaseLocation } from '../store/open-store.ts'
import type { RetentionSettings } from '../tlog/settings.ts'
import { parseRetention } from '../tlog/settings.ts'
import type { Environment } from './environment.ts'
import { ConfigError, modeOf, presentValues, readDatabase, readMasterKeys } from './environment.ts'

export interface OperatorPaths {
  readonly database: DatabaseLocation
  readonly dataFolder: string
  /** Current first; `undefined`: none is given. Secret. */
  readonly masterKeys: readonly Uint8Array[] | undefined
  /** How long the log's details are kept. */
  readonly retention: RetentionSettings
}

/**
 * Reads them. Makes nothing: no folder, no key.
 *
 * @throws ConfigError when one of them cannot be read.
 */
export function readOperatorPaths(environment: Environment): OperatorPaths {
  const values = presentValues(environment)
  const mode = modeOf(values.NODE_ENV)
  const dataFolder = values.MINISEAL_DATA ?? 'data'
  try {
    const given = readMasterKeys(values, mode)
    const masterKeys = given ?? (mode === 'production' ? undefined : findDevelopmentMasterKey(dataFolder))
    const retention = parseRetention(values.MINISEAL_RETENTION)
    return { database: readDatabase(values), dataFolder, masterKeys, retention }
  } catch (error) {
    throw error instanceof ConfigError
      ? error
      : new ConfigError([error instanceof Error ? error.message : String(error)])
  }
}
