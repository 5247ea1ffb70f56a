/** The compiled service and command line as processes. */
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sandboxApp } from '../../service/wechat/apps.ts'
import type { Sandbox } from '../../service/wechat/sandbox/sandbox.ts'
import { createSandbox } from '../../service/wechat/sandbox/sandbox.ts'
import { compiledMain } from './compiled.ts'
import type { TestService } from './service.ts'
import { sandboxClient } from './service.ts'

/**
 * A free loopback port, outside the range that the system gives to outgoing connections and to `listen(0)` (from 32768 on
 * Linux, 49152 elsewhere), so that no other test takes it before or between two starts.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 32_000)
    if (await isFree(port)) return port
  }
}

/** Whether a loopback port can be listened at now. */
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

/** Runs the compiled `miniseal` with exactly this environment and PATH. */
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
      finished.then(() => reject(new Error(`the process ended without printing ${text}: ${out}${err}`)))
    })
  return { child, waitFor, finished }
}

/** A service in another process, as its clients see it; members that need the same process throw. */
export function serviceOutside(
  environment: Readonly<Record<string, string>>,
  sandboxUrl: string,
  root: string,
): TestService {
  const unavailable = (): never => {
    throw new Error('not available for a service in another process')
  }
  return {
    origin: `http://127.0.0.1:${environment.PORT}`,
    sandboxUrl,
    roots: [root],
    appid: sandboxApp.appid,
    environment,
    logText: unavailable,
    advanceClock: unavailable,
    now: () => Math.floor(Date.now() / 1000),
    ...sandboxClient(sandboxUrl),
    close: unavailable,
  }
}

export interface ServiceProcess {
  readonly service: TestService
  /** Its files. */
  readonly folder: string
  readonly port: number
  /** Runs in the test's process. */
  readonly sandbox: Sandbox
  /** The present process. */
  command(): RunningCommand
  /** Of the present process. */
  pid(): number
  /** Kills the service with SIGKILL and resolves when it runs again. `between` runs in the meantime. */
  restart(between: () => void): Promise<void>
  close(): Promise<void>
}

/** Starts a service on SQLite with the WeChat sandbox of this process. @param more of its environment */
export async function startServiceProcess(
  more: Readonly<Record<string, string>> = {},
): Promise<ServiceProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'miniseal-process-'))
  const sandbox = createSandbox({ apps: [sandboxApp] })
  const { url } = await sandbox.start(0, '127.0.0.1')
  const port = await freePort()
  const environment = {
    PORT: String(port),
    MINISEAL_DATA: folder,
    MINISEAL_DATABASE: `sqlite:${join(folder, 'miniseal.db')}`,
    MINISEAL_WECHAT_API: url,
    MINISEAL_LOG_LEVEL: 'error',
    ...more,
  }
  let running: RunningCommand = runMiniseal(['serve'], environment)
  const root = /root key\s+(\S+)/.exec(await running.waitFor('Ctrl+C'))?.[1] ?? ''
  return {
    ...{ folder, port, sandbox, service: serviceOutside(environment, url, root) },
    command: () => running,
    pid: () => running.child.pid ?? 0,
    async restart(between) {
      running.child.kill('SIGKILL')
      await running.finished
      between()
      running = runMiniseal(['serve'], environment)
      await running.waitFor('Ctrl+C')
    },
    async close() {
      running.child.kill('SIGKILL')
      await running.finished
      await sandbox.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

export interface MeasuredProcess extends ServiceProcess {
  /** Resident bytes (proc(5), `VmRSS`). */
  residentMemory(): number
  /** The sum of all series of a metric whose labels contain `labels`. */
  metric(name: string, labels?: string): Promise<number>
  /** CPU seconds so far: they do not depend on the load of the machine. */
  cpuSeconds(): Promise<number>
}

/** A service with a small heap, for attacks on its memory and CPU. @param heap megabytes */
export async function startMeasuredProcess(
  more: Readonly<Record<string, string>> = {},
  heap = 256,
): Promise<MeasuredProcess> {
  const child = await startServiceProcess({
    NODE_OPTIONS: `--max-old-space-size=${heap} --max-semi-space-size=4`,
    MALLOC_ARENA_MAX: '2',
    ...more,
  })
  const metric = async (name: string, labels = ''): Promise<number> => {
    const text = await (await fetch(`${child.service.origin}/metrics`)).text()
    const lines = text.split('\n').filter((line) => new RegExp(`^${name}[{ ]`).test(line))
    return lines
      .filter((line) => line.includes(labels))
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0)
  }
  // The service measures its process from the first request on.
  await metric('process_cpu_seconds_total')
  return {
    ...child,
    metric,
    residentMemory() {
      const status = readFileSync(`/proc/${child.pid()}/status`, 'utf8')
      return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1_024
    },
    cpuSeconds: () => metric('process_cpu_seconds_total'),
  }
}
