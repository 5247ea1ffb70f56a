/** Throughput as sessions and log entries grow, and the memory and disk space of each. */
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import type { BenchRun } from '../bench-run.ts'
import type { Deployment } from '../deployment.ts'
import { deploy } from '../deployment.ts'
import { fillDatabase } from '../growth/fill.ts'
import type { RoundFigures, Subject } from '../load-source.ts'
import { median } from '../load-source.ts'

export interface GrowthRow {
  /** Sessions, and log entries, before the first round. */
  readonly size: number
  /** Medians over the rounds. */
  readonly perSecond: number
  /** Milliseconds. */
  readonly p50: number
  readonly p99: number
}

export interface GrowthFigures {
  readonly rows: readonly GrowthRow[]
  /** The relative slowdown from the smallest to the largest database, 0 to 1: the median over the rounds. */
  readonly loss: number
  /** Of the database, for each sealed POST, everything included. */
  readonly diskBytes: number
  readonly memory: MemoryFigures
}

/** Of the service, in bytes, after all garbage was collected. */
export interface MemoryFigures {
  readonly idle: number
  readonly sessions: number
  readonly session: number
  readonly sockets: number
  readonly socket: number | undefined
}

interface Grown {
  readonly size: number
  readonly subject: Subject
  readonly path: string
}

/** Sessions that send: enough that no cache of pages holds just them. */
const maxUsers = 200
const content = 200

export async function measureGrowth(run: BenchRun): Promise<GrowthFigures> {
  const memory = await measureMemory(run)
  const young = await makeYoung(run)
  const grown: Grown[] = []
  for (const size of run.options.sizes) grown.push(await grow(run, young, size))
  const before = countOf(grown)
  const { rounds, seconds, connections: tried } = run.options
  const connections = tried.at(-1) ?? 1
  const taken = new Map<number, RoundFigures[]>(grown.map(({ size }) => [size, []]))
  for (let i = 0; i < rounds; i++) {
    for (const { size, subject } of i % 2 === 0 ? grown : grown.toReversed()) {
      const figures = await run.load.round({ subject, shape: 'post', connections, content, seconds })
      taken.get(size)?.push(figures)
      run.log(`round ${i + 1} of ${rounds}, ${size} sessions and entries: ${figures.perSecond.toFixed(0)}/s`)
    }
  }
  const after = countOf(grown)
  const rows = grown.map(({ size }) => rowOf(size, taken.get(size) ?? []))
  const [first = [], last = []] = [taken.get(grown[0]?.size ?? 0), taken.get(grown.at(-1)?.size ?? 0)]
  const ratios = last.map(({ perSecond }, index) => perSecond / (first[index]?.perSecond ?? perSecond))
  const diskBytes = (after.bytes - before.bytes) / (after.requests - before.requests)
  return { rows, loss: 1 - median(ratios), diskBytes, memory }
}

function rowOf(size: number, taken: readonly RoundFigures[]): GrowthRow {
  return {
    size,
    perSecond: median(taken.map(({ perSecond }) => perSecond)),
    p50: median(taken.map(({ p50 }) => p50)),
    p99: median(taken.map(({ p99 }) => p99)),
  }
}

/** A service that was started, used and stopped. */
interface Young {
  readonly folder: string
  readonly masterKey: string
}

async function makeYoung(run: BenchRun): Promise<Young> {
  const folder = run.folder('young')
  const deployment = await deploy({ ...oneProcess(run, folder), users: 4 })
  run.afterwards(deployment.stop)
  const subject = subjectOf('young', deployment)
  await run.load.open(subject)
  await run.load.round({ subject, shape: 'post', connections: 2, content, seconds: 0.1 })
  await deployment.stop()
  return { folder, masterKey: deployment.masterKey }
}

/** The same service with a filled database. */
async function grow(run: BenchRun, { folder: from, masterKey }: Young, size: number): Promise<Grown> {
  const folder = run.folder(`grown-${size}`)
  const path = join(folder, 'miniseal.db')
  cpSync(from, folder, { recursive: true })
  run.log(`filling a database: ${size} sessions, ${size} log entries`)
  await fillDatabase(path, size, masterKey)
  const deployment = await deploy({
    ...oneProcess(run, folder),
    users: Math.min(maxUsers, run.options.sessions),
    database: { location: `sqlite:${path}`, masterKey },
  })
  run.afterwards(deployment.stop)
  const subject = subjectOf(`grown-${size}`, deployment)
  await run.load.open(subject)
  await run.load.round({ subject, shape: 'post', connections: 8, content, seconds: 0.3 })
  return { size, subject, path }
}

function oneProcess({ sandbox }: BenchRun, folder: string) {
  return { folder, engine: 'sqlite', processes: 1, sandbox } as const
}

function subjectOf(name: string, { target, cpu }: Deployment): Subject {
  return { name, scheme: 'miniseal', target, cpu }
}

/** Bytes of all databases, including their WAL, and the number of POSTs they recorded. */
function countOf(grown: readonly Grown[]): { readonly bytes: number; readonly requests: number } {
  let [bytes, requests] = [0, 0]
  for (const { path } of grown) {
    const connection = new Database(path, { readonly: true })
    const pragma = (name: string): number => Number(connection.pragma(name, { simple: true }))
    bytes += (pragma('page_count') - pragma('freelist_count')) * pragma('page_size')
    requests += connection.prepare<[], number>('select count(*) from idempotency_keys').pluck().get() ?? 0
    connection.close()
  }
  return { bytes, requests }
}

async function measureMemory(run: BenchRun): Promise<MemoryFigures> {
  const { sessions, sockets: wanted } = run.options
  const deployment = await deploy({ ...oneProcess(run, run.folder('memory')), users: 1 })
  run.afterwards(deployment.stop)
  const { target } = deployment
  // The memory of the first thousand is mostly that of the code, warming up.
  await run.load.openSessions(target, Math.min(1_000, sessions))
  await run.load.closeSockets()
  const idle = await deployment.rss()
  run.log(`opening ${sessions} sessions`)
  await run.load.openSessions(target, sessions)
  const withSessions = await deployment.rss()
  run.log(`opening ${wanted} sockets`)
  const sockets = wanted === 0 ? 0 : await run.load.openSockets(wanted)
  const withSockets = await deployment.rss()
  if (sockets < wanted)
    run.load.warnings.add(
      `only ${sockets} of ${wanted} sockets were open at once: sessions (2 for each), open files (ulimit -n) or ports ran out`,
    )
  await run.load.closeSockets()
  await deployment.stop()
  return {
    idle,
    sessions,
    session: (withSessions - idle) / sessions,
    sockets,
    socket: sockets === 0 ? undefined : (withSockets - withSessions) / sockets,
  }
}
