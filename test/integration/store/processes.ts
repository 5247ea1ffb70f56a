/** Starts `child.ts` as a process and reads its output. */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { DatabaseLocation } from '../../../service/store/open-store.ts'
import { compiledScript } from '../../support/compiled.ts'

export interface Child {
  /** The lines of its output so far. */
  readonly lines: readonly string[]
  /** Lets it open the store. */
  go(): void
  /** Resolves once it has printed `count` lines. */
  printed(lines: number): Promise<void>
  /** SIGKILL: no handler runs, nothing is flushed. */
  kill(): void
  /** Its exit code, null when it was killed. Resolves after all its output has been read. */
  readonly exit: Promise<number | null>
}

/** Resolves when the process has loaded its modules and waits for `go`. */
export async function startChild(
  task: 'open' | 'commit' | 'push',
  location: DatabaseLocation,
): Promise<Child> {
  const script = compiledScript(new URL('child.ts', import.meta.url))
  const child = spawn(process.execPath, [script, task, JSON.stringify(location)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines: string[] = []
  const reader = createInterface({ input: child.stdout })
  reader.on('line', (line) => lines.push(line))
  const printed = (count: number) =>
    new Promise<void>((resolve) => {
      const check = () => {
        if (lines.length < count) return
        reader.off('line', check)
        resolve()
      }
      reader.on('line', check)
      check()
    })
  const exit = new Promise<number | null>((resolve) => child.once('close', resolve))
  await printed(1)
  return { lines, go: () => child.stdin.write('go\n'), printed, kill: () => child.kill('SIGKILL'), exit }
}
