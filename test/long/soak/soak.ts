/**
 * Watches a service under mixed traffic for growth: `npx tsx --conditions=source test/long/soak/soak.ts [--minutes N] [--people N] [--leak]`.
 *
 * Uses PostgreSQL if TEST_POSTGRES_URL names a server, else SQLite. Exits with 1 if a figure grows or a response is not
 * the expected one.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { sandboxApp } from '../../../service/wechat/apps.ts'
import { createSandbox } from '../../../service/wechat/sandbox/sandbox.ts'
import { createPostgres, createSqlite } from '../../integration/store/engines.ts'
import type { TestService } from '../../support/service.ts'
import { freePort } from '../../support/service-process.ts'
import { allowances, judge, median, type Point, quantile, type Series } from './judge.ts'
import type { Held, Instruction, Started } from './service-child.ts'
import { startTraffic, type Traffic } from './traffic.ts'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    people: { type: 'string', default: '8' },
    leak: { type: 'boolean', default: false },
  },
})
const minutes = Number(values.minutes)
const people = Number(values.people)
if (!(minutes >= 2 && minutes <= 10_000) || !(people >= 1 && people <= 500)) {
  console.error('soak: --minutes is 2 to 10000, --people 1 to 500')
  process.exit(2)
}

/** Seconds between two samples. */
const period = 5
const mebibyte = 1024 * 1024

/** The figures at one moment. */
interface Sample extends Held {
  readonly at: number
  readonly p50: number
  readonly p99: number
  readonly requests: number
  /** Load average of the machine. */
  readonly load: number
}

const folder = mkdtempSync(join(tmpdir(), 'miniseal-soak-'))
const database = process.env.TEST_POSTGRES_URL === undefined ? await createSqlite() : await createPostgres()
const sandbox = createSandbox({ apps: [sandboxApp] })
const { url: sandboxUrl } = await sandbox.start(0, '127.0.0.1')

function startChild(port: number): ChildProcess {
  const { location } = database
  return fork(fileURLToPath(new URL('service-child.ts', import.meta.url)), {
    execArgv: ['--expose-gc', '--conditions=source', '--import', 'tsx'],
    env: {
      PATH: process.env.PATH,
      PORT: String(port),
      MINISEAL_DATA: folder,
      MINISEAL_DATABASE: location.kind === 'sqlite' ? `sqlite:${location.path}` : location.url,
      MINISEAL_WECHAT_API: sandboxUrl,
      ...(values.leak ? { SOAK_LEAK: '1' } : {}),
    },
  })
}

async function hear<T extends { readonly kind: string }>(child: ChildProcess, kind: T['kind']): Promise<T> {
  for (;;) {
    const [message] = (await once(child, 'message')) as [T]
    if (message.kind === kind) return message
  }
}

function serviceAt({ url, roots }: Started): TestService {
  const unused = (): never => {
    throw new Error('not of a service in another process')
  }
  return {
    ...{ url, origin: url, sandboxUrl, roots, appid: sandboxApp.appid, environment: {} },
    now: () => Math.floor(Date.now() / 1000),
    code: async (openid) => {
      const answer = await fetch(`${sandboxUrl}/sandbox/codes`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ appid: sandboxApp.appid, ...(openid === undefined ? {} : { openid }) }),
      })
      return ((await answer.json()) as { code: string }).code
    },
    ...{ logText: unused, advanceClock: unused, sandbox: unused, close: unused },
  }
}

async function measure(child: ChildProcess, traffic: Traffic, at: number): Promise<Sample> {
  const instruction: Instruction = { kind: 'hold' }
  const answer = hear<Held>(child, 'held')
  child.send(instruction)
  const held = await answer
  const times = traffic.takeTimes()
  return {
    ...held,
    at,
    p50: median(times),
    p99: quantile(times, 0.99),
    requests: times.length,
    load: loadavg()[0] ?? 0,
  }
}

const columns = [
  'minute',
  'requests',
  'p50 ms',
  'p99 ms',
  'rss MiB',
  'heap MiB',
  'handles',
  'loop p99 ms',
  'load',
]
const widths = columns.map((column) => Math.max(9, column.length))
const line = (cells: readonly string[]): string =>
  cells.map((cell, i) => cell.padStart(widths[i] ?? 9)).join(' ')

function rowOf(minute: number, samples: readonly Sample[]): string {
  const of = (name: keyof Held | 'p50' | 'p99'): number =>
    median(samples.map((sample) => Number(sample[name])))
  const requests = samples.reduce((sum, sample) => sum + sample.requests, 0)
  const figures = [of('p50'), of('p99'), of('rss') / mebibyte, of('heap') / mebibyte].map((x) => x.toFixed(1))
  const load = (loadavg()[0] ?? 0).toFixed(1)
  return line([
    String(minute),
    String(requests),
    ...figures,
    String(of('handles')),
    of('loop').toFixed(1),
    load,
  ])
}

/** Memory and handles; also times, unless other work slowed the machine down. */
function seriesOf(samples: readonly Sample[]): readonly Series[] {
  const points = (name: keyof typeof allowances, unit: string): Series => {
    const own: readonly Point[] = samples.map((sample) => ({ at: sample.at, value: sample[name] }))
    return { name, unit, points: own, allowed: allowances[name] }
  }
  const held = [points('heap', 'MiB'), points('rss', 'MiB'), points('handles', '')]
  const { hasGrown, rise } = judge(points('load', ''))
  if (!hasGrown) return [...held, points('loop', 'ms'), points('p50', 'ms'), points('p99', 'ms')]
  console.log(`\ntimes are not judged: the load of the machine rose by ${rise.toFixed(1)} meanwhile`)
  return held
}

async function watch(child: ChildProcess, traffic: Traffic): Promise<readonly Sample[]> {
  const samples: Sample[] = []
  const startedAt = performance.now()
  console.log(line(columns))
  for (let n = 1; n * period <= minutes * 60; n++) {
    await sleep(Math.max(0, startedAt + n * period * 1000 - performance.now()))
    samples.push(await measure(child, traffic, n * period))
    const perMinute = 60 / period
    if (n % perMinute === 0) console.log(rowOf(n / perMinute, samples.slice(-perMinute)))
  }
  return samples
}

/** @returns whether the soak passed */
function report(samples: readonly Sample[], traffic: Traffic): boolean {
  const verdicts = seriesOf(samples).map(judge)
  console.log(
    `\n${traffic.requests()} requests, ${traffic.events()} events over sockets; rise within the second half:`,
  )
  for (const { name, unit, rise, allowed, hasGrown } of verdicts) {
    const show = (x: number): string => `${(unit === 'MiB' ? x / mebibyte : x).toFixed(1)} ${unit}`.trim()
    console.log(
      `  ${name.padEnd(8)} ${show(rise)}, allowed ${show(allowed)}${hasGrown ? '   HAS GROWN' : ''}`,
    )
  }
  for (const [text, count] of traffic.faults) console.log(`  ${count} times not as expected: ${text}`)
  const grown = verdicts.filter(({ hasGrown }) => hasGrown).map(({ name }) => name)
  if (grown.length > 0) console.log(`FAILED: ${grown.join(', ')} went on growing`)
  else if (traffic.faults.size > 0) console.log('FAILED: not every answer was the expected one')
  else console.log('passed: nothing went on growing')
  return grown.length === 0 && traffic.faults.size === 0
}

const child = startChild(await freePort())
const ended = once(child, 'exit')
const service = serviceAt(await hear<Started>(child, 'started'))
console.log(
  `${database.location.kind}, ${people} people, ${minutes} minutes, load ${loadavg()[0]?.toFixed(1)}`,
)
const traffic = startTraffic(service, people, (user) => {
  const instruction: Instruction = { kind: 'push', user }
  child.send(instruction)
})
const isWell = report(await watch(child, traffic), traffic)
await traffic.stop()
const stop: Instruction = { kind: 'stop' }
child.send(stop)
await ended
await sandbox.close()
await database.remove()
rmSync(folder, { recursive: true, force: true })
process.exit(isWell ? 0 : 1)
