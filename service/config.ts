/** The environment, read once and strictly, as a {@link Config}. */
import { readFileSync } from 'node:fs'
import { z } from 'zod'
import type { Upstream } from './backends/routes.ts'
import { readRoutes } from './backends/routes.ts'
import type { MetricsAccess } from './http/metrics.ts'
import { parseMetricsAccess } from './http/metrics.ts'
import type { PushKey } from './http/push-keys.ts'
import { parsePushKeys } from './http/push-keys.ts'
import { developmentMasterKey, parseMasterKeys } from './keys/master-keys.ts'
import type { LimitSettings } from './limits/settings.ts'
import { defaultLimits, parseLimits, parseTrustedProxies } from './limits/settings.ts'
import type { LogSettings } from './log/settings.ts'
import { noLogSettings, readLogSettings } from './log/settings.ts'
import type { BackendSource } from './production.ts'
import { missingInProduction } from './production.ts'
import { isLoopback, parseOrigin } from './public-origin.ts'
import type { RiskPolicy } from './sessions/risk-policy.ts'
import { parseRiskPolicy } from './sessions/risk-policy.ts'
import type { DatabaseLocation } from './store/open-store.ts'
import { parseDatabase } from './store/open-store.ts'
import type { TraceSettings } from './traces/settings.ts'
import { parseTraces } from './traces/settings.ts'
import type { WechatApp } from './wechat/client.ts'
import { parseApps } from './wechat/configured-apps.ts'

/** Where WeChat's server API is: a base URL, or the sandbox that the service starts itself. */
export type WechatApi = { readonly kind: 'url'; readonly url: string } | { readonly kind: 'built-in-sandbox' }

export interface Config {
  readonly mode: 'development' | 'production'
  readonly host: string
  readonly port: number
  /** The public origin: `iss`, and the inner `@authority`. `undefined`: made from the address it listens on. */
  readonly origin: string | undefined
  readonly database: DatabaseLocation
  /** Also holds the log's anchor. */
  readonly dataFolder: string
  readonly log: LogSettings
  /** Current first. Secret. */
  readonly masterKeys: readonly Uint8Array[]
  /** Holds AppSecrets. */
  readonly wechatApps: readonly WechatApp[]
  readonly wechatApi: WechatApi
  /** `undefined`: the built-in demo wallet. */
  readonly upstreams: readonly Upstream[] | undefined
  readonly limits: LimitSettings
  /** Bytes of the disk below which nothing new is taken; 0: never. Of SQLite alone. */
  readonly diskReserve: number
  /** Proxies in front whose X-Forwarded-For entries are believed. */
  readonly trustedProxies: number
  /** Devices that one user may have in use. */
  readonly maxDevices: number
  /** For how long events are kept, in days. */
  readonly eventDays: number
  /** Who may push events over HTTP; empty: nobody. */
  readonly pushKeys: readonly PushKey[]
  /** `undefined`: WeChat is not asked how risky a user is. */
  readonly riskPolicy: RiskPolicy | undefined
  /** Holds a secret where it holds a token. */
  readonly metrics: MetricsAccess
  /** `undefined`: no traces. */
  readonly traces: TraceSettings | undefined
  readonly logLevel: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent'
}

/** A configuration that the service does not start with; the message is for the operator, a line per problem. */
export class ConfigError extends Error {
  constructor(problems: readonly string[]) {
    super(`the configuration is not complete:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`)
    this.name = 'ConfigError'
  }
}

export type Environment = Readonly<Record<string, string | undefined>>

const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const

const schema = z.object({
  NODE_ENV: z.string().optional(),
  HOST: z.string().min(1).default('127.0.0.1'),
  PORT: z.coerce.number({ error: 'PORT must be a number' }).int().min(0).max(65535).default(8787),
  MINISEAL_ORIGIN: z.string().optional(),
  MINISEAL_DATABASE: z.string().default('sqlite:data/miniseal.db'),
  MINISEAL_POSTGRES_POOL: z.string().optional(),
  MINISEAL_POSTGRES_DIRECT_URL: z.string().optional(),
  MINISEAL_DATA: z.string().min(1).default('data'),
  MINISEAL_MASTER_KEY: z.string().optional(),
  MINISEAL_WECHAT_APPS: z.string().optional(),
  MINISEAL_WECHAT_API: z.string().optional(),
  MINISEAL_UPSTREAMS: z.string().optional(),
  MINISEAL_LIMITS: z.string().optional(),
  MINISEAL_DISK_RESERVE: z
    .string()
    .regex(/^(?:0|[1-9][0-9]{0,5})$/, {
      error: 'MINISEAL_DISK_RESERVE must be a whole number of MiB, 0 for none',
    })
    .default('256'),
  MINISEAL_TRUSTED_PROXIES: z.string().optional(),
  MINISEAL_ROUTES_FILE: z.string().optional(),
  MINISEAL_MAX_DEVICES: z
    .string()
    .regex(/^[1-9][0-9]{0,3}$/, { error: 'MINISEAL_MAX_DEVICES must be a whole number from 1 to 9999' })
    .default('10'),
  MINISEAL_EVENT_DAYS: z
    .string()
    .regex(/^[1-9][0-9]{0,2}$/, { error: 'MINISEAL_EVENT_DAYS must be a whole number from 1 to 999' })
    .default('30'),
  MINISEAL_PUSH_KEYS: z.string().optional(),
  MINISEAL_RISK_POLICY: z.string().optional(),
  MINISEAL_METRICS_TOKEN: z.string().optional(),
  MINISEAL_LOG_ORIGIN: z.string().optional(),
  MINISEAL_RETENTION: z.string().optional(),
  MINISEAL_LOG_POLICY_FILE: z.string().optional(),
  MINISEAL_TSA_URL: z.string().optional(),
  MINISEAL_LOG_LEVEL: z
    .enum(logLevels, { error: `MINISEAL_LOG_LEVEL must be one of ${logLevels.join(', ')}` })
    .default('info'),
})

const sandboxApi: WechatApi = { kind: 'built-in-sandbox' }

const mebibyte = 1_048_576

/** Stands in for a database that could not be read: the service does not start then. */
const inMemory: DatabaseLocation = { kind: 'sqlite', path: ':memory:' }

/** Likewise for who may read the metrics. */
const closed: MetricsAccess = { kind: 'off' }

/**
 * Reads the configuration. In production every development default is refused, all of them in one message.
 *
 * @throws ConfigError naming each variable that is missing or wrong, and how to make it.
 */
export function readConfig(environment: Environment, backend: BackendSource = 'configured'): Config {
  const given = schema.safeParse(presentValues(environment))
  if (!given.success) throw new ConfigError(given.error.issues.map((issue) => issue.message))
  const values = given.data
  const mode = values.NODE_ENV === 'production' ? 'production' : 'development'
  const problems: string[] = []
  const collect = <T>(read: () => T, fallback: T): T => {
    try {
      return read()
    } catch (error) {
      problems.push(error instanceof Error ? error.message : String(error))
      return fallback
    }
  }
  if (mode === 'production') problems.push(...missingInProduction(values, backend))
  const origin = collect(() => parseOrigin(values.MINISEAL_ORIGIN), undefined)
  const database = collect(() => parseDatabase(values), inMemory)
  const wechatApps = collect(() => parseApps(values.MINISEAL_WECHAT_APPS, mode), [])
  const wechatApi = collect(() => parseWechatApi(values.MINISEAL_WECHAT_API, mode), sandboxApi)
  const limits = collect(() => parseLimits(values.MINISEAL_LIMITS, mode), defaultLimits(mode))
  const trustedProxies = collect(() => parseTrustedProxies(values.MINISEAL_TRUSTED_PROXIES), 0)
  const upstreams = collect(
    () => readRoutes(values.MINISEAL_UPSTREAMS, values.MINISEAL_ROUTES_FILE),
    undefined,
  )
  const log = collect(() => readLogSettings(values), noLogSettings)
  const riskPolicy = collect(() => parseRiskPolicy(values.MINISEAL_RISK_POLICY), undefined)
  const traces = collect(() => parseTraces(withoutEmpty(environment)), undefined)
  const givenKeys = collect(() => parseMasterKeys(values.MINISEAL_MASTER_KEY), undefined)
  const metrics = collect(() => parseMetricsAccess(values.MINISEAL_METRICS_TOKEN, mode, values.HOST), closed)
  const pushKeys = collect(() => parsePushKeys(values.MINISEAL_PUSH_KEYS), [])
  if (problems.length > 0) throw new ConfigError(problems)
  return {
    mode,
    host: values.HOST,
    port: values.PORT,
    origin,
    database,
    dataFolder: values.MINISEAL_DATA,
    log,
    masterKeys: givenKeys ?? [developmentMasterKey(values.MINISEAL_DATA)],
    wechatApps,
    wechatApi,
    upstreams,
    limits,
    diskReserve: Number(values.MINISEAL_DISK_RESERVE) * mebibyte,
    trustedProxies,
    maxDevices: Number(values.MINISEAL_MAX_DEVICES),
    eventDays: Number(values.MINISEAL_EVENT_DAYS),
    pushKeys,
    riskPolicy,
    metrics,
    traces,
    logLevel: values.MINISEAL_LOG_LEVEL,
  }
}

/**
 * What is set, with the contents of files in the place of their names.
 *
 * @throws ConfigError for a file that cannot be read.
 */
export function presentValues(environment: Environment): Environment {
  return withFiles(withoutEmpty(environment))
}

function withoutEmpty(environment: Environment): Environment {
  return Object.fromEntries(
    Object.entries(environment).filter(([, value]) => value !== undefined && value !== ''),
  )
}

/** `NAME_FILE` holds the path of a file with the value of `NAME`, for secrets that are mounted. */
function withFiles(environment: Environment): Environment {
  const values: Record<string, string | undefined> = { ...environment }
  for (const name of [
    'MINISEAL_MASTER_KEY',
    'MINISEAL_WECHAT_APPS',
    'MINISEAL_DATABASE',
    'MINISEAL_POSTGRES_DIRECT_URL',
    'MINISEAL_METRICS_TOKEN',
    'MINISEAL_PUSH_KEYS',
  ]) {
    const path = environment[`${name}_FILE`]
    if (path === undefined) continue
    if (environment[name] !== undefined)
      throw new ConfigError([`${name} and ${name}_FILE are both set: keep one`])
    try {
      values[name] = readFileSync(path, 'utf8').trim()
    } catch {
      throw new ConfigError([`${name}_FILE names a file that cannot be read`])
    }
  }
  return values
}

/**
 * Where the database is, for commands that need nothing else: no key, no origin.
 *
 * @throws ConfigError when `MINISEAL_DATABASE` cannot be read.
 */
export function readDatabase(environment: Environment): DatabaseLocation {
  const { MINISEAL_DATABASE = 'sqlite:data/miniseal.db', ...others } = withoutEmpty(environment)
  try {
    return parseDatabase({ ...others, MINISEAL_DATABASE })
  } catch (error) {
    throw new ConfigError([error instanceof Error ? error.message : String(error)])
  }
}

function parseWechatApi(text: string | undefined, mode: Config['mode']): WechatApi {
  if (text === undefined) {
    return mode === 'production'
      ? { kind: 'url', url: 'https://api.weixin.qq.com' }
      : { kind: 'built-in-sandbox' }
  }
  if (!URL.canParse(text)) throw new Error('MINISEAL_WECHAT_API must be a URL')
  if (!text.startsWith('https://') && !isLoopback(text))
    throw new Error('MINISEAL_WECHAT_API must be https, or on loopback')
  return { kind: 'url', url: text.replace(/\/+$/, '') }
}
