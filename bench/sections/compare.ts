/** Compares Miniseal with the crypto floor and its peers, in alternating rounds. */
import type { BenchRun } from '../bench-run.ts'
import { transferBody } from '../clients/client.ts'
import type { Contenders } from '../contenders.ts'
import type { Subject } from '../load-source.ts'
import { median } from '../load-source.ts'
import type { Program } from '../program.ts'
import type { FloorCalls } from '../programs/floor.ts'

export interface CompareRow {
  /** `floor`, or the name of a subject. */
  readonly name: string
  /** Medians over the rounds. */
  readonly perSecond: number
  readonly perCpuSecond: number
  /** Milliseconds; absent for the floor. */
  readonly p50: number | undefined
  readonly p99: number | undefined
  /** Miniseal's figure to this one: the median of the ratios within each round. */
  readonly ours: { readonly byClock: number; readonly byProcessor: number }
}

export interface CompareFigures {
  readonly connections: number
  /** Bytes of a body. */
  readonly content: number
  readonly rows: readonly CompareRow[]
  /** Bytes that the steps of the floor work on. */
  readonly floorSizes: Readonly<Record<string, number | readonly number[]>>
}

interface Taken {
  readonly perSecond: number
  readonly perCpuSecond: number
  readonly p50?: number
  readonly p99?: number
}

const content = 200

export async function compare(
  run: BenchRun,
  { ours, peers }: Contenders,
  floor: Program<FloorCalls>,
): Promise<CompareFigures> {
  const { rounds, seconds, connections: tried } = run.options
  const connections = tried.at(-1) ?? 1
  const body = transferBody(content, 0)
  const { sizes } = await floor.call('cryptography', { seconds: 0.2, body })
  const names = ['floor', ours.name, ...peers.map(({ name }) => name)]
  const taken = new Map(names.map((name) => [name, [] as Taken[]]))
  const measure = async (name: string): Promise<Taken> => {
    if (name === 'floor') return await floor.call('cryptography', { seconds: Math.min(1, seconds), body })
    const subject = [ours, ...peers].find((known) => known.name === name) as Subject
    return await run.load.round({ subject, shape: 'post', connections, content, seconds })
  }
  for (let i = 0; i < rounds; i++) {
    // The order alternates, so that growth during the run favours no subject.
    for (const name of i % 2 === 0 ? names : names.toReversed()) {
      const figures = await measure(name)
      taken.get(name)?.push(figures)
      run.log(`round ${i + 1} of ${rounds}, ${name}: ${figures.perSecond.toFixed(0)}/s`)
    }
  }
  const own = taken.get(ours.name) ?? []
  const rows = names.map((name) => rowOf(name, taken.get(name) ?? [], own))
  return { connections, content, rows, floorSizes: { ...sizes } }
}

function rowOf(name: string, taken: readonly Taken[], own: readonly Taken[]): CompareRow {
  const middle = (read: (figures: Taken) => number | undefined): number | undefined => {
    const values = taken.map(read).filter((value) => value !== undefined)
    return values.length === 0 ? undefined : median(values)
  }
  const ratio = (read: (figures: Taken) => number): number =>
    median(own.map((figures, index) => read(figures) / read(taken[index] ?? figures)))
  return {
    name,
    perSecond: middle(({ perSecond }) => perSecond) ?? Number.NaN,
    perCpuSecond: middle(({ perCpuSecond }) => perCpuSecond) ?? Number.NaN,
    p50: middle(({ p50 }) => p50),
    p99: middle(({ p99 }) => p99),
    ours: {
      byClock: ratio(({ perSecond }) => perSecond),
      byProcessor: ratio(({ perCpuSecond }) => perCpuSecond),
    },
  }
}
