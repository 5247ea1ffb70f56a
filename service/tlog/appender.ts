/**
 * The appender: entries are committed in the same transaction as the writes they record.
 *
 * What cannot be logged does not happen: every method that writes rejects with StoreUnavailable, and nothing was written
 * then. Refusals that could not be logged are counted and recorded as a gap by the next successful commit.
 */
import type { ProtocolCode } from 'miniseal-protocol/errors'
import type { LeafKind } from 'miniseal-protocol/tlog/audit-leaf'
import type { FlatObject } from 'miniseal-protocol/tlog/flat-json'
import { createWindow } from '../limits/rate-limits.ts'
import type { Write } from '../store/store.ts'
import type { IntentRecord } from '../store/tlog-entries.ts'
import type { AppenderParts, IntentResult, LoggedResult, Logging } from './commit-entries.ts'
import { abandonedIntentEntry, appendPending, commitEntries, commitIntent } from './commit-entries.ts'
import type { LogEntryInput } from './entry.ts'
import { type RequestWeight, type Retention, retentionOf } from './settings.ts'

export interface Appender {
  /** Milliseconds since 1970, by the service's clock. */
  milliseconds(): number
  /** @param weight the class of the request, for entries about a request */
  retentionOf(kind: LeafKind, weight?: RequestWeight): Retention
  /** An entry without a subject; `facts` are public. */
  systemEntry(kind: LeafKind, facts: FlatObject): LogEntryInput
  /** The write of such an entry, for the caller's own transaction. */
  systemWrite(kind: LeafKind, facts: FlatObject): Write
  /** Whether the user has a subject key. */
  hasSubjectKey(user: string): Promise<boolean>
  /** Creates the user's subject key unless it exists. */
  ensureSubjectKey(user: string): Promise<void>
  /**
   * Commits claims together with the intent.
   *
   * @returns the id of the intent, for the later outcome; or which of `writes` was refused
   */
  commitIntent(writes: readonly Write[], entryInput: LogEntryInput): Promise<IntentResult>
  commit(logging: Logging): Promise<LoggedResult>
  /**
   * Logs a refusal that had no effect, singly or counted (refusal budget). Never rejects.
   *
   * @returns the receipt; `undefined` for a counted refusal
   */
  refuse(entryInput: LogEntryInput, code: ProtocolCode, source: string): Promise<Uint8Array | undefined>
  /** Counts an event that has no entry. */
  countGap(): void
  /** Logs `outcome-unknown` for each intent older than a time (UNIX seconds): exactly once across processes. */
  logAbandonedIntents(startedBefore: number): Promise<void>
  /** Writes the pending gap and the counted refusals. */
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
      const result = await commitEntries(parts, logging, gap, 'log')
      if (result.kind === 'gone') throw new Error('an outcome is always logged')
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

/** The first commit that succeeds also writes the gap entry, before its own. */
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
    // `isOutcome`: a user whose key was shredded gets no new one.
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
  const result = await commitEntries(parts, logging, [], 'stop')
  if (result.kind === 'refused') throw new Error('an intent cannot be settled')
}

// Refusals above a rate, per source and in all, are counted instead of getting an entry each.

/** Refusals of one code without an entry of their own. */
export interface CountedRefusals {
  readonly code: ProtocolCode
  readonly n: number
  /** Milliseconds since 1970. */
  readonly from: number
  readonly to: number
}

export interface RefusalBudget {
  /** Whether a refusal of this source gets an entry of its own; otherwise it is counted. */
  take(source: string, code: ProtocolCode, at: number): Promise<boolean>
  /** Takes the counts, by code; the caller writes them or gives them back. */
  takeCounted(): readonly CountedRefusals[]
  giveBack(counted: readonly CountedRefusals[]): void
}

/** Enough for a person, too little for a flood. */
const perSource = { count: 30, seconds: 60 }
/** Sources are attacker-controlled addresses: an attacker with many of them shares this. */
const inAll = { count: 1_200, seconds: 60 }

/** Memory is bounded by the list of codes and by {@link createWindow}. */
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
      // In this order: a source over its own limit consumes nothing of the shared one.
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

/** A period in which `n` entries are missing. */
export interface Gap {
  /** Milliseconds since 1970. */
  readonly from: number
  readonly to: number
  readonly n: number
}

/** Counted in memory, lost with the process. */
export interface Gaps {
  /** Counts one missing entry. @param at milliseconds since 1970 */
  note(at: number): void
  /** Takes the gap so far; the caller writes it or gives it back. */
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
