/**
 * Erasing a person: what is sealed about them can never be opened again, and nothing is found by them any more.
 *
 * The key goes first, in one transaction with the leaf that says that somebody was erased: from then on every detail is
 * noise, here and in every backup of the log's tables that lacks the key. What the entries are found by is taken after
 * that, in small steps, while requests go on. The leaves stay, and so does every proof.
 */
import type { Store, Write } from '../store/store.ts'
import type { DeviceRecord, UserRecord } from '../store/users.ts'
import type { Appender } from './appender.ts'
import type { BlindIndexOf } from './blind-index.ts'
import type { LogEntryInput } from './entry.ts'

/** Public, in the leaf: why somebody was erased. */
export const erasureReasons = ['request', 'account-closed', 'law', 'mistake'] as const
export type ErasureReason = (typeof erasureReasons)[number]

export interface Erasure {
  readonly user: string
  readonly reason: ErasureReason
  /** The operator's own words: sealed, and kept as long as other events of security. */
  readonly why: string
}

export interface ErasureParts {
  readonly store: Pick<Store, 'commit' | 'findUser' | 'findSubjectKey' | 'listDevices' | 'hasEntriesWith'>
  readonly appender: Appender
  readonly blindIndexOf: BlindIndexOf
  /** UNIX seconds. */
  readonly now: () => number
}

/** `forgotten`: the person was erased before, and what was left of them has been forgotten now. */
export type ErasureResult = 'erased' | 'forgotten' | 'unknown-user'

/** Rows that one step takes: about a millisecond of the writer. */
const forgetBatch = 500

/**
 * Erases a user. Stopped in the middle it is finished by calling it again.
 *
 * @throws StoreUnavailable
 */
export async function eraseUser(parts: ErasureParts, erasure: Erasure): Promise<ErasureResult> {
  const { store, blindIndexOf } = parts
  const subjectIndex = blindIndexOf('user', erasure.user)
  const user = await store.findUser(erasure.user)
  const hasKey = (await store.findSubjectKey(subjectIndex)) !== undefined
  if (user === undefined && !hasKey) return 'unknown-user'
  // Before the names are taken from them.
  const devices = await store.listDevices(erasure.user)
  const isErased = !hasKey && (user === undefined || user.openidWrapped.length === 0)
  if (!isErased) await destroy(parts, erasure, { subjectIndex, hasKey, user, devices })
  await forget(parts, subjectIndex)
  for (const { id } of devices) await forget(parts, blindIndexOf('device', id))
  return isErased ? 'forgotten' : 'erased'
}

interface Person {
  readonly subjectIndex: Uint8Array
  readonly hasKey: boolean
  readonly user: UserRecord | undefined
  readonly devices: readonly DeviceRecord[]
}

/** Sessions end and devices are revoked in every process at once; in this order requests take these rows, too. */
async function destroy(
  { store, appender, now }: ErasureParts,
  { user, reason, why }: Erasure,
  { subjectIndex, hasKey, user: record }: Person,
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
  // Somebody else erases the same person at this moment, or the key was made just now.
  if (result.kind === 'refused' && (await store.findSubjectKey(subjectIndex)) !== undefined)
    throw new Error('the user is in use: try again')
}

/** Staged leaves first: what is given its place meanwhile is met among the entries. */
async function forget({ store }: ErasureParts, subjectIndex: Uint8Array): Promise<void> {
  await store.commit([{ kind: 'redact-pending-entries', blindIndex: subjectIndex }])
  while (await store.hasEntriesWith(subjectIndex)) {
    await store.commit([{ kind: 'redact-entries', blindIndex: subjectIndex, limit: forgetBatch }])
    await new Promise(setImmediate)
  }
}
