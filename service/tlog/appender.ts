/**
 * The appender: entries are committed in the same transaction as the writes they record.
 *
 * What cannot be logged does not happen: when an entry cannot be written, the method rejects with StoreUnavailable and
 * nothing is written. Refusals that could not be logged are counted; the next successful commit records them as a gap.
 */
import type { ProtocolCode } from 'miniseal-protocol/errors'
import type { LeafKind } from 'miniseal-protocol/tlog/audit-leaf'
import type { FlatObject } from 'miniseal-protocol/tlog/flat-json'
import { createWindow } from '../limits/rate-limits.ts'
import type { Write } from '../store/store.ts'
import type { IntentRecord } from '../store/tlog-entries.ts'
import type { AppenderDependencies, IntentResult, LoggedResult, Logging } from './commit-entries.ts'
import { abandonedIntentEntry, commitEntries, commitIntent, pendingWrite } from './commit-entries.ts'
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

/** Intents of one read. */
const intentBatch = 100

export function createAppender(parts: AppenderDependencies): Appender {
  const { now, retention } = parts
  const gaps = createTally<undefined>()
  const budget = createRefusalBudget()
  const milliseconds = (): number => now() * 1000 + (Date.now() % 1000)
  const systemEntry = (kind: LeafKind, facts: FlatObject): LogEntryInput => {
    const period = retentionOf(retention, kind, undefined)
    return { kind, result: 'ok', at: milliseconds(), retention: period, facts }
  }
  const gapWrite = ({ n, from, to }: Count<undefined>): Write =>
    pendingWrite(parts, { ...systemEntry('gap', { from, n, to }), result: 'unknown' })
  /** The first commit that succeeds also writes the gap entry, before its own. */
  const afterGap = <R extends CountedResult>(run: (gap: readonly Write[]) => Promise<R>): Promise<R> =>
    commitCounts(gaps, (counted) => run(counted.map(gapWrite)))
  const commit = (logging: Logging): Promise<LoggedResult> =>
    afterGap(async (gap) => {
      const result = await commitEntries(parts, logging, gap, 'log')
      if (result.kind === 'gone') throw new Error('an outcome is always logged')
      return result
    })
  const aggregateOf = ({ key: code, n, from, to }: Count<ProtocolCode>): LogEntryInput => {
    return { ...systemEntry('refused-aggregate', { code, from, n, to }), result: 'refused', code }
  }
  const noteGap = (at: number): void => gaps.add({ key: undefined, n: 1, from: at, to: at })
  return {
    milliseconds,
    retentionOf: (kind, weight) => retentionOf(retention, kind, weight),
    systemEntry,
    systemWrite: (kind, facts) => pendingWrite(parts, systemEntry(kind, facts)),
    hasSubjectKey: async (user) => (await parts.keys?.find(parts.blindIndexOf('user', user))) !== undefined,
    async ensureSubjectKey(user) {
      await parts.keys?.of(parts.blindIndexOf('user', user))
    },
    commitIntent: (writes, entryInput) =>
      afterGap((gap) => commitIntent(parts, [...gap, ...writes], entryInput)),
    commit,
    async refuse(entryInput, code, source) {
      if (!(await budget.take(source, code, entryInput.at))) return undefined
      try {
        // `isOutcome`: a user whose key was shredded gets no new one.
        const result = await commit({ writes: [], leaves: [entryInput], isOutcome: true })
        return result.kind === 'committed' ? result.receipt : undefined
      } catch {
        noteGap(entryInput.at)
        return undefined
      }
    },
    countGap: () => noteGap(milliseconds()),
    logAbandonedIntents: (startedBefore) => logAbandonedIntents(parts, startedBefore, milliseconds),
    async flush() {
      await commitCounts(budget.counts, (counted) => commit({ writes: [], leaves: counted.map(aggregateOf) }))
    },
  }
}

async function logAbandonedIntents(
  parts: AppenderDependencies,
  startedBefore: number,
  milliseconds: () => number,
): Promise<void> {
  for (;;) {
    const abandoned = await parts.store.listIntents(startedBefore, intentBatch)
    for (const intent of abandoned) await logAbandonedIntent(parts, intent, milliseconds())
    if (abandoned.length < intentBatch) return
  }
}

async function logAbandonedIntent(
  parts: AppenderDependencies,
  intent: IntentRecord,
  at: number,
): Promise<void> {
  const subject = await parts.keys?.find(intent.userBlindIndex)
  const retention = retentionOf(parts.retention, 'outcome-unknown', 'writes')
  const entryInput = abandonedIntentEntry(intent, subject, { at, retention })
  const logging = { writes: [], leaves: [entryInput], intent: intent.id, isOutcome: true }
  const result = await commitEntries(parts, logging, [], 'stop')
  if (result.kind === 'refused') throw new Error('an abandoned intent cannot be logged')
}

/** Events without entries of their own: how many, and from when to when. */
interface Count<K> {
  readonly key: K
  readonly n: number
  /** Milliseconds since 1970. */
  readonly from: number
  readonly to: number
}

/** Counts events by key, in memory; lost with the process. */
interface Tally<K> {
  add(...counts: readonly Count<K>[]): void
  /** Takes all counts; the caller writes them or adds them again. */
  take(): readonly Count<K>[]
}

export function createTally<K>(): Tally<K> {
  const counts = new Map<K, Count<K>>()
  return {
    add(...added) {
      for (const { key, n, from, to } of added) {
        const known = counts.get(key)
        counts.set(key, {
          key,
          n: (known?.n ?? 0) + n,
          from: Math.min(known?.from ?? from, from),
          to: Math.max(known?.to ?? to, to),
        })
      }
    },
    take() {
      const taken = [...counts.values()]
      counts.clear()
      return taken
    },
  }
}

interface CountedResult {
  readonly kind: string
}

/** Commits the counts of a tally; they stay in the tally unless the result is `committed`. */
async function commitCounts<K, R extends CountedResult>(
  tally: Tally<K>,
  commit: (counts: readonly Count<K>[]) => Promise<R>,
): Promise<R> {
  const taken = tally.take()
  let isCommitted = false
  try {
    const result = await commit(taken)
    isCommitted = result.kind === 'committed'
    return result
  } finally {
    if (!isCommitted) tally.add(...taken)
  }
}

/** Limits the entries of refusals, for each source and in total; refusals above a limit are counted by code. */
export interface RefusalBudget {
  /** Whether a refusal of this source gets an entry of its own; otherwise it is counted. */
  take(source: string, code: ProtocolCode, at: number): Promise<boolean>
  readonly counts: Tally<ProtocolCode>
}

/** Enough for a person, too little for a flood. */
const perSource = { count: 30, seconds: 60 }
/** Sources are attacker-controlled addresses: an attacker with many of them shares this limit. */
const inTotal = { count: 1_200, seconds: 60 }

/** Memory is bounded by the list of codes and by {@link createWindow}. */
export function createRefusalBudget(): RefusalBudget {
  const sources = createWindow(perSource)
  const total = createWindow(inTotal)
  const counts = createTally<ProtocolCode>()
  return {
    async take(source, code, at) {
      // In this order: a source over its own limit consumes nothing of the shared one.
      const isWithin = (await sources.consume(source)).isWithin && (await total.consume('all')).isWithin
      if (!isWithin) counts.add({ key: code, n: 1, from: at, to: at })
      return isWithin
    },
    counts,
  }
}
