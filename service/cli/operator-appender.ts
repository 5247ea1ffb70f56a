/** Logs what an operator changes in the database with a command. */
import { readOperatorPaths } from '../config/environment.ts'
import { openKeyring } from '../keys/keyring.ts'
import { createSecretWrapper } from '../keys/wrapping.ts'
import type { Store, Write } from '../store/store.ts'
import { type Appender, createAppender } from '../tlog/appender.ts'
import { type BlindIndexOf, createBlindIndex } from '../tlog/blind-index.ts'
import { sessionEndEntries } from '../tlog/lifecycle-entries.ts'
import { createRowMacs } from '../tlog/row-macs.ts'
import { createSubjectKeys } from '../tlog/subject-keys.ts'
import type { Terminal } from './command.ts'

interface OperatorAppender {
  readonly appender: Appender
  /** `undefined` without a master key: entries then state the operation, but not the user. */
  readonly blindIndexOf: BlindIndexOf | undefined
}

/** @throws ConfigError; Error when the master key is not that of this database */
export async function openOperatorAppender(
  store: Store,
  { environment }: Terminal,
): Promise<OperatorAppender> {
  const { masterKeys, retention } = readOperatorPaths(environment)
  const now = (): number => Math.floor(Date.now() / 1000)
  // Running services poll for pending entries every second.
  const parts = { store, retention, now, notify: () => {} }
  if (masterKeys === undefined) {
    const unkeyed = { keys: undefined, blindIndexOf: unusedBlindIndex, macs: undefined }
    return { appender: createAppender({ ...parts, ...unkeyed }), blindIndexOf: undefined }
  }
  const wrapper = createSecretWrapper(masterKeys)
  const keyring = await openKeyring(store, wrapper, now())
  const lookupKey = keyring.current('lookup', now()).secretKey
  const [blindIndexOf, macs] = [createBlindIndex(lookupKey), createRowMacs(lookupKey)]
  const keys = createSubjectKeys(store, wrapper, now)
  return { appender: createAppender({ ...parts, keys, blindIndexOf, macs }), blindIndexOf }
}

/**
 * Ends sessions or devices of a user, and logs it, in one commit.
 *
 * @returns false when the first write was refused: nothing was changed
 */
export async function commitEnd(
  store: Store,
  terminal: Terminal,
  user: string,
  writes: readonly Write[],
): Promise<boolean> {
  const { appender } = await openOperatorAppender(store, terminal)
  const leaves = sessionEndEntries(appender, writes, { by: 'operator', user })
  return (await appender.commit({ writes, leaves })).kind === 'committed'
}

/** Not called: without subject keys, entries have no blind indexes. */
const unusedBlindIndex: BlindIndexOf = () => new Uint8Array(8)
