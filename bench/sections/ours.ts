/** Miniseal alone: logins, encrypted POST and encrypted GET, on both databases, with one process and with two. */
import type { BenchRun } from '../bench-run.ts'
import type { Shape } from '../clients/client.ts'
import type { Engine } from '../deployment.ts'
import { defaultUsers, deploy, postgresUrl } from '../deployment.ts'
import type { RoundFigures, Subject } from '../load-source.ts'
import { median } from '../load-source.ts'

export interface OursRow {
  readonly engine: Engine
  readonly processes: number
  readonly shape: Shape
  readonly connections: number
  readonly perSecond: number
  readonly perCpuSecond: number
  /** Milliseconds. */
  readonly p50: number
  readonly p99: number
}

export interface OursFigures {
  readonly rows: readonly OursRow[]
  /** Sealed POST on PostgreSQL, two processes to one, of alternating rounds; absent without PostgreSQL. */
  readonly secondProcess: number | undefined
}

/** Bytes of a POST's body. */
const content = 200

interface Placed {
  readonly processes: number
  readonly subject: Subject
}

export async function measureOurs(run: BenchRun): Promise<OursFigures> {
  const rows: OursRow[] = []
  let secondProcess: number | undefined
  for (const engine of enginesHere(run)) {
    const placed: Placed[] = []
    const stops: (() => Promise<void>)[] = []
    for (const processes of [1, 2]) {
      const name = `ours-${engine}-${processes}`
      const deployment = await deploy({
        ...{ folder: run.folder(name), engine, processes, sandbox: run.sandbox },
        users: defaultUsers(run.options),
      })
      run.afterwards(deployment.stop)
      stops.push(deployment.stop)
      const subject = { name, scheme: 'miniseal', target: deployment.target, cpu: deployment.cpu } as const
      await run.load.open(subject)
      placed.push({ processes, subject })
    }
    rows.push(...(await measureEngine(run, engine, placed)))
    if (engine === 'postgres') secondProcess = await compareProcesses(run, placed)
    for (const stop of stops) await stop()
  }
  return { rows, secondProcess }
}

function enginesHere(run: BenchRun): readonly Engine[] {
  if (postgresUrl() !== undefined) return ['sqlite', 'postgres']
  run.load.warnings.add('TEST_POSTGRES_URL is not set: nothing was measured on PostgreSQL')
  return ['sqlite']
}

async function measureEngine(
  run: BenchRun,
  engine: Engine,
  placed: readonly Placed[],
): Promise<readonly OursRow[]> {
  const { seconds, connections } = run.options
  const most = connections.at(-1) ?? 1
  const kinds = [
    ...connections.map((open) => ({ shape: 'post', open }) as const),
    ...connections.map((open) => ({ shape: 'get', open }) as const),
    { shape: 'login', open: Math.min(16, most) } as const,
  ]
  const rows: OursRow[] = []
  for (const { shape, open } of kinds) {
    for (const { processes, subject } of placed) {
      const round = { subject, shape, connections: open, content, seconds }
      const figures = await run.load.round(round)
      rows.push(rowOf({ engine, processes, shape, connections: open }, figures))
      run.log(
        `${engine}, ${processes} process(es), ${shape}, ${open} connection(s): ${figures.perSecond.toFixed(0)}/s`,
      )
    }
  }
  return rows
}

function rowOf(
  what: Pick<OursRow, 'engine' | 'processes' | 'shape' | 'connections'>,
  { perSecond, perCpuSecond, p50, p99 }: RoundFigures,
): OursRow {
  return { ...what, perSecond, perCpuSecond, p50, p99 }
}

async function compareProcesses(run: BenchRun, placed: readonly Placed[]): Promise<number> {
  const { seconds, rounds, connections } = run.options
  const reached = new Map<number, number[]>()
  for (let i = 0; i < rounds; i++) {
    for (const { processes, subject } of placed) {
      const round = {
        subject,
        shape: 'post',
        connections: connections.at(-1) ?? 1,
        content,
        seconds,
      } as const
      const { perSecond } = await run.load.round(round)
      reached.set(processes, [...(reached.get(processes) ?? []), perSecond])
    }
  }
  const ratio = median(reached.get(2) ?? []) / median(reached.get(1) ?? [])
  run.log(`PostgreSQL, two processes to one: ${ratio.toFixed(2)}`)
  return ratio
}
