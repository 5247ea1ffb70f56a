/** `npm run bench`: Miniseal measured, in one command. See docs/internals/benchmarks.md. */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { type BenchRun, withRun } from './bench-run.ts'
import type { Contenders } from './contenders.ts'
import { startContenders } from './contenders.ts'
import type { BenchOptions } from './options.ts'
import { readOptions, UsageError, usage } from './options.ts'
import { compilePrograms, Program } from './program.ts'
import type { FloorCalls } from './programs/floor.ts'
import { writeDocs } from './report/docs.ts'
import { markdownOf } from './report/markdown.ts'
import type { Machine, Results } from './results.ts'
import { compare } from './sections/compare.ts'
import { measureFloor } from './sections/floor.ts'
import { measureGrowth } from './sections/growth.ts'
import { measureHalfLoad } from './sections/half-load.ts'
import { measureOurs } from './sections/ours.ts'
import { measureWire } from './sections/wire.ts'

async function main(args: readonly string[]): Promise<number> {
  let options: BenchOptions | undefined
  try {
    options = readOptions(args)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    process.stderr.write(`bench: ${error.message}\n\n${usage}`)
    return 2
  }
  if (options === undefined) {
    process.stdout.write(usage)
    return 0
  }
  const command = ['npm run bench', ...(args.length === 0 ? [] : ['--', ...args])].join(' ')
  const results = await measure(options, command)
  const text = markdownOf(results)
  process.stdout.write(text)
  if (options.writeDocs) writeDocs(text)
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(results, null, 2)}\n`)
  return 0
}

async function measure(options: BenchOptions, command: string): Promise<Results> {
  const startedAt = performance.now()
  const log = (text: string): void => {
    const seconds = Math.round((performance.now() - startedAt) / 1_000)
    process.stderr.write(`${String(seconds).padStart(4)} s  ${text}\n`)
  }
  const machine = describeMachine(command)
  await compilePrograms()
  return await withRun(options, log, async (run) => {
    const sections = await measureSections(run)
    return { machine, ...sections, warnings: [...run.load.warnings] }
  })
}

/** The ratio to the floor belongs to both: without peers it is measured alone. */
async function measureSections(run: BenchRun): Promise<Omit<Results, 'machine' | 'warnings'>> {
  const has = (...names: BenchOptions['only']): boolean =>
    names.some((name) => run.options.only.includes(name))
  const contenders = has('ours', 'peers', 'wire') ? await contendersOf(run, has('peers', 'wire')) : undefined
  const floor = has('floor', 'ours', 'peers') ? await startFloor(run) : undefined
  const isCompared = contenders !== undefined && floor !== undefined && has('ours', 'peers')
  const rivals = has('peers') ? contenders : contenders && { ...contenders, peers: [] }
  const compared = isCompared && rivals !== undefined ? await compare(run, rivals, floor) : undefined
  const halfLoad =
    has('ours') && contenders !== undefined ? await measureHalfLoad(run, contenders.ours) : undefined
  const wire = has('wire') && contenders !== undefined ? await measureWire(run, contenders) : undefined
  await contenders?.stop()
  return {
    compared,
    halfLoad,
    wire,
    floor: has('floor') && floor !== undefined ? await measureFloor(run, floor) : undefined,
    ours: has('ours') ? await measureOurs(run) : undefined,
    growth: has('growth') ? await measureGrowth(run) : undefined,
  }
}

async function contendersOf(run: BenchRun, withPeers: boolean): Promise<Contenders> {
  return withPeers ? await startContenders(run) : await startContenders(run, [])
}

async function startFloor(run: BenchRun): Promise<Program<FloorCalls>> {
  const program = await Program.start<FloorCalls>('floor', { output: `${run.folder('floor')}.log` })
  run.afterwards(() => program.stop())
  return program
}

function describeMachine(command: string): Machine {
  return {
    at: new Date().toISOString().slice(0, 10),
    commit: commitHere(),
    processors: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    node: process.version.slice(1),
    load: loadavg()[0] ?? 0,
    command,
  }
}

function commitHere(): string {
  try {
    const git = (args: readonly string[]): string =>
      execFileSync('git', [...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
    return `commit ${git(['rev-parse', '--short', 'HEAD'])}${git(['status', '--porcelain']) === '' ? '' : ' and changes'}`
  } catch {
    return 'no commit'
  }
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`)
  // Child programs end with this process.
  process.exit(1)
}
