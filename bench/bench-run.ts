/** The folder, load generator and progress output of every section. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LoadSource } from './load-source.ts'
import type { BenchOptions } from './options.ts'
import { Program } from './program.ts'
import type { SandboxCalls } from './programs/sandbox.ts'

export interface BenchRun {
  readonly options: BenchOptions
  readonly load: LoadSource
  /** The URL of WeChat's API. */
  readonly sandbox: string
  /** A path for a new folder, which is deleted with the run. */
  folder(name: string): string
  /** Called when the run ends, also with an error; the last one first. */
  afterwards(end: () => Promise<void>): void
  log(text: string): void
}

/** Runs `work` and always stops what it started. @throws Error also when a signal ends it. */
export async function withRun<T>(
  options: BenchOptions,
  log: (text: string) => void,
  work: (run: BenchRun) => Promise<T>,
): Promise<T> {
  const root = mkdtempSync(join(process.env.BENCH_FOLDER ?? tmpdir(), 'miniseal-bench-'))
  const ends: (() => Promise<void>)[] = []
  const interruption = untilInterrupted()
  try {
    const load = await LoadSource.start(join(root, 'generator.log'))
    ends.push(() => load.stop())
    const sandbox = await Program.start<SandboxCalls>('sandbox', { output: join(root, 'sandbox.log') })
    ends.push(() => sandbox.stop())
    const { url } = await sandbox.call('where')
    const parts = { options, load, sandbox: url, log, folder: (name: string) => join(root, name) }
    return await Promise.race([work({ ...parts, afterwards: (end) => ends.push(end) }), interruption.happens])
  } finally {
    interruption.forget()
    for (const end of ends.reverse()) await end().catch((error) => log(String(error)))
    rmSync(root, { recursive: true, force: true })
  }
}

/** A second signal ends the process at once. */
function untilInterrupted(): { readonly happens: Promise<never>; forget(): void } {
  let stop: (signal: NodeJS.Signals) => void = () => {}
  const happens = new Promise<never>((_resolve, reject) => {
    stop = (signal) => reject(new Error(`ended by ${signal}`))
  })
  happens.catch(() => undefined)
  process.once('SIGINT', stop).once('SIGTERM', stop)
  return { happens, forget: () => void process.off('SIGINT', stop).off('SIGTERM', stop) }
}
