/** What happened in a time, by what it was: from the counts of hours alone. */
import type { Store } from '../../store/store.ts'
import type { CountedSeries, OverviewAnswer } from './answers.ts'
import type { AuditFilter } from './filter.ts'
import type { Range, Tally } from './timeline.ts'
import { createTally, hoursOf, rangeOf } from './timeline.ts'

const hour = 3_600_000

/** Codes that have a line of their own. */
const maxCodes = 20

/** What an auditor does is not what the service is asked for. */
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
