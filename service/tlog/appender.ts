/**
 * The journal: how leaves get into the log, in the same transaction as what they tell of.
 *
 * What cannot be logged does not happen: every method that writes rejects with StoreUnavailable, and then nothing was
 * written. What was refused all the same is counted, and told as a gap by the first commit that succeeds.
 */
import type { ProtocolCode } from 'miniseal-protocol/errors'
import type { LeafKind } from 'miniseal-protocol/tlog/audit-leaf'
import type { FlatObject } from 'miniseal-protocol/tlog/flat-json'
import { createWindow } from '../limits/rate-limits.ts'
import type { Write } from '../store/store.ts'
import type { IntentRecord } from '../store/tlog-entries.ts'
import type { AppenderParts, IntentResult, LoggedResult, Logging } from './commit-entries.ts'
import { abandonedIntentEntry, appendPending, commitIntent, commitLeaves } from './commit-entries.ts'
import type { LogEntryInput } from './entry.ts'
import { type RequestWeight, type Retention, retentionOf } from './settings.ts'

export interface Appender {
  /** Milliseconds since 1970, by the service's clock. */
  milliseconds(): number
  /** @param weight of the request that the leaf is about */
  retentionOf(kind: LeafKind, weight?: RequestWeight): Retention
  /** A leaf that is about nobody; `facts` are public. */
  systemEntry(kind: LeafKind, facts: FlatObject): LogEntryInput
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
  countGap(): void
  /** Tells of every intent that began before a time (UNIX seconds) that its outcome is unknown: once, in all processes. */
  logAbandonedIntents(startedBefore: number): Promise<void>
  /** Writes what is missing and what was counted. */
  flush(): Promise<void>
}

const lostBatch = 100

export function createAppender(parts: AppenderParts): Appender {
  const { store, now, retention } = parts
  const gaps = createGaps()
  const budget = createRefusalBudget()
  const milliseconds = (): number => now() * 1000 + (Date.now() % 1000)
  const systemEntry = (kind: LeafKind, facts: FlatObject): LogEntryInput => {
    return {
      kind,
      result: 'ok',
      at: milliseconds(),
      retention: retentionOf(retention, kind, undefined),
      facts,
    }
  }
  const gapWrite = ({ from, to, n }: Gap): Write =>
    appendPending(parts, { ...systemEntry('gap', { from, n, to }), result: 'unknown' })
  const commit = (logging: Logging): Promise<LoggedResult> =>
    afterGap(gaps, gapWrite, async (gap) => {
      const result = await commitLeaves(parts, logging, gap, 'tell')
      if (result.kind === 'gone') throw new Error('what tells of an outcome is always staged')
      return result
    })
  return {
    milliseconds,
    retentionOf: (kind, weight) => retentionOf(retention, kind, weight),
    systemEntry,
    systemWrite: (kind, facts) => appendPending(parts, systemEntry(kind, facts)),
    hasSubjectKey: async (user) => (await parts.keys?.find(parts.blindIndexOf('user', user))) !== undefined,
    async ensureSubjectKey(user) {
      await parts.keys?.of(parts.blindIndexOf('user', user))
    },
    commitIntent: (writes, entryInput) =>
      afterGap(gaps, gapWrite, (gap) => commitIntent(parts, [...gap, ...writes], entryInput)),
    commit,
    refuse: (entryInput, code, source) => refuse({ budget, gaps, commit }, entryInput, code, source),
    countGap: () => gaps.note(milliseconds()),
    async logAbandonedIntents(startedBefore) {
      for (;;) {
        const lost = await store.listIntents(startedBefore, lostBatch)
        for (const intent of lost) await logAbandonedIntent(parts, intent, milliseconds())
        if (lost.length < lostBatch) return
      }
    },
    flush: () => flushCounted(budget, commit, systemEntry),
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
  systemEntry: Appender['systemEntry'],
): Promise<void> {
  const counted = budget.takeCounted()
  const leaves = counted.map(({ code, n, from, to }): LogEntryInput => {
    return { ...systemEntry('refused-aggregate', { code, from, n, to }), result: 'refused', code }
  })
  try {
    await commit({ writes: [], leaves })
  } catch (error) {
    budget.giveBack(counted)
    throw error
  }
}

async function logAbandonedIntent(parts: AppenderParts, intent: IntentRecord, at: number): Promise<void> {
  const subject = await parts.keys?.find(intent.userBlindIndex)
  const retention = retentionOf(parts.retention, 'outcome-unknown', 'writes')
  const entryInput = abandonedIntentEntry(intent, subject, { at, retention })
  const logging = { writes: [], leaves: [entryInput], intent: intent.id, isOutcome: true }
  const result = await commitLeaves(parts, logging, [], 'stop')
  if (result.kind === 'refused') throw new Error('an intent cannot be settled')
}

// MERGED: Which refusals get a leaf of their own: so many a minute, from each source and from all; the others are counted.

/** Refusals of one code that got no leaf of their own. */
export interface CountedRefusals {
  readonly code: ProtocolCode
  readonly n: number
  /** Milliseconds since 1970. */
  readonly from: number
  readonly to: number
}

export interface RefusalBudget {
  /** Whether a refusal of this source is logged singly. Where it is not, it is counted. */
  take(source: string, code: ProtocolCode, at: number): Promise<boolean>
  /** What was counted, by code: whoever takes it writes it, or gives it back. */
  takeCounted(): readonly CountedRefusals[]
  giveBack(counted: readonly CountedRefusals[]): void
}

/** How many a minute, by default: a person who tries, and not a machine that floods. */
const perSource = { count: 30, seconds: 60 }
/** Sources are attacker-controlled addresses; whoever has many of them has this much between them. */
const inAll = { count: 1_200, seconds: 60 }

/** Memory is bounded by the list of codes and by what {@link createWindow} remembers. */
export function createRefusalBudget(): RefusalBudget {
  const sources = createWindow(perSource)
  const all = createWindow(inAll)
  const counts = new Map<ProtocolCode, CountedRefusals>()
  const add = (more: CountedRefusals): void => {
    const known = counts.get(more.code) ?? more
    counts.set(more.code, {
      code: more.code,
      n: (known === more ? 0 : known.n) + more.n,
      from: Math.min(known.from, more.from),
      to: Math.max(known.to, more.to),
    })
  }
  return {
    async take(source, code, at) {
      // In this order: who is over their own limit takes nothing from the others.
      const isWithin = (await sources.consume(source)).isWithin && (await all.consume('all')).isWithin
      if (!isWithin) add({ code, n: 1, from: at, to: at })
      return isWithin
    },
    takeCounted() {
      const taken = [...counts.values()]
      counts.clear()
      return taken
    },
    giveBack(counted) {
      for (const refusals of counted) add(refusals)
    },
  }
}

/** What could not be logged while the database did not answer: how much, and from when to when. */

/** A stretch of time in which so many leaves are missing. */
export interface Gap {
  /** Milliseconds since 1970. */
  readonly from: number
  readonly to: number
  readonly n: number
}

/** Counted in memory: what is known here ends with the process. */
export interface Gaps {
  /** One leaf more is missing. @param at milliseconds since 1970 */
  note(at: number): void
  /** What is missing so far: whoever takes it writes it, or gives it back. */
  take(): Gap | undefined
  giveBack(gap: Gap | undefined): void
}

export function createGaps(): Gaps {
  let missing: Gap | undefined
  const add = (gap: Gap): void => {
    missing =
      missing === undefined
        ? gap
        : {
            from: Math.min(missing.from, gap.from),
            to: Math.max(missing.to, gap.to),
            n: missing.n + gap.n,
          }
  }
  return {
    note: (at) => add({ from: at, to: at, n: 1 }),
    take() {
      const taken = missing
      missing = undefined
      return taken
    },
    giveBack(gap) {
      if (gap !== undefined) add(gap)
    },
  }
}
