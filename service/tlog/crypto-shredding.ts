/**
 * Erasure of a user by crypto-shredding.
 *
 * The subject key is deleted first, in one transaction with an `erased` entry. From then on the user's details cannot be
 * opened, neither here nor in a backup of the log's tables without the key. Blind indexes are cleared afterwards, in small
 * batches. Entries remain, so that all proofs stay valid.
 */
import type { Store, Write } from '../store/store.ts'
import type { DeviceRecord, UserRecord } from '../store/users.ts'
import type { Appender } from './appender.ts'
import type { BlindIndexOf } from './blind-index.ts'
import type { LogEntryInput } from './entry.ts'

/** Public facts of the entry. */
export const erasureReasons = ['request', 'account-closed', 'law', 'mistake'] as const
export type ErasureReason = (typeof erasureReasons)[number]

export interface Erasure {
  readonly user: string
  readonly reason: ErasureReason
  /** The note of the operator: sealed, with the retention of security events. */
  readonly why: string
}

export interface ErasureDependencies {
  readonly store: Pick<Store, 'commit' | 'findUser' | 'findSubjectKey' | 'listDevices' | 'hasEntriesWith'>
  readonly appender: Appender
  readonly blindIndexOf: BlindIndexOf
  /** UNIX seconds. */
  readonly now: () => number
}

/** `already-erased`: blind indexes that an interrupted erasure left were cleared. */
export type ErasureResult = 'erased' | 'already-erased' | 'unknown-user'

/** Rows of one batch: about a millisecond of the database. */
const redactionBatch = 500

/**
 * Erases a user. Idempotent: an interrupted erasure is completed by the next call.
 *
 * @throws StoreUnavailable
 */
export async function eraseUser(parts: ErasureDependencies, erasure: Erasure): Promise<ErasureResult> {
  const { store, blindIndexOf } = parts
  const subjectIndex = blindIndexOf('user', erasure.user)
  const user = await store.findUser(erasure.user)
  const hasKey = (await store.findSubjectKey(subjectIndex)) !== undefined
  if (user === undefined && !hasKey) return 'unknown-user'
  const devices = await store.listDevices(erasure.user)
  const isErased = !hasKey && (user === undefined || user.openidWrapped.length === 0)
  if (!isErased) await shredKey(parts, erasure, { subjectIndex, hasKey, user, devices })
  await redact(parts, subjectIndex)
  for (const { id } of devices) await redact(parts, blindIndexOf('device', id))
  return isErased ? 'already-erased' : 'erased'
}

interface Target {
  readonly subjectIndex: Uint8Array
  readonly hasKey: boolean
  readonly user: UserRecord | undefined
  readonly devices: readonly DeviceRecord[]
}

/** Also ends sessions and revokes devices. Rows are locked in the order in which requests lock them. */
async function shredKey(
  { store, appender, now }: ErasureDependencies,
  { user, reason, why }: Erasure,
  { subjectIndex, hasKey, user: record }: Target,
): Promise<void> {
  const reasonOfEnd = { reason: 'erased', now: now() }
  const writes: readonly Write[] = [
    { kind: 'end-other-sessions', user, except: null, ...reasonOfEnd },
    { kind: 'revoke-other-devices', user, except: null, now: now() },
    { kind: 'redact-device-names', user },
    ...(record === undefined ? [] : [{ kind: 'redact-user', id: user, now: now() } as const]),
    ...(hasKey ? [{ kind: 'delete-subject-key', subjectIndex } as const] : []),
    { kind: 'redact-intents', blindIndex: subjectIndex },
    { kind: 'redact-pending-entries', blindIndex: subjectIndex },
  ]
  const leaf: LogEntryInput = { ...appender.systemEntry('erased', { reason }), groups: { core: { why } } }
  const result = await appender.commit({ writes, leaves: [leaf] })
  // Another process erases the user, or the key was just created.
  if (result.kind === 'refused' && (await store.findSubjectKey(subjectIndex)) !== undefined)
    throw new Error('the subject key has changed: retry')
}

/** Pending entries first: those that are sequenced meanwhile are found among the entries. */
async function redact({ store }: ErasureDependencies, subjectIndex: Uint8Array): Promise<void> {
  await store.commit([{ kind: 'redact-pending-entries', blindIndex: subjectIndex }])
  while (await store.hasEntriesWith(subjectIndex)) {
    await store.commit([{ kind: 'redact-entries', blindIndex: subjectIndex, limit: redactionBatch }])
    await new Promise(setImmediate)
  }
}
