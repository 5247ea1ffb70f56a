/** What every section works with: a folder, a load generator, and a place to say what is going on. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LoadSource } from './load-source.ts'
import type { BenchOptions } from './options.ts'

export interface BenchRun {
  readonly options: BenchOptions
  readonly load: LoadSource
  /** A folder that does not exist yet and goes away with the run. */
  folder(name: string): string
  /** Takes effect when the run ends, however it ends; the last one first. */
  afterwards(end: () => Promise<void>): void
  say(text: string): void
}

/** Runs `work`; ends what it started, whatever happens. */
export async function withRun<T>(
  options: BenchOptions,
  say: (text: string) => void,
  work: (run: BenchRun) => Promise<T>,
): Promise<T> {
  const root = mkdtempSync(join(process.env.BENCH_FOLDER ?? tmpdir(), 'miniseal-bench-'))
  const ends: (() => Promise<void>)[] = []
  try {
    const load = await LoadSource.start(join(root, 'generator.log'))
    ends.push(() => load.stop())
    return await work({
      options,
      load,
      folder: (name) => join(root, name),
      afterwards: (end) => ends.push(end),
      say,
    })
  } finally {
    for (const end of ends.reverse()) await end().catch((error) => say(String(error)))
    rmSync(root, { recursive: true, force: true })
  }
}
