/** The environment, before its values are read: what is set, what is not known, and the mode. */
import { readFileSync } from 'node:fs'
import { equalBytes } from 'miniseal-protocol/bytes'
import { findWeakness } from '../keys/master-keys.ts'
import { findDevelopmentMasterKey, parseMasterKeys } from '../keys/master-keys.ts'
import type { DatabaseLocation, DatabaseVariables } from '../store/open-store.ts'
import { parseDatabase } from '../store/open-store.ts'
import { findUnknownVariables, variables, variablesInFiles } from './variables.ts'

export type Environment = Readonly<Record<string, string | undefined>>

export type Mode = 'development' | 'production'

/** A configuration that the service does not start with; the message is for the operator, a line per problem. */
export class ConfigError extends Error {
  constructor(problems: readonly string[]) {
    super(`the configuration is not complete:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`)
    this.name = 'ConfigError'
  }
}

/** @throws ConfigError for another value: a misspelt `production` must not start with development's defaults. */
export function modeOf(value: string | undefined): Mode {
  if (value === 'production') return 'production'
  if (value === undefined || value === 'development' || value === 'test') return 'development'
  throw new ConfigError([
    `NODE_ENV must be production, development or test, or not set, which is development; it is ${JSON.stringify(value)}`,
  ])
}

/**
 * What is set, with the contents of files in the place of their names.
 *
 * @throws ConfigError for a file that cannot be read, and for what {@link assertKnownVariables} refuses.
 */
export function presentValues(environment: Environment): Environment {
  assertKnownVariables(environment)
  return withFiles(withoutEmpty(environment))
}

/** @throws ConfigError for a variable of ours that nobody reads. */
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
  for (const name of variablesInFiles) {
    const path = environment[`${name}_FILE`]
    if (path === undefined) continue
    if (environment[name] !== undefined)
      throw new ConfigError([`${name} and ${name}_FILE are both set: keep one`])
    try {
      values[name] = readFileSync(path, 'utf8').trim()
      values[`${name}_FILE`] = undefined
    } catch {
      throw new ConfigError([`${name}_FILE names a file that cannot be read`])
    }
  }
  return values
}

/**
 * Where the database is, for commands that need nothing else: no key, no origin.
 *
 * @throws ConfigError when the variables cannot be read.
 */
export function readDatabase(environment: Environment): DatabaseLocation {
  const values = presentValues(environment)
  const mode = modeOf(values.NODE_ENV)
  const { MINISEAL_DATABASE = variables.shape.MINISEAL_DATABASE.parse(undefined) } = values
  try {
    return locateDatabase({ ...values, MINISEAL_DATABASE }, mode)
  } catch (error) {
    throw new ConfigError([error instanceof Error ? error.message : String(error)])
  }
}

/** @throws Error with a message for the operator. */
export function locateDatabase(values: DatabaseVariables, mode: Mode): DatabaseLocation {
  const database = parseDatabase(values)
  if (mode === 'production' && database.kind === 'sqlite' && database.path === ':memory:') {
    throw new Error(
      'MINISEAL_DATABASE must not be in memory in production: all of it would end with the process',
    )
  }
  return database
}

/**
 * The master keys that are given. In production the current one must look random; old ones may be as they are, so that
 * `keys rotate master` can replace them.
 *
 * @throws Error for the operator; it does not quote the value.
 */
export function readMasterKeys(values: MasterKeyVariables, mode: Mode): readonly Uint8Array[] | undefined {
  const keys = parseMasterKeys(values.MINISEAL_MASTER_KEY)
  const current = keys?.[0]
  if (current === undefined || mode === 'development') return keys
  const weakness = isOfDevelopment(
    current,
    values.MINISEAL_DATA ?? variables.shape.MINISEAL_DATA.parse(undefined),
  )
    ? 'is the one that development has made for itself'
    : findWeakness(current)
  if (weakness === undefined) return keys
  throw new Error(`MINISEAL_MASTER_KEY ${weakness}: make one with: openssl rand -base64 32`)
}

function isOfDevelopment(key: Uint8Array, dataFolder: string): boolean {
  return (findDevelopmentMasterKey(dataFolder) ?? []).some((other) => equalBytes(other, key))
}

interface MasterKeyVariables {
  readonly MINISEAL_MASTER_KEY?: string | undefined
  readonly MINISEAL_DATA?: string | undefined
}
