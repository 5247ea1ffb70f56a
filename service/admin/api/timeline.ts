/** Charts: from the hourly counts where possible, otherwise from the entries. */
import type { Store } from '../../store/store.ts'
import type { LeafResult } from '../../store/tlog-entries.ts'
import type { HourlyCount } from '../../store/tlog-tree.ts'
import type { CountedSeries, OverviewAnswer, TimeBucket, TimelineAnswer } from './answers.ts'
import type { AuditFilter, AuditSearch } from './search.ts'

/** A range in milliseconds since 1970, cut into steps that begin at multiples of `step`. */
export interface Range {
  readonly from: number
  readonly until: number
  readonly step: number
}

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour

/** Step sizes in milliseconds. */
const steps = [
  ...[1_000, 5_000, 15_000, minute, 5 * minute, 15 * minute],
  ...[hour, 3 * hour, 6 * hour, 12 * hour, day, 7 * day, 30 * day, 365 * day],
]
const maxBuckets = 120

/** Ranges up to this length are counted from the entries. */
const shortRange = 12 * hour

/** Entries that are counted one by one. */
const maxScanned = 20_000

/** Open ends default to the oldest entry and to now. */
async function rangeOf(
  store: Pick<Store, 'findLogEntry'>,
  { from, until }: Pick<AuditFilter, 'from' | 'until'>,
  now: number,
  finest = 1_000,
): Promise<Range> {
  const end = until ?? now
  const begin = Math.min(from ?? (await store.findLogEntry(0))?.at ?? end - day, end)
  const fitting = steps.filter((step) => step >= finest).find((step) => (end - begin) / step <= maxBuckets)
  const step = fitting ?? Math.ceil((end - begin) / maxBuckets / day) * day
  return { from: Math.floor(begin / step) * step, until: end, step }
}

/** Counts by step. */
export interface Tally {
  /** Ignored outside the range. @param at milliseconds since 1970 */
  add(at: number, result: LeafResult, entries: number): void
  readonly buckets: readonly TimeBucket[]
}

function createTally({ from, until, step }: Range): Tally {
  const length = Math.max(1, Math.ceil((until - from) / step))
  const buckets = Array.from({ length }, (_, i) => ({
    at: from + i * step,
    ...{ ok: 0, refused: 0, failed: 0, unknown: 0 },
  }))
  return {
    buckets,
    add(at, result, entries) {
      const bucket = buckets[Math.floor((at - from) / step)]
      if (bucket !== undefined) bucket[result] += entries
    },
  }
}

/** An hourly count; an hour that began before the range counts for the first step. */
interface PlacedCount extends HourlyCount {
  /** Milliseconds since 1970. */
  readonly at: number
}

/** The hours of a range. */
async function* hoursOf(
  store: Pick<Store, 'streamHourlyCounts'>,
  { from, until }: Range,
): AsyncGenerator<PlacedCount> {
  const pages = store.streamHourlyCounts(Math.floor(from / hour) * 3_600, Math.ceil(until / 1_000))
  for await (const page of pages)
    for (const count of page) yield { ...count, at: Math.max(count.hour * 1_000, from) }
}

/** The chart above the table: matching entries by step. */
export async function timelineOf(
  parts: { readonly store: Pick<Store, 'findLogEntry' | 'streamHourlyCounts'>; readonly search: AuditSearch },
  filter: AuditFilter,
  now: number,
): Promise<TimelineAnswer> {
  const range = await rangeOf(parts.store, filter, now)
  if (isByHours(filter) && range.until - range.from > shortRange) {
    const coarse = await rangeOf(parts.store, filter, now, hour)
    const tally = createTally(coarse)
    for await (const count of hoursOf(parts.store, coarse))
      if (isAskedFor(count, filter)) tally.add(count.at, count.result, count.entries)
    return { ...coarse, buckets: tally.buckets, isComplete: true }
  }
  const times = await parts.search.times({ ...filter, from: range.from, until: range.until }, maxScanned)
  const tally = createTally(range)
  for (const { at, result } of times) tally.add(at, result, 1)
  return { ...range, buckets: tally.buckets, isComplete: times.length < maxScanned }
}

const columns: ReadonlySet<string> = new Set(['from', 'until', 'kind', 'result', 'code'])

function isByHours(filter: AuditFilter): boolean {
  return Object.keys(filter).every((name) => columns.has(name))
}

function isAskedFor(count: HourlyCount, { kind, result, code }: AuditFilter): boolean {
  return [
    [kind, count.kind],
    [result, count.result],
    [code, count.code],
  ].every(([wanted, actual]) => wanted === undefined || wanted === actual)
}

// The overview is computed from the hourly counts alone.

/** Codes with a series of their own. */
const maxCodes = 20

/** Accesses of auditors are not traffic. */
const ofAuditors: ReadonlySet<string> = new Set(['audit-read', 'audit-exported'])

/** @param now milliseconds since 1970 */
export async function overviewOf(
  store: Pick<Store, 'findLogEntry' | 'streamHourlyCounts'>,
  filter: Pick<AuditFilter, 'from' | 'until'>,
  now: number,
): Promise<OverviewAnswer> {
  const range = await rangeOf(store, filter, now, hour)
  const all = createTally(range)
  const lines = createLines(range)
  const codes = createLines(range)
  for await (const { at, kind, result, code, entries } of hoursOf(store, range)) {
    if (ofAuditors.has(kind)) continue
    all.add(at, result, entries)
    if (code !== '') codes.add(code, at, entries)
    if (kind === 'device-added') lines.add('devices', at, entries)
    if (kind === 'login' && result === 'ok') lines.add('logins', at, entries)
    if (code === 'step_up_required') lines.add('stepUps', at, entries)
  }
  return {
    ...range,
    buckets: all.buckets,
    refusals: codes.all().slice(0, maxCodes),
    devices: lines.counts('devices'),
    logins: lines.counts('logins'),
    stepUps: lines.counts('stepUps'),
  }
}

/** Lines of a chart by their names. */
function createLines(range: Range) {
  const tallies = new Map<string, Tally>()
  const tallyOf = (name: string): Tally => {
    const tally = tallies.get(name) ?? createTally(range)
    tallies.set(name, tally)
    return tally
  }
  const counts = (name: string): readonly number[] => tallyOf(name).buckets.map(({ ok }) => ok)
  return {
    counts,
    add: (name: string, at: number, entries: number) => tallyOf(name).add(at, 'ok', entries),
    /** The most frequent first. */
    all: (): readonly CountedSeries[] =>
      [...tallies.keys()]
        .map((code) => {
          const each = counts(code)
          return { code, total: each.reduce((sum, count) => sum + count, 0), counts: each }
        })
        .sort((a, b) => b.total - a.total),
  }
}
