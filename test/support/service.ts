/** A real service on a real port with a real database and the WeChat sandbox beside it, for one test file. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { pino } from 'pino'
import type { Config } from '../../service/config/config.ts'
import { readConfig } from '../../service/config/config.ts'
import type { Backend } from '../../service/gateway/backend.ts'
import type { RunningService, TestOverrides } from '../../service/server.ts'
import { startService } from '../../service/server.ts'
import { sandboxApp } from '../../service/wechat/sandbox/default-app.ts'

export interface TestService {
  readonly origin: string
  /** Where it listens, when that is not its origin. */
  readonly url?: string
  readonly sandboxUrl: string
  readonly roots: readonly string[]
  readonly appid: string
  /** The environment of the service, for a command or another process beside it. */
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

/** One that runs in the test's own process. */
export interface OwnService extends TestService {
  readonly push: RunningService['push']
  /** Ends it, and leaves its files. */
  stop(): Promise<void>
}

export interface TestServiceOptions {
  readonly environment?: Readonly<Record<string, string>>
  /** Instead of what the environment says. */
  readonly config?: Partial<Config>
  readonly backend?: Backend
  readonly socketTimes?: NonNullable<TestOverrides['socketTimes']>
  readonly listenerTimes?: NonNullable<TestOverrides['listenerTimes']>
  readonly disk?: NonNullable<TestOverrides['disk']>
  readonly monotonic?: () => number
  readonly maintenancePeriod?: number
  /** How far the clock is ahead at the start, in seconds. */
  readonly clockOffset?: number
}

export async function startTestService(options: TestServiceOptions = {}): Promise<OwnService> {
  const folder = mkdtempSync(join(tmpdir(), 'miniseal-test-'))
  const environment: Record<string, string> = {
    PORT: '0',
    MINISEAL_DATA: join(folder, 'data'),
    MINISEAL_DATABASE: `sqlite:${join(folder, 'data', 'miniseal.db')}`,
    ...options.environment,
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
  const { environment: _, config, clockOffset: __, ...overrides } = options
  const service: RunningService = await startService({ ...readConfig(environment), ...config }, log, {
    now,
    ...overrides,
  })
  const sandboxUrl = service.sandboxUrl ?? environment.MINISEAL_WECHAT_API ?? ''
  const sandbox = async (path: string, body: unknown): Promise<unknown> => {
    const response = await fetch(`${sandboxUrl}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    if (!response.ok) throw new Error(`the sandbox answered ${response.status}: ${await response.text()}`)
    return response.json()
  }
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
    code: async (openid) => {
      const made = (await sandbox('/sandbox/codes', {
        appid: sandboxApp.appid,
        ...(openid ? { openid } : {}),
      })) as {
        code: string
      }
      return made.code
    },
    push: service.push,
    sandbox,
    stop: () => service.stop(),
    close: async () => {
      await service.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
