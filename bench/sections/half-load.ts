/** Latency at a constant half of the rate that the service reached a moment before. */
import type { BenchRun } from '../bench-run.ts'
import type { Subject } from '../load-source.ts'
import { median } from '../load-source.ts'

export interface HalfLoadFigures {
  /** Requests per second. */
  readonly rate: number
  /** Milliseconds, medians over the rounds. */
  readonly p50: number
  readonly p99: number
  /** p99 to p50: the median of the ratios within each round. */
  readonly spread: number
}

const content = 200

/** Each takes as long as two rounds of other sections. */
const mostRounds = 3

export async function measureHalfLoad(run: BenchRun, subject: Subject): Promise<HalfLoadFigures> {
  const { rounds, seconds, connections: tried } = run.options
  const connections = tried.at(-1) ?? 1
  const found: HalfLoadFigures[] = []
  for (let i = 0; i < Math.min(rounds, mostRounds); i++) {
    const round = { subject, shape: 'post', connections, content, seconds } as const
    const { perSecond } = await run.load.round(round)
    const rate = Math.max(1, Math.round(perSecond / 2))
    const { p50, p99 } = await run.load.round({ ...round, rate })
    run.log(`at ${rate}/s, half of the rate reached: p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`)
    found.push({ rate, p50, p99, spread: p99 / p50 })
  }
  const middle = (read: (figures: HalfLoadFigures) => number): number => median(found.map(read))
  return {
    rate: middle(({ rate }) => rate),
    p50: middle(({ p50 }) => p50),
    p99: middle(({ p99 }) => p99),
    spread: middle(({ spread }) => spread),
  }
}
