/**
 * The journal: how leaves get into the log, in the same transaction as what they tell of.
 *
 * What cannot be logged does not happen: every method that writes rejects with StoreUnavailable, and then nothing was
 * written. What was refused all the same is counted, and told as a gap by the first commit that succeeds.
 */

import type { ProtocolCode } from 'miniseal-protocol/errors'
import type { LeafKind } from 'miniseal-protocol/tlog/audit-leaf'
import type { FlatObject } from 'miniseal-protocol/tlog/flat-json'
import type { Write } from '../store/store.ts'
import type { IntentRecord } from '../store/tlog-entries.ts'
import type { AppenderParts, IntentResult, LoggedResult, Logging } from './commit-leaves.ts'
import { appendPending, commitIntent, commitLeaves } from './commit-leaves.ts'
import type { LogEntryInput } from './entries.ts'
import { createGaps, type Gap, type Gaps } from './gaps.ts'
import { lostIntentEntry } from './intents.ts'
import { createRefusalBudget, type RefusalBudget } from './refusal-budget.ts'
import { type RequestWeight, type Retention, retentionOf } from './retention.ts'

export interface Appender {
  /** Milliseconds since 1970, by the service's clock. */
  milliseconds(): number
  /** @param weight of the request that the leaf is about */
  retentionOf(kind: LeafKind, weight?: RequestWeight): Retention
  /** A leaf that is about nobody; `facts` are public. */
  systemLeaf(kind: LeafKind, facts: FlatObject): LogEntryInput
  /** The write that stages such a leaf, for a transaction that is somebody else's. */
  systemWrite(kind: LeafKind, facts: FlatObject): Write
  /** Whether there is a key to seal what is told of a user. */
  hasSubjectKey(user: string): Promise<boolean>
  /** Makes sure that there is one. */
  ensureSubjectKey(user: string): Promise<void>
  /**
   * Claims, with the intent of what they are claimed for.
   *
   * @returns the intent's id, for whoever settles it; or which of `writes` was refused
   */
  commitIntent(writes: readonly Write[], entryInput: LogEntryInput): Promise<IntentResult>
  commit(logging: Logging): Promise<LoggedResult>
  /**
   * Tells of a refusal that had no effect: singly or counted, as the budget of its source has it. Never rejects.
   *
   * @returns the receipt, where there is a leaf
   */
  refuse(entryInput: LogEntryInput, code: ProtocolCode, source: string): Promise<Uint8Array | undefined>
  /** Counts what happened, or was refused, without a leaf. */
  countMissing(): void
  /** Tells of every intent that began before a time (UNIX seconds) that its outcome is unknown: once, in all processes. */
  logLostIntents(startedBefore: number): Promise<void>
  /** Writes what is missing and what was counted. */
  flush(): Promise<void>
}

const lostBatch = 100

export function createAppender(parts: AppenderParts): Appender {
  const { store, now, retention } = parts
  const gaps = createGaps()
  const budget = createRefusalBudget()
  const milliseconds = (): number => now() * 1000 + (Date.now() % 1000)
  const systemLeaf = (kind: LeafKind, facts: FlatObject): LogEntryInput => {
    return {
      kind,
      result: 'ok',
      at: milliseconds(),
      retention: retentionOf(retention, kind, undefined),
      facts,
    }
  }
  const gapWrite = ({ from, to, n }: Gap): Write =>
    appendPending(parts, { ...systemLeaf('gap', { from, n, to }), result: 'unknown' })
  const commit = (logging: Logging): Promise<LoggedResult> =>
    afterGap(gaps, gapWrite, async (gap) => {
      const result = await commitLeaves(parts, logging, gap, 'tell')
      if (result.kind === 'gone') throw new Error('what tells of an outcome is always staged')
      return result
    })
  return {
    milliseconds,
    retentionOf: (kind, weight) => retentionOf(retention, kind, weight),
    systemLeaf,
    systemWrite: (kind, facts) => appendPending(parts, systemLeaf(kind, facts)),
    hasSubjectKey: async (user) => (await parts.keys?.find(parts.blindIndexOf('user', user))) !== undefined,
    async ensureSubjectKey(user) {
      await parts.keys?.of(parts.blindIndexOf('user', user))
    },
    commitIntent: (writes, entryInput) =>
      afterGap(gaps, gapWrite, (gap) => commitIntent(parts, [...gap, ...writes], entryInput)),
    commit,
    refuse: (entryInput, code, source) => refuse({ budget, gaps, commit }, entryInput, code, source),
    countMissing: () => gaps.note(milliseconds()),
    async logLostIntents(startedBefore) {
      for (;;) {
        const lost = await store.listIntents(startedBefore, lostBatch)
        for (const intent of lost) await logLostIntent(parts, intent, milliseconds())
        if (lost.length < lostBatch) return
      }
    },
    flush: () => flushCounted(budget, commit, systemLeaf),
  }
}

/** What is missing is told by the first commit that succeeds, with it and before it. */
async function afterGap<R extends { readonly kind: string }>(
  gaps: Gaps,
  gapWrite: (gap: Gap) => Write,
  run: (gap: readonly Write[]) => Promise<R>,
): Promise<R> {
  const gap = gaps.take()
  try {
    const result = await run(gap === undefined ? [] : [gapWrite(gap)])
    if (result.kind !== 'committed') gaps.giveBack(gap)
    return result
  } catch (error) {
    gaps.giveBack(gap)
    throw error
  }
}

type Commit = Appender['commit']

interface RefusalParts {
  readonly budget: RefusalBudget
  readonly gaps: Gaps
  readonly commit: Commit
}

async function refuse(
  { budget, gaps, commit }: RefusalParts,
  entryInput: LogEntryInput,
  code: ProtocolCode,
  source: string,
): Promise<Uint8Array | undefined> {
  if (!(await budget.take(source, code, entryInput.at))) return undefined
  try {
    // Whoever has no key has been forgotten, and gets no new one for this.
    const result = await commit({ writes: [], leaves: [entryInput], isOutcome: true })
    return result.kind === 'committed' ? result.receipt : undefined
  } catch {
    gaps.note(entryInput.at)
    return undefined
  }
}

async function flushCounted(
  budget: RefusalBudget,
  commit: Commit,
  systemLeaf: Appender['systemLeaf'],
): Promise<void> {
  const counted = budget.takeCounted()
  const leaves = counted.map(({ code, n, from, to }): LogEntryInput => {
    return { ...systemLeaf('refused-aggregate', { code, from, n, to }), result: 'refused', code }
  })
  try {
    await commit({ writes: [], leaves })
  } catch (error) {
    budget.giveBack(counted)
    throw error
  }
}

async function logLostIntent(parts: AppenderParts, intent: IntentRecord, at: number): Promise<void> {
  const subject = await parts.keys?.find(intent.userBlindIndex)
  const retention = retentionOf(parts.retention, 'outcome-unknown', 'writes')
  const entryInput = lostIntentEntry(intent, subject, { at, retention })
  const logging = { writes: [], leaves: [entryInput], intent: intent.id, isOutcome: true }
  const result = await commitLeaves(parts, logging, [], 'stop')
  if (result.kind === 'refused') throw new Error('an intent cannot be settled')
}
