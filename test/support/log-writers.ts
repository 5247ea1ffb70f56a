/** Child processes that write to a log, and the invariants of the log after any failure of theirs. */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { expect } from 'vitest'
import { parseCheckpointNote } from '../../crypto/tlog/checkpoint.ts'
import type { LogDependencies } from '../../service/tlog/log-health.ts'
import type { Task } from '../integration/tlog/log-child.ts'
import { compiledScript } from './compiled.ts'
import { leafHash, plainRoot, plainTiles } from './plain-tree.ts'

export interface Writer {
  /** Hashes of the leaves that were acknowledged, hex. */
  readonly acknowledged: ReadonlySet<string>
  /** Resolves after `count` acknowledged hashes, or when the process ends. */
  acknowledges(count: number): Promise<void>
  kill(): void
  /** Its exit code, null after a signal; all output has been read by then. */
  readonly exit: Promise<number | null>
}

export function startWriter(task: Task): Writer {
  const script = compiledScript(new URL('../integration/tlog/log-child.ts', import.meta.url))
  const child = spawn(process.execPath, [script, JSON.stringify(task)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const acknowledged = new Set<string>()
  const reader = createInterface({ input: child.stdout })
  reader.on('line', (line) => {
    if (/^[0-9a-f]{64}$/.test(line)) acknowledged.add(line)
  })
  const exit = new Promise<number | null>((resolve) => child.once('close', resolve))
  return {
    acknowledged,
    acknowledges: (count) =>
      new Promise((resolve) => {
        const check = (): void => {
          if (acknowledged.size < count) return
          reader.off('line', check)
          resolve()
        }
        reader.on('line', check)
        check()
        void exit.then(() => resolve())
      }),
    kill: () => child.kill('SIGKILL'),
    exit,
  }
}

/**
 * Reads a whole log and fails unless it is one tree without gap or fork that holds all of `acknowledged`, once each, and
 * every stored and pinned checkpoint is one of this tree.
 */
export async function expectWholeLog(
  { store, checkpointPin }: Pick<LogDependencies, 'store' | 'checkpointPin'>,
  acknowledged: Iterable<string>,
  folders: readonly LogDependencies['checkpointPin'][] = [checkpointPin],
): Promise<number> {
  const state = await store.findLogState()
  if (state === undefined) throw new Error('there is no log')
  const { log, origin, size, root } = state
  const entries = await store.listLogEntries(0, size + 1, size + 1)
  expect(entries.map(({ globalIndex }) => globalIndex)).toEqual(Array.from({ length: size }, (_, i) => i))
  const hashes = entries.map(({ leaf }) => leafHash(leaf))
  expect(plainRoot(hashes)).toEqual(root)
  for (const [name, tile] of plainTiles(hashes)) {
    const [level = 0, index = 0] = name.split('/').map(Number)
    expect((await store.findTile(log, level, index))?.hashes).toEqual(tile)
  }
  const stored = new Set(hashes.map((hash) => Buffer.from(hash).toString('hex')))
  expect(stored.size).toBe(size)
  for (const hash of acknowledged)
    if (!stored.has(hash)) throw new Error('an acknowledged leaf is not in the log')
  const checkpoints = (await store.listCheckpoints(log, size + 1, size + 1)).map(({ note }) => note)
  const pinnedCheckpoint = (await Promise.all(folders.map((each) => each.find(origin)))).flatMap(
    (found) => found?.note ?? [],
  )
  for (const note of [...checkpoints, ...pinnedCheckpoint]) {
    const { checkpoint: signed } = parseCheckpointNote(note)
    expect(signed.size).toBeLessThanOrEqual(size)
    expect(signed.root).toEqual(plainRoot(hashes.slice(0, signed.size)))
  }
  return size
}
