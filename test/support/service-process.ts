/** The service as a process of its own, for tests that end it in the middle of its work. */
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { sandboxApp } from '../../service/wechat/sandbox/default-app.ts'
import { compiledMain } from './compiled.ts'
import type { TestService } from './service.ts'

/**
 * A loopback port that is free, below those that a system gives to outgoing connections and to `listen(0)` (from 32768 on
 * Linux, 49152 elsewhere): nothing of a test beside this one takes it before it is listened at, nor between two starts there.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 32_000)
    if (await isFree(port)) return port
  }
}

/** Whether a listener at this loopback port can be opened now. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}

export interface Finished {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

export interface RunningCommand {
  readonly child: ChildProcess
  /** Resolves once standard output holds `text`. */
  waitFor(text: string): Promise<string>
  /** Resolves with all output when the process has ended. */
  readonly finished: Promise<Finished>
}

/** Runs the compiled `miniseal` with exactly this environment besides PATH. */
export function runMiniseal(
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): RunningCommand {
  const child = spawn(process.execPath, [compiledMain, ...args], {
    env: { PATH: process.env.PATH ?? '', ...environment },
    cwd: new URL('../..', import.meta.url).pathname,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let out = ''
  let err = ''
  child.stderr?.on('data', (chunk) => {
    err += String(chunk)
  })
  const waiting = new Set<() => void>()
  child.stdout?.on('data', (chunk) => {
    out += String(chunk)
    for (const look of waiting) look()
  })
  const finished = once(child, 'close').then(([code]) => ({ code: code as number | null, out, err }))
  const waitFor = (text: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (!out.includes(text)) return
        waiting.delete(look)
        resolve(out)
      }
      waiting.add(look)
      look()
      finished.then(() => reject(new Error(`it ended without saying ${text}: ${out}${err}`)))
    })
  return { child, waitFor, finished }
}

/** A service in another process, as its clients see it. */
export function serviceOutside(
  environment: Readonly<Record<string, string>>,
  sandboxUrl: string,
  root: string,
): TestService {
  const unused = (): never => {
    throw new Error('not of a service in another process')
  }
  return {
    origin: `http://127.0.0.1:${environment.PORT}`,
    sandboxUrl,
    roots: [root],
    appid: sandboxApp.appid,
    environment,
    logText: unused,
    advanceClock: unused,
    now: () => Math.floor(Date.now() / 1000),
    code: async (openid) => {
      const answer = await fetch(`${sandboxUrl}/sandbox/codes`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ appid: sandboxApp.appid, ...(openid ? { openid } : {}) }),
      })
      return ((await answer.json()) as { code: string }).code
    },
    sandbox: unused,
    close: unused,
  }
}
