/** The environment: mode, unknown names, values from files, and the variables that commands without a full configuration read. */
import { readFileSync } from 'node:fs'
import { equalBytes } from 'miniseal-protocol/bytes'
import { findDevelopmentMasterKey, findWeakness, parseMasterKeys } from '../keys/master-keys.ts'
import {
  type DatabaseLocation,
  type DatabaseVariables,
  isInMemory,
  parseDatabase,
} from '../store/open-store.ts'
import { parseRetention, type RetentionSettings } from '../tlog/settings.ts'
import { fileVariables, findUnknownVariables, variables } from './variables.ts'

export type Environment = Readonly<Record<string, string | undefined>>

const defaults = variables.parse({})

export type Mode = 'development' | 'production'

/** An invalid configuration. The message is for the operator, one line per problem. */
export class ConfigError extends Error {
  constructor(problems: readonly string[]) {
    super(`invalid configuration:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`)
    this.name = 'ConfigError'
  }
}

/** @throws ConfigError for an unknown value: a misspelled `production` must not select development defaults. */
export function parseMode(value: string | undefined): Mode {
  if (value === 'production') return 'production'
  if (value === undefined || value === 'development' || value === 'test') return 'development'
  throw new ConfigError([
    `NODE_ENV must be production, development or test, or unset for development; it is ${JSON.stringify(value)}`,
  ])
}

/**
 * The non-empty variables, with values from files.
 *
 * @throws ConfigError for an unknown variable and an unreadable file.
 */
export function presentValues(environment: Environment): Environment {
  assertKnownVariables(environment)
  return withFiles(withoutEmpty(environment))
}

/** @throws ConfigError for an unknown `MINISEAL_…` variable. */
export function assertKnownVariables(environment: Environment): void {
  const unknown = findUnknownVariables(Object.keys(withoutEmpty(environment)))
  if (unknown.length > 0) throw new ConfigError(unknown)
}

export function withoutEmpty(environment: Environment): Environment {
  return Object.fromEntries(
    Object.entries(environment).filter(([, value]) => value !== undefined && value !== ''),
  )
}

function withFiles(environment: Environment): Environment {
  const values: Record<string, string | undefined> = { ...environment }
  for (const name of fileVariables) {
    const path = environment[`${name}_FILE`]
    if (path === undefined) continue
    if (environment[name] !== undefined)
      throw new ConfigError([`${name} and ${name}_FILE are both set: remove one of them`])
    try {
      values[name] = readFileSync(path, 'utf8').trim()
      values[`${name}_FILE`] = undefined
    } catch {
      throw new ConfigError([`${name}_FILE names a file that cannot be read`])
    }
  }
  return values
}

/** @throws Error for the operator. */
export function locateDatabase(values: DatabaseVariables, mode: Mode): DatabaseLocation {
  const database = parseDatabase(values)
  if (mode === 'production' && isInMemory(database))
    throw new Error('MINISEAL_DATABASE must not be in memory in production')
  return database
}

interface MasterKeyVariables {
  readonly MINISEAL_MASTER_KEY?: string | undefined
  readonly MINISEAL_DATA?: string | undefined
}

/**
 * The configured master keys, the current one first. In production a weak current key is refused; old ones may be weak, so
 * that `keys rotate master` can replace them.
 *
 * @returns `undefined` when none is configured
 * @throws Error for the operator, without the value.
 */
export function readMasterKeys(values: MasterKeyVariables, mode: Mode): readonly Uint8Array[] | undefined {
  const keys = parseMasterKeys(values.MINISEAL_MASTER_KEY)
  const current = keys?.[0]
  if (current === undefined || mode === 'development') return keys
  const dataFolder = values.MINISEAL_DATA ?? defaults.MINISEAL_DATA
  const weakness = isDevelopmentKey(current, dataFolder)
    ? 'was generated in development mode'
    : findWeakness(current)
  if (weakness === undefined) return keys
  throw new Error(`MINISEAL_MASTER_KEY ${weakness}: make one with: openssl rand -base64 32`)
}

function isDevelopmentKey(key: Uint8Array, dataFolder: string): boolean {
  return (findDevelopmentMasterKey(dataFolder) ?? []).some((other) => equalBytes(other, key))
}

/** The configuration of commands that use a database or a log without a service. */
export interface OperatorPaths {
  readonly database: DatabaseLocation
  readonly dataFolder: string
  /** Current first; `undefined` when none is configured. Secret. */
  readonly masterKeys: readonly Uint8Array[] | undefined
  /** Retention of the log's details. */
  readonly retention: RetentionSettings
}

/**
 * Reads the configuration of a command, without creating a folder or a key.
 *
 * @throws ConfigError
 */
export function readOperatorPaths(environment: Environment): OperatorPaths {
  const values = presentValues(environment)
  const mode = parseMode(values.NODE_ENV)
  const dataFolder = values.MINISEAL_DATA ?? defaults.MINISEAL_DATA
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
  const { MINISEAL_DATABASE = defaults.MINISEAL_DATABASE } = values
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
