/**
 * `npm run bench -- audit [ENTRIES]`: a log of a million entries from the real sequencer: times to write it, to check all
 * or a part of it, and to prove one entry, and its size.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { entryAnswer, rowsOf } from '../service/admin/api/entries.ts'
import type { AuditFilter } from '../service/admin/api/search.ts'
import { createAuditSearch } from '../service/admin/api/search.ts'
import { timelineOf } from '../service/admin/api/timeline.ts'
import { createSecretWrapper } from '../service/keys/wrapping.ts'
import { createLogReader } from '../service/tlog/reader.ts'
import { createSubjectKeyFinder } from '../service/tlog/subject-keys.ts'
import type { WrittenLog } from '../test/support/written-log.ts'
import { entryTime, requests, startLog } from '../test/support/written-log.ts'

const entries = Number(process.argv[2] ?? 1_000_000)
const folder = mkdtempSync(join(process.env.BENCH_FOLDER ?? tmpdir(), 'miniseal-bench-'))
const path = join(folder, 'log.db')

const log = await startLog(async () => ({
  location: { kind: 'sqlite', path },
  sql: async () => [],
  remove: async () => {},
}))

const results: Record<string, string | number> = { entries }
results['write, entries per second'] = Math.round(entries / (await seconds(() => write(log))))
const full = checkInChild(['--full'])
results['full check, seconds'] = round(full.seconds)
results['full check, CPU seconds'] = round(full.cpu)
results['full check, MiB'] = Math.round(full.megabytes)
const { MINISEAL_MASTER_KEY: _, ...withoutKey } = log.environment
const sealed = checkInChild(['--full'], withoutKey)
results['full check without details, seconds'] = round(sealed.seconds)
await log.append(requests(1_000, entries))
await log.sign()
results['check of 1,000 more, seconds'] = round(checkInChild(['--since', 'last']).seconds)
const proofs = await measureProofs()
results['inclusion proof, ms (median)'] = proofs.median
results['inclusion proof, ms (p99)'] = proofs.slow
const searches = await measureSearches()
for (const [name, milliseconds] of Object.entries(searches)) results[`search by ${name}, ms`] = milliseconds
const pages = await measurePages()
for (const [name, milliseconds] of Object.entries(pages)) results[`page: ${name}, ms (median)`] = milliseconds
await log.close()
results['bytes per entry'] = Math.round(statSync(path).size / entries)
rmSync(folder, { recursive: true })

for (const [name, value] of Object.entries(results))
  console.log(`| ${name.padEnd(40)} | ${String(value).padStart(10)} |`)
console.log(JSON.stringify(results))

async function write(written: WrittenLog): Promise<void> {
  const step = 2_000
  for (let done = 0; done < entries - 1; done += step) {
    await written.append(requests(Math.min(step, entries - 1 - done), done))
    if ((done / step) % 50 === 0) await written.sign()
  }
  await written.sign()
}

function checkInChild(args: readonly string[], environment = log.environment) {
  const child = new URL('./audit-child.ts', import.meta.url).pathname
  const run = spawnSync(process.execPath, ['--conditions=source', '--import', 'tsx', child, ...args], {
    env: { PATH: process.env.PATH ?? '', ...environment },
    encoding: 'utf8',
  })
  if (run.status !== 0) throw new Error(`the check ended with ${run.status}: ${run.stdout}${run.stderr}`)
  const line = run.stderr.trim().split('\n').at(-1) ?? '{}'
  return JSON.parse(line) as { readonly seconds: number; readonly cpu: number; readonly megabytes: number }
}

async function measureProofs(): Promise<{ readonly median: number; readonly slow: number }> {
  const reader = createLogReader(log.store)
  const times: number[] = []
  for (let i = 0; i < 1_000; i++) {
    const position = Math.floor(Math.random() * entries)
    times.push(1_000 * (await seconds(() => reader.inclusion(position))))
  }
  times.sort((a, b) => a - b)
  return { median: round(times[500] ?? 0), slow: round(times[990] ?? 0) }
}

async function measureSearches(): Promise<Readonly<Record<string, number>>> {
  const search = createAuditSearch(log.store, log.blindIndexOf)
  const half = entryTime(entries / 2)
  const filters = {
    nothing: {},
    user: { user: 'u_person-1' },
    path: { path: '/wallet/transfers/77' },
    'time range': { from: half, until: half + 60_000 },
    'result and time': { result: 'failed', from: half } as const,
  }
  const times: Record<string, number> = {}
  for (const [name, filter] of Object.entries(filters)) {
    times[name] = round(1_000 * (await seconds(() => search.page(filter, undefined, 50))))
  }
  return times
}

/** The queries of the auditors' pages, without HTTP. */
async function measurePages(): Promise<Readonly<Record<string, number>>> {
  const search = createAuditSearch(log.store, log.blindIndexOf)
  const reader = createLogReader(log.store)
  const wrapper = createSecretWrapper([Buffer.from(log.environment.MINISEAL_MASTER_KEY ?? '', 'base64')])
  const findKey = createSubjectKeyFinder(log.store, wrapper)
  const page = async (filter: AuditFilter) =>
    await rowsOf((await search.page(filter, undefined, 50)).entries, findKey)
  const now = entryTime(entries + 1_000)
  const works = {
    newest: () => page({}),
    'by user': () => page({ user: 'u_person-1' }),
    'by code': () => page({ code: 'never_heard' }),
    'timeline of all': () => timelineOf({ store: log.store, search }, {}, now),
    'timeline of one user': () => timelineOf({ store: log.store, search }, { user: 'u_person-1' }, now),
    'one entry, proved': async () => {
      const entry = await log.store.findLogEntry(Math.floor(Math.random() * entries))
      return entry && (await entryAnswer({ reader, findKey }, entry, 'discloser'))
    },
  }
  const times: Record<string, number> = {}
  for (const [name, work] of Object.entries(works)) {
    const runs: number[] = []
    for (let i = 0; i < 20; i++) runs.push(1_000 * (await seconds(work)))
    times[name] = round(runs.sort((a, b) => a - b)[10] ?? 0)
  }
  return times
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now()
  await work()
  return (performance.now() - startedAt) / 1000
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}
