/** The journal, for what an operator does to the database from a terminal. */

import { openKeyring } from '../keys/keyring.ts'
import { createSecretWrapper } from '../keys/wrapping.ts'
import { createJournal, type Journal } from '../log/journal.ts'
import { createLogSeals } from '../log/seals.ts'
import { endLeaves } from '../log/session-leaves.ts'
import { createSubjectKeys } from '../log/subject-keys.ts'
import { createTags, type TagOf } from '../log/tags.ts'
import { readOperatorPlaces } from '../operator-places.ts'
import type { Store, Write } from '../store/store.ts'
import type { Terminal } from './command.ts'

export interface OperatorJournal {
  readonly journal: Journal
  /** `undefined` without a master key: leaves then say what was done, and not to whom. */
  readonly tagOf: TagOf | undefined
}

/** @throws ConfigError; Error when the master key is not the one of this database. */
export async function openOperatorJournal(store: Store, { environment }: Terminal): Promise<OperatorJournal> {
  const { masterKeys, retention } = readOperatorPlaces(environment)
  const now = (): number => Math.floor(Date.now() / 1000)
  // A running service looks for staged leaves every second.
  const parts = { store, retention, now, wake: () => {} }
  if (masterKeys === undefined) {
    return {
      journal: createJournal({ ...parts, keys: undefined, tagOf: nobody, seals: undefined }),
      tagOf: undefined,
    }
  }
  const wrapper = createSecretWrapper(masterKeys)
  const keyring = await openKeyring(store, wrapper, now())
  const lookupKey = keyring.current('lookup', now()).secretKey
  const [tagOf, seals] = [createTags(lookupKey), createLogSeals(lookupKey)]
  const keys = createSubjectKeys(store, wrapper, now)
  return { journal: createJournal({ ...parts, keys, tagOf, seals }), tagOf }
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
  const { journal } = await openOperatorJournal(store, terminal)
  const leaves = endLeaves(journal, writes, { by: 'operator', user })
  return (await journal.commit({ writes, leaves })).kind === 'committed'
}

/** Never asked: without keys nothing is tagged. */
const nobody: TagOf = () => new Uint8Array(8)
