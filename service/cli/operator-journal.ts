/** The journal, for what an operator does to the database from a terminal. */

import { readOperatorPaths } from '../config/operator-paths.ts'
import { openKeyring } from '../keys/keyring.ts'
import { createSecretWrapper } from '../keys/wrapping.ts'
import type { Store, Write } from '../store/store.ts'
import { type Appender, createAppender } from '../tlog/appender.ts'
import { type BlindIndexOf, createBlindIndex } from '../tlog/blind-index.ts'
import { sessionEndEntries } from '../tlog/lifecycle-entries.ts'
import { createRowMacs } from '../tlog/row-macs.ts'
import { createSubjectKeys } from '../tlog/subject-keys.ts'
import type { Terminal } from './command.ts'

export interface OperatorAppender {
  readonly appender: Appender
  /** `undefined` without a master key: leaves then say what was done, and not to whom. */
  readonly blindIndexOf: BlindIndexOf | undefined
}

/** @throws ConfigError; Error when the master key is not the one of this database. */
export async function openOperatorAppender(
  store: Store,
  { environment }: Terminal,
): Promise<OperatorAppender> {
  const { masterKeys, retention } = readOperatorPaths(environment)
  const now = (): number => Math.floor(Date.now() / 1000)
  // A running service looks for staged leaves every second.
  const parts = { store, retention, now, notify: () => {} }
  if (masterKeys === undefined) {
    return {
      appender: createAppender({ ...parts, keys: undefined, blindIndexOf: nobody, macs: undefined }),
      blindIndexOf: undefined,
    }
  }
  const wrapper = createSecretWrapper(masterKeys)
  const keyring = await openKeyring(store, wrapper, now())
  const lookupKey = keyring.current('lookup', now()).secretKey
  const [blindIndexOf, macs] = [createBlindIndex(lookupKey), createRowMacs(lookupKey)]
  const keys = createSubjectKeys(store, wrapper, now)
  return { appender: createAppender({ ...parts, keys, blindIndexOf, macs }), blindIndexOf }
}

/**
 * Ends sessions or devices of a user, and tells of it, in one commit.
 *
 * @returns false when the first write was refused: nothing has happened then
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

/** Never asked: without keys nothing is tagged. */
const nobody: BlindIndexOf = () => new Uint8Array(8)
