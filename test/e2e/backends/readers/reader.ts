/** Backends in Go and Java, whose libraries parse paths and bodies in their own way. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { requireTool, runs } from '../../../support/required-tool.ts'
import { freePort } from '../../../support/service-process.ts'

const commands = {
  go: ['go', 'run', 'backend.go'],
  java: ['java', 'Backend.java'],
} as const

export type Reader = keyof typeof commands

const folder = new URL('.', import.meta.url).pathname
const cache = new URL('../../../../node_modules/.cache/miniseal-judge/go', import.meta.url).pathname
/** No network; a persistent build cache. */
const environment = { ...process.env, GO111MODULE: 'off', GOFLAGS: '', GOCACHE: cache }

export const readers = ['go', 'java'] as const

requireTool(runs('go', 'version'), 'golang-go')
requireTool(runs('java', '-version'), 'default-jdk-headless')

/** A backend's reading of a request. */
export interface Reading {
  /** The handler that the backend chose. */
  readonly handler: 'transfers' | 'other'
  /** Decoded. */
  readonly path: string
  readonly payment?: { readonly amount: number; readonly tokens: number; readonly payee: string }
}

export interface RunningReader {
  readonly origin: string
  close(): Promise<void>
}

export async function startReader(reader: Reader): Promise<RunningReader> {
  const port = await freePort()
  const [program, ...args] = commands[reader]
  const child = spawn(program, args, {
    cwd: folder,
    env: { ...environment, PORT: `${port}` },
    stdio: ['ignore', 'pipe', 'inherit'],
    // A process group: `go run` starts a child.
    detached: true,
  })
  const first = await createInterface({ input: child.stdout })[Symbol.asyncIterator]().next()
  if (first.value !== `listening on ${port}`) throw new Error(`the ${reader} backend did not start`)
  return {
    origin: `http://127.0.0.1:${port}`,
    close: async () => {
      if (child.pid === undefined || child.exitCode !== null) return
      const ended = once(child, 'exit')
      process.kill(-child.pid, 'SIGTERM')
      await ended
    },
  }
}

/** Every pair of characters that Go treats as equal except for case. */
export async function listFoldedByGo(): Promise<readonly (readonly [string, string])[]> {
  const { stdout } = await promisify(execFile)('go', ['run', 'fold.go'], { cwd: folder, env: environment })
  return stdout
    .trim()
    .split('\n')
    .map((line): [string, string] => {
      const [one = '', other = ''] = line.split(' ')
      return [String.fromCodePoint(Number(one)), String.fromCodePoint(Number(other))]
    })
}
