/** `npm run bench`: Miniseal measured, in one command. See docs/benchmarks.md. */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { withRun } from './bench-run.ts'
import type { BenchOptions } from './options.ts'
import { readOptions, UsageError, usage } from './options.ts'
import { compilePrograms } from './program.ts'
import { markdownOf } from './report/markdown.ts'
import type { Machine, Results } from './results.ts'
import { measureOurs } from './sections/ours.ts'

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
  const results = await measure(options)
  process.stdout.write(markdownOf(results))
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(results, null, 2)}\n`)
  return 0
}

async function measure(options: BenchOptions): Promise<Results> {
  const startedAt = performance.now()
  const say = (text: string): void => {
    const seconds = Math.round((performance.now() - startedAt) / 1_000)
    process.stderr.write(`${String(seconds).padStart(4)} s  ${text}\n`)
  }
  const machine = describeMachine()
  await compilePrograms()
  return await withRun(options, say, async (run) => {
    const has = (name: BenchOptions['only'][number]): boolean => options.only.includes(name)
    const ours = has('ours') ? await measureOurs(run) : undefined
    return { machine, ours, warnings: [...run.load.warnings] }
  })
}

function describeMachine(): Machine {
  return {
    at: new Date().toISOString().slice(0, 10),
    commit: commitHere(),
    processors: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    node: process.version.slice(1),
    load: loadavg()[0] ?? 0,
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

process.exitCode = await main(process.argv.slice(2)).catch((error) => {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`)
  return 1
})
