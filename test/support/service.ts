/** A service in the test's own process: HTTP on loopback, a database of its own, the WeChat sandbox. */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { pino } from 'pino'
import type { Config } from '../../service/config/config.ts'
import { readConfig } from '../../service/config/config.ts'
import type { Backend } from '../../service/gateway/backend.ts'
import type { RunningService, TestOverrides } from '../../service/server.ts'
import { startService } from '../../service/server.ts'
import { sandboxApp } from '../../service/wechat/apps.ts'

export interface TestService {
  readonly origin: string
  /** Where it listens, when that differs from its origin. */
  readonly url?: string
  readonly sandboxUrl: string
  readonly roots: readonly string[]
  readonly appid: string
  /** Its environment, for a command or another process. */
  readonly environment: Readonly<Record<string, string>>
  /** Every log line so far. */
  logText(): string
  /** Moves the service's clock. */
  advanceClock(seconds: number): void
  /** UNIX seconds, by the service's clock. */
  now(): number
  /** A fresh login code of the sandbox. */
  code(openid?: string): Promise<string>
  /** Posts to a control route of the sandbox. */
  sandbox(path: string, body: unknown): Promise<unknown>
  close(): Promise<void>
}

export interface OwnService extends TestService {
  readonly push: RunningService['push']
  /** Stops it and keeps its files. */
  stop(): Promise<void>
  /** Stops it and starts it again on the same files, with the same origin. @param more of its environment */
  restart(more?: Readonly<Record<string, string>>): Promise<OwnService>
}

/** A complete environment of a service in production. */
export const production = {
  NODE_ENV: 'production',
  MINISEAL_ORIGIN: 'https://pay.example.com',
  MINISEAL_MASTER_KEY: randomBytes(32).toString('base64'),
  MINISEAL_WECHAT_APPS: 'wx1234:secret-of-the-app',
  MINISEAL_UPSTREAMS: '/wallet=http://127.0.0.1:9001',
}

export interface TestServiceOptions extends Omit<TestOverrides, 'now' | 'backend'> {
  readonly environment?: Readonly<Record<string, string>>
  /** Overrides the environment. */
  readonly config?: Partial<Config>
  /** `close` may be absent. */
  readonly backend?: Omit<Backend, 'close'> & Partial<Pick<Backend, 'close'>>
  /** The contents of MINISEAL_ROUTES_FILE. */
  readonly routes?: readonly object[]
  /** How far the clock is ahead at the start, in seconds. */
  readonly clockOffset?: number
}

export async function startTestService(options: TestServiceOptions = {}): Promise<OwnService> {
  return await startIn(mkdtempSync(join(tmpdir(), 'miniseal-test-')), options)
}

async function startIn(folder: string, options: TestServiceOptions): Promise<OwnService> {
  const environment: Record<string, string> = {
    PORT: '0',
    MINISEAL_DATA: join(folder, 'data'),
    MINISEAL_DATABASE: `sqlite:${join(folder, 'data', 'miniseal.db')}`,
    ...options.environment,
  }
  if (options.routes !== undefined) {
    environment.MINISEAL_ROUTES_FILE = join(folder, 'routes.json')
    writeFileSync(environment.MINISEAL_ROUTES_FILE, JSON.stringify(options.routes))
  }
  const lines: string[] = []
  const log = pino(
    { level: 'trace' },
    new Writable({
      write(chunk, _encoding, done) {
        lines.push(String(chunk))
        done()
      },
    }),
  )
  let offset = options.clockOffset ?? 0
  const now = (): number => Math.floor(Date.now() / 1000) + offset
  const { environment: _, config, clockOffset: __, routes: ___, backend, ...overrides } = options
  const { logPeriod = 100 } = options
  const service: RunningService = await startService({ ...readConfig(environment), ...config }, log, {
    now,
    ...overrides,
    logPeriod,
    ...(backend === undefined ? {} : { backend: { close: async () => {}, ...backend } }),
  })
  const sandboxUrl = service.sandboxUrl ?? environment.MINISEAL_WECHAT_API ?? ''
  return {
    origin: service.origin,
    url: service.url,
    sandboxUrl,
    roots: service.roots,
    appid: sandboxApp.appid,
    environment,
    logText: () => lines.join(''),
    advanceClock: (seconds) => {
      offset += seconds
    },
    now,
    ...sandboxClient(sandboxUrl),
    push: service.push,
    stop: () => service.stop(),
    restart: async (more = {}) => {
      await service.stop()
      const kept = { ...environment, PORT: new URL(service.url).port, MINISEAL_ORIGIN: service.origin }
      return await startIn(folder, { ...options, clockOffset: offset, environment: { ...kept, ...more } })
    },
    close: async () => {
      await service.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** What tests ask of a sandbox over its control routes. */
export function sandboxClient(sandboxUrl: string): Pick<TestService, 'code' | 'sandbox'> {
  const sandbox = async (path: string, body: unknown): Promise<unknown> => {
    const response = await fetch(`${sandboxUrl}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    if (!response.ok) throw new Error(`sandbox: ${response.status} ${await response.text()}`)
    return response.json()
  }
  const code = async (openid?: string): Promise<string> => {
    const body = { appid: sandboxApp.appid, ...(openid ? { openid } : {}) }
    return ((await sandbox('/sandbox/codes', body)) as { code: string }).code
  }
  return { code, sandbox }
}

/** The sum of the samples of a metric whose labels contain `labels`. */
export async function metricOf(
  { url, origin }: Pick<TestService, 'url' | 'origin'>,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<number> {
  const text = await (await fetch(`${url ?? origin}/metrics`)).text()
  return sampleOf(text, name, labels)
}

/** {@link metricOf} in the text of `/metrics`. */
export function sampleOf(text: string, name: string, labels: Readonly<Record<string, string>> = {}): number {
  const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`)
  return text.split('\n').reduce((sum, line) => {
    const [, found, inside = '', value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? []
    const isWanted = found === name && wanted.every((label) => inside.split(',').includes(label))
    return isWanted ? sum + Number(value) : sum
  }, 0)
}

/** How often the sandbox was called at this path of WeChat's API. */
export async function sandboxCalls({ sandboxUrl }: TestService, api: string): Promise<number> {
  const counts = await (await fetch(`${sandboxUrl}/sandbox/calls`)).json()
  return (counts as Record<string, number>)[api] ?? 0
}

/** A service created with `createService`, as its clients see it. */
export function clientOf(service: RunningService): TestService {
  return {
    origin: service.origin,
    sandboxUrl: service.sandboxUrl ?? '',
    roots: service.roots,
    appid: sandboxApp.appid,
    environment: {},
    url: service.url,
    logText: () => '',
    advanceClock: () => {},
    now: () => Math.floor(Date.now() / 1000),
    ...sandboxClient(service.sandboxUrl ?? ''),
    close: () => service.stop(),
  }
}
