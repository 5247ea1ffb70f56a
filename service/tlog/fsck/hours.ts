/** The counts that charts are drawn from, made anew from the entries. */
import type { HourlyCount } from '../../store/tlog-tree.ts'
import type { Findings } from './findings.ts'

export interface HourTally {
  /** @param at milliseconds since 1970 */
  add(at: number, kind: string, result: string, code: string): void
  /** Compares with what is stored. */
  compare(stored: AsyncIterable<readonly HourlyCount[]>, findings: Findings): Promise<void>
}

/** Holds a number for each hour and what happened in it: a few MiB for a year. */
export function tallyHours(): HourTally {
  const counts = new Map<string, number>()
  return {
    add(at, kind, result, code) {
      const name = nameOf(Math.floor(at / 3_600_000) * 3600, kind, result, code)
      counts.set(name, (counts.get(name) ?? 0) + 1)
    },
    async compare(stored, findings) {
      const left = new Map(counts)
      for await (const page of stored) {
        for (const { hour, kind, result, code, entries } of page) {
          const name = nameOf(hour, kind, result, code)
          const counted = left.get(name) ?? 0
          left.delete(name)
          if (counted !== entries) report(findings, name, entries, counted)
        }
      }
      for (const [name, counted] of left) report(findings, name, 0, counted)
    },
  }
}

function nameOf(hour: number, kind: string, result: string, code: string): string {
  return `${new Date(hour * 1000).toISOString().slice(0, 13)}:00Z ${kind} ${result} ${code}`.trimEnd()
}

function report(findings: Findings, name: string, stored: number, counted: number): void {
  findings.report('hours-changed', `hour ${name}`, `the table counts ${stored} entries, there are ${counted}`)
}
