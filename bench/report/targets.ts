/** The targets, and whether they were reached. */
import { peerLabels } from '../contenders.ts'
import type { Results } from '../results.ts'

export interface Verdict {
  readonly what: string
  readonly target: string
  readonly measured: string
  readonly isReached: boolean
  /** Additional figures. */
  readonly note: string
}

/** A verdict for every target whose figures were taken. */
export function verdictsOf(results: Results): readonly Verdict[] {
  return [
    ...ofFloor(results),
    ...ofPeers(results),
    ...ofHalfLoad(results),
    ...ofGrowth(results),
    ...ofProcesses(results),
  ]
}

function ofFloor({ compared }: Results): readonly Verdict[] {
  const row = compared?.rows.find(({ name }) => name === 'floor')
  if (row === undefined) return []
  const { byClock, byProcessor } = row.ours
  return [
    {
      what: 'encrypted POST relative to the crypto floor of one core, in CPU time',
      target: '≥ 60 %',
      measured: percent(byProcessor),
      isReached: byProcessor >= 0.6,
      note: `in wall-clock time ${percent(byClock)}`,
    },
  ]
}

const peerTargets = { dpop: 5, 'dpop-agreement': 5, 'http-signatures': 5, 'wechat-pay': 3 } as const

function ofPeers({ compared }: Results): readonly Verdict[] {
  return Object.entries(peerTargets).flatMap(([name, least]) => {
    const row = compared?.rows.find((found) => found.name === name)
    if (row === undefined) return []
    const { byClock, byProcessor } = row.ours
    return [
      {
        what: `encrypted POST relative to ${labelOf(name)}, in wall-clock time`,
        target: `≥ ${least} ×`,
        measured: times(byClock),
        isReached: byClock >= least,
        note: `in CPU time ${times(byProcessor)}`,
      },
    ]
  })
}

function ofHalfLoad({ halfLoad }: Results): readonly Verdict[] {
  if (halfLoad === undefined) return []
  const { spread, p50, p99 } = halfLoad
  return [
    {
      what: 'p99 relative to p50 at half load',
      target: '≤ 10 ×',
      measured: times(spread),
      isReached: spread <= 10,
      note: `p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`,
    },
  ]
}

function ofGrowth({ growth }: Results): readonly Verdict[] {
  if (growth === undefined) return []
  const [smallest, largest] = [growth.rows[0]?.size ?? 0, growth.rows.at(-1)?.size ?? 0]
  return [
    {
      what: `throughput lost from ${count(smallest)} to ${count(largest)} sessions and entries`,
      target: '≤ 10 %',
      measured: percent(growth.loss),
      isReached: growth.loss <= 0.1,
      note: '',
    },
  ]
}

function ofProcesses({ ours, machine }: Results): readonly Verdict[] {
  const ratio = ours?.secondProcess
  if (ratio === undefined) return []
  return [
    {
      what: 'PostgreSQL, two processes relative to one, in wall-clock time',
      target: '≥ 1.5 ×',
      measured: times(ratio),
      isReached: ratio >= 1.5,
      note: `${machine.cores} cores for the processes, PostgreSQL and the load generator`,
    },
  ]
}

/** The label of a row. */
export function labelOf(name: string): string {
  if (name === 'miniseal') return 'Miniseal'
  if (name === 'floor') return 'crypto floor, one core'
  return name in peerLabels ? peerLabels[name as keyof typeof peerLabels] : name
}

export function count(value: number): string {
  return value.toLocaleString('en-US')
}

function percent(value: number): string {
  return `${(100 * value).toFixed(1)} %`
}

function times(value: number): string {
  return `${value.toFixed(2)} ×`
}
