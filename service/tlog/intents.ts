/**
 * Intents: what a request is about to do, kept before it does it.
 *
 * The draft says what its leaf will say, as far as that is known, sealed as details are. Where the service dies in
 * between, the draft is all that is left, and becomes a leaf that says so.
 */

import type { FlatObject } from 'miniseal-protocol/tlog/flat-json'
import { z } from 'zod'
import type { IntentRecord } from '../store/tlog-entries.ts'
import type { Disclosures } from './disclosures.ts'
import type { LogEntryInput } from './entries.ts'
import { openText, sealText } from './sealed-details.ts'
import type { SubjectKey } from './subject-keys.ts'

const flat = z.record(z.string(), z.union([z.string(), z.number()]))

const draft = z.object({
  app: z.string().optional(),
  at: z.number(),
  retention: z.object({ text: z.string(), seconds: z.number() }),
  groups: z.object({ core: flat, net: flat, pay: flat, sig: flat, sub: flat }).partial(),
})

/** @param id the 16 bytes of the intent's, and later the leaf's, id */
export function sealDraft(
  { app, at, retention, groups }: LogEntryInput,
  id: Uint8Array,
  key: Uint8Array,
): Uint8Array {
  return sealText(JSON.stringify({ app, at, retention, groups: groups ?? {} }), id, key)
}

/**
 * What is told of an intent that nobody will settle any more.
 *
 * @param subject whose key the draft is sealed with; `undefined`: it was destroyed
 * @param fallback for a draft that does not open: there is nothing to tell but that there was something
 */
export function lostIntentEntry(
  { id, draft }: IntentRecord,
  subject: SubjectKey | undefined,
  fallback: Pick<LogEntryInput, 'at' | 'retention'>,
): LogEntryInput {
  const entryInput = { kind: 'outcome-unknown', result: 'unknown', ...fallback } as const
  const opened = subject === undefined ? undefined : openDraft(draft, id, subject.key)
  if (opened === undefined) return entryInput
  const { app, at, retention, groups } = opened
  // The leaf is of now: entries are looked for near their place. When it began is told beside.
  const core: FlatObject = { ...groups.core, started_at: Math.floor(at / 1000) }
  return { ...entryInput, app, retention, groups: { ...groups, core } }
}

interface OpenedDraft extends Pick<LogEntryInput, 'app' | 'at' | 'retention'> {
  readonly groups: Disclosures
}

function openDraft(sealed: Uint8Array, id: Uint8Array, key: Uint8Array): OpenedDraft | undefined {
  try {
    const { groups, ...others } = draft.parse(JSON.parse(openText(sealed, id, key)))
    return { ...others, groups: Object.fromEntries(Object.entries(groups)) }
  } catch {
    // The person was forgotten, and the tag that named the key with them.
    return undefined
  }
}
