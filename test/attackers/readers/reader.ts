/** Backends in other languages, whose libraries read paths and bodies in their own way. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { languages } from '../../docs/guide-programs.ts'
import { freePort } from '../../support/service-process.ts'

const commands = {
  go: ['go', 'run', 'backend.go'],
  java: ['java', 'Backend.java'],
} as const

export type Reader = keyof typeof commands

/** Those that this machine can run; where CI says that it is one, all of them. */
export const readers = (['go', 'java'] as const).filter((reader) => languages[reader].isHere)

/** What one of them says about a request. */
export interface Reading {
  /** Which of its handlers took the request. */
  readonly handler: 'transfers' | 'other'
  /** Decoded. */
  readonly path: string
  readonly payment?: { readonly amount: number; readonly payee: string }
}

export interface RunningReader {
  readonly origin: string
  close(): Promise<void>
}

export async function startReader(reader: Reader): Promise<RunningReader> {
  const port = await freePort()
  const [program, ...args] = commands[reader]
  const root = new URL('../../../', import.meta.url).pathname
  const child = spawn(program, args, {
    cwd: new URL('.', import.meta.url).pathname,
    env: {
      ...process.env,
      ...{ GO111MODULE: 'off', GOFLAGS: '', GOCACHE: `${root}node_modules/.cache/miniseal-judge/go` },
      PORT: `${port}`,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
    // `go run` starts another process, which has to end with it.
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
