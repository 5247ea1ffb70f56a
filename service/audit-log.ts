/** From a configuration to the log of a service: what it runs, and what a command looks at. */
import type { AuditParts } from './auditors/parts.ts'
import { cookieKeyOf } from './auditors/session.ts'
import type { Config } from './config.ts'
import type { ExchangeContext } from './exchange/context.ts'
import { longestWork } from './exchange/idempotency.ts'
import type { Keyring } from './keys/keyring.ts'
import { openAnchor, openMemoryAnchor } from './log/anchor.ts'
import { createJournal } from './log/journal.ts'
import type { RunningLog } from './log/open-log.ts'
import { defaultOrigin } from './log/origin.ts'
import { createReceipts } from './log/receipts.ts'
import type { LogPlaces } from './log/standing.ts'
import { createSubjectKeys } from './log/subject-keys.ts'
import { createTags } from './log/tags.ts'
import { findLastCheckTime } from './log/verification/last-check.ts'
import type { Store } from './store/store.ts'

/**
 * Where a service's log is.
 *
 * @param authority host and port of the public origin: the name of a log that is started now
 * @param now UNIX seconds
 */
export function logPlacesOf(
  { database, dataFolder, logOrigin }: Config,
  parts: { readonly store: Store; readonly keyring: Keyring },
  authority: string,
  now: number,
): LogPlaces {
  // A database in memory ends with the process, so what was signed of it is not kept for longer.
  const isInMemory = database.kind === 'sqlite' && database.path === ':memory:'
  return {
    ...parts,
    anchor: isInMemory ? openMemoryAnchor() : openAnchor(dataFolder),
    origin: logOrigin ?? defaultOrigin(authority, now),
    isOriginGiven: logOrigin !== undefined,
  }
}

/** What a service writes of the log, and what auditors need to read it. */
export interface Records extends Pick<ExchangeContext, 'journal' | 'receipts'> {
  readonly reading: Pick<AuditParts, 'tagOf' | 'findKey' | 'cookieKey' | 'lastCheck'>
}

/**
 * The journal of a service, and what its users see of it. What the process before has left undone is told of now.
 *
 * @throws StoreUnavailable
 */
export async function openRecords(
  { retention, dataFolder }: Config,
  { store, keyring, wrapper, now }: Pick<ExchangeContext, 'store' | 'keyring' | 'wrapper' | 'now'>,
  { gate, reader }: RunningLog,
): Promise<Records> {
  const lookupKey = keyring.current('lookup', now()).secretKey
  const tagOf = createTags(lookupKey)
  const keys = createSubjectKeys(store, wrapper, now)
  const journal = createJournal({ store, keys, tagOf, retention, now, wake: gate.wake })
  await journal.settleLost(now() - longestWork)
  return {
    journal,
    receipts: createReceipts({ store, reader, keys, tagOf }),
    reading: {
      tagOf,
      findKey: async (userTag) => (await keys.find(userTag))?.key,
      cookieKey: cookieKeyOf(lookupKey),
      lastCheck: () => findLastCheckTime(dataFolder, wrapper),
    },
  }
}
