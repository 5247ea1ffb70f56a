/** What happened in a time, by what it was: from the counts of hours alone. */
import type { HourCount } from '../store/log-records.ts'
import type { Store } from '../store/store.ts'
import type { CountedSeries, OverviewAnswer } from './answers.ts'
import type { AuditFilter } from './filter.ts'
import type { Range } from './timeline.ts'
import { bucketsOf, listHours, rangeOf } from './timeline.ts'

const hour = 3_600_000

/** Codes that have a line of their own. */
const mostCodes = 20

/** What an auditor does is not what the service is asked for. */
const ofAuditors: ReadonlySet<string> = new Set(['audit-read', 'audit-exported'])

/** @param now milliseconds since 1970 */
export async function overviewOf(
  store: Pick<Store, 'findLogEntry' | 'listHourCounts'>,
  filter: Pick<AuditFilter, 'from' | 'until'>,
  now: number,
): Promise<OverviewAnswer> {
  const range = await rangeOf(store, filter, now, hour)
  const hours = (await listHours(store, range)).filter(({ kind }) => !ofAuditors.has(kind))
  const counts = hours.map(({ hour: at, result, entries }) => ({
    at: timeOf(at, range),
    counted: { [result]: entries },
  }))
  const of = (isIt: (count: HourCount) => boolean): readonly number[] => countsOf(range, hours.filter(isIt))
  return {
    ...range,
    buckets: bucketsOf(range, counts),
    refusals: refusalsOf(range, hours),
    devices: of(({ kind }) => kind === 'device-added'),
    logins: of(({ kind, result }) => kind === 'login' && result === 'ok'),
    stepUps: of(({ code }) => code === 'step_up_required'),
  }
}

/** An hour that began before the range counts for its first step. */
function timeOf(at: number, { from }: Range): number {
  return Math.max(at * 1_000, from)
}

function countsOf(range: Range, hours: readonly HourCount[]): readonly number[] {
  const counts = hours.map(({ hour: at, entries }) => ({ at: timeOf(at, range), counted: { ok: entries } }))
  return bucketsOf(range, counts).map(({ ok }) => ok)
}

function refusalsOf(range: Range, hours: readonly HourCount[]): readonly CountedSeries[] {
  return [...group(hours)]
    .map(([code, of]) => {
      return { code, total: of.reduce((sum, { entries }) => sum + entries, 0), counts: countsOf(range, of) }
    })
    .sort((a, b) => b.total - a.total)
    .slice(0, mostCodes)
}

function group(hours: readonly HourCount[]): ReadonlyMap<string, HourCount[]> {
  const groups = new Map<string, HourCount[]>()
  for (const count of hours) {
    if (count.code === '') continue
    const known = groups.get(count.code)
    if (known === undefined) groups.set(count.code, [count])
    else known.push(count)
  }
  return groups
}
