/** Commits entries and intents with the writes they record; retries when a subject key has changed. */

import type { FlatObject } from 'miniseal-protocol/tlog/flat-json'
import { z } from 'zod'
import { type CommitResult, type Store, StoreUnavailable, type Write, type WriteOf } from '../store/store.ts'
import type { IntentRecord } from '../store/tlog-entries.ts'
import type { BlindIndexOf } from './blind-index.ts'
import type { Disclosures } from './entry.ts'
import { type LogEntryInput, leafIdText, makeEntry, newLeafId } from './entry.ts'
import type { RowMacs } from './row-macs.ts'
import { openText, sealText } from './sealed-details.ts'
import type { RetentionSettings } from './settings.ts'
import type { SubjectKey, SubjectKeys } from './subject-keys.ts'

export interface AppenderDependencies {
  readonly store: Pick<Store, 'commit' | 'listIntents'>
  /** `undefined` without a master key: entries then have no disclosures. */
  readonly keys: SubjectKeys | undefined
  readonly blindIndexOf: BlindIndexOf
  /** `undefined` without a master key. */
  readonly macs: RowMacs | undefined
  readonly retention: RetentionSettings
  /** UNIX seconds. */
  readonly now: () => number
  /** Called after each commit that appended an entry. */
  readonly notify: () => void
}

/** Writes, and the entries that record them. */
export interface Logging {
  readonly writes: readonly Write[]
  /** The hash of the first one is the receipt. */
  readonly leaves: readonly LogEntryInput[]
  /** The intent that the first entry completes. */
  readonly intent?: Uint8Array | undefined
  /** The outcome of an earlier claim: a subject key that was shredded meanwhile is not created again. */
  readonly isOutcome?: boolean
}

/** One of the caller's own writes was refused; nothing was written. */
type RefusedWrite = Extract<CommitResult, { readonly kind: 'refused' }>

export type LoggedResult = { readonly kind: 'committed'; readonly receipt: Uint8Array } | RefusedWrite

/** A subject key may be rewrapped or shredded while an entry is made. */
const attempts = 5

/** The write of an entry. @param subject seals the disclosures; `undefined`: nothing is sealed */
export function pendingWrite(
  { blindIndexOf, macs, keys }: AppenderDependencies,
  entryInput: LogEntryInput,
  id: Uint8Array = newLeafId(entryInput.at),
  subject?: SubjectKey,
): WriteOf<'insert-pending-entry'> {
  const { groups: _, ...bare } = entryInput
  const sealing = subject && { key: subject.key, blindIndexOf }
  // Without a master key nothing is sealed: commitments without details would look like deleted details.
  const entry = makeEntry(keys === undefined ? bare : entryInput, id, sealing)
  return { kind: 'insert-pending-entry', entry: { ...entry, mac: macs?.ofEntry(entry.hash) ?? null } }
}

/** An entry without disclosures needs no key. */
async function subjectOf(
  { keys, blindIndexOf }: AppenderDependencies,
  { groups }: LogEntryInput,
  mayCreate: boolean,
): Promise<SubjectKey | undefined> {
  if (groups === undefined || keys === undefined) return undefined
  const user = groups.sub?.user
  const subjectIndex = typeof user === 'string' ? blindIndexOf('user', user) : null
  return await (mayCreate || subjectIndex === null ? keys.of(subjectIndex) : keys.find(subjectIndex))
}

function lockOf(subject: SubjectKey | undefined): readonly WriteOf<'lock-subject-key'>[] {
  if (subject === undefined || subject.subjectIndex === null) return []
  return [{ kind: 'lock-subject-key', subjectIndex: subject.subjectIndex, keyWrapped: subject.wrapped }]
}

/** The id of the intent, or which of the caller's writes was refused. */
export type IntentResult = { readonly kind: 'committed'; readonly intent: Uint8Array } | RefusedWrite

/** Commits claims together with their intent. */
export async function commitIntent(
  parts: AppenderDependencies,
  writes: readonly Write[],
  entryInput: LogEntryInput,
): Promise<IntentResult> {
  for (let attempt = 0; attempt < attempts; attempt++) {
    const subject = await subjectOf(parts, { ...entryInput, groups: entryInput.groups ?? {} }, true)
    if (subject === undefined) throw new Error('an intent requires a subject key')
    const id = newLeafId(entryInput.at)
    const draft = sealDraft(entryInput, id, subject.key)
    const intent: IntentRecord = { id, userBlindIndex: subject.subjectIndex, draft, startedAt: parts.now() }
    const own: readonly Write[] = [...lockOf(subject), { kind: 'insert-intent', intent }]
    const result = await parts.store.commit([...writes, ...own])
    if (result.kind === 'committed') return { kind: 'committed', intent: id }
    if (!own.includes(result.write)) return result
    parts.keys?.drop(subject.subjectIndex)
  }
  throw new StoreUnavailable(new Error('the subject key of an intent keeps changing'))
}

/**
 * Commits entries with the writes that they record.
 *
 * @param ifGone when the intent is already completed: `log` logs the true outcome after the `outcome-unknown` entry;
 *   `stop` does nothing
 */
export async function commitEntries(
  parts: AppenderDependencies,
  logging: Logging,
  gap: readonly Write[],
  ifGone: 'log' | 'stop',
): Promise<LoggedResult | { readonly kind: 'gone' }> {
  let { intent } = logging
  for (let attempt = 0; attempt < attempts; attempt++) {
    const made = await makeEntries(parts, logging, intent)
    const own = [...made.locks, ...made.settlement, ...gap, ...made.pending]
    const result = await parts.store.commit([...logging.writes, ...own])
    if (result.kind === 'committed') {
      if (own.length > 0) parts.notify()
      return { kind: 'committed', receipt: made.receipt }
    }
    const { write } = result
    if (!own.includes(write)) return result
    if (write.kind === 'lock-subject-key') parts.keys?.drop(write.subjectIndex)
    if (write.kind !== 'delete-intent') continue
    if (ifGone === 'stop') return { kind: 'gone' }
    intent = undefined
  }
  throw new StoreUnavailable(new Error('the subject key of an entry keeps changing'))
}

/** The first entry has the id of the intent. If `outcome-unknown` has used that id, `follows` names it. */
async function makeEntries(
  parts: AppenderDependencies,
  { leaves, intent: given, isOutcome }: Logging,
  intent: Uint8Array | undefined,
) {
  const locks = new Map<string, WriteOf<'lock-subject-key'>>()
  const pending: WriteOf<'insert-pending-entry'>[] = []
  for (const [index, entryInput] of leaves.entries()) {
    const subject = await subjectOf(parts, entryInput, isOutcome !== true)
    for (const lock of lockOf(subject)) locks.set(String(lock.subjectIndex), lock)
    const id = index === 0 && intent !== undefined ? intent : newLeafId(entryInput.at)
    const follows = index === 0 && given !== undefined && intent === undefined
    const facts = follows ? { facts: { ...entryInput.facts, follows: leafIdText(given) } } : {}
    pending.push(pendingWrite(parts, { ...entryInput, ...facts }, id, subject))
  }
  const settlement: readonly Write[] = intent === undefined ? [] : [{ kind: 'delete-intent', id: intent }]
  const receipt = pending[0]?.entry.hash ?? new Uint8Array(0)
  return { locks: [...locks.values()], settlement, pending, receipt }
}

// Intents: a request with an effect stores a sealed draft of its entry first. After a crash the draft becomes an entry of
// kind `outcome-unknown`.

const flat = z.record(z.string(), z.union([z.string(), z.number()]))

const draft = z.object({
  app: z.string().optional(),
  at: z.number(),
  retention: z.object({ text: z.string(), seconds: z.number() }),
  groups: z.object({ core: flat, net: flat, pay: flat, sig: flat, sub: flat }).partial(),
})

/** @param id 16 bytes, of the intent and later of the entry */
function sealDraft(
  { app, at, retention, groups }: LogEntryInput,
  id: Uint8Array,
  key: Uint8Array,
): Uint8Array {
  return sealText(JSON.stringify({ app, at, retention, groups: groups ?? {} }), id, key)
}

/**
 * The entry for an intent without an outcome.
 *
 * @param subject the key of the draft; `undefined` after it was shredded
 * @param fallback used when the draft cannot be opened
 */
export function abandonedIntentEntry(
  { id, draft }: IntentRecord,
  subject: SubjectKey | undefined,
  fallback: Pick<LogEntryInput, 'at' | 'retention'>,
): LogEntryInput {
  const entryInput = { kind: 'outcome-unknown', result: 'unknown', ...fallback } as const
  const opened = subject === undefined ? undefined : openDraft(draft, id, subject.key)
  if (opened === undefined) return entryInput
  const { app, at, retention, groups } = opened
  // The entry gets the current time: searches by time assume that times grow with indexes.
  const core: FlatObject = { ...groups.core, started_at: Math.floor(at / 1000) }
  return { ...entryInput, app, retention, groups: { ...groups, core } }
}

function openDraft(sealed: Uint8Array, id: Uint8Array, key: Uint8Array) {
  try {
    const { groups, ...others } = draft.parse(JSON.parse(openText(sealed, id, key)))
    return { ...others, groups: Object.fromEntries(Object.entries(groups)) as Disclosures }
  } catch {
    // The user's key was shredded.
    return undefined
  }
}
