/** The master key, for commands that require it, and the lookup key that it protects. */
import { readOperatorPaths } from '../config/environment.ts'
import { readServiceKey } from '../keys/keyring.ts'
import type { SecretWrapper } from '../keys/wrapping.ts'
import { createSecretWrapper } from '../keys/wrapping.ts'
import type { Store } from '../store/store.ts'
import type { Terminal } from './command.ts'
import { CommandFailed } from './command.ts'

export function masterKeyMissing(): CommandFailed {
  return new CommandFailed('MINISEAL_MASTER_KEY is required: set it as for the service')
}

/** @throws CommandFailed without a master key; ConfigError */
export function requireMasterKey({ environment }: Terminal): SecretWrapper {
  const { masterKeys } = readOperatorPaths(environment)
  if (masterKeys === undefined) throw masterKeyMissing()
  return createSecretWrapper(masterKeys)
}

/** The secret lookup key. @throws CommandFailed when no service has started with this database */
export async function readLookupKey(store: Store, wrapper: SecretWrapper): Promise<Uint8Array> {
  const record = (await store.listServiceKeys()).find(({ kind }) => kind === 'lookup')
  if (record === undefined) throw new CommandFailed('the database has no keys yet: start the service once')
  return readServiceKey(record, wrapper).secretKey
}
