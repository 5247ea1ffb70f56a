/** The environment, read once and strictly, as a {@link Config}. */
import type { Upstream } from '../gateway/routes.ts'
import { readRoutes } from '../gateway/routes.ts'
import { developmentMasterKey } from '../keys/master-keys.ts'
import type { LimitSettings } from '../limits/settings.ts'
import { defaultLimits, parseLimits, parseTrustedProxies } from '../limits/settings.ts'
import type { MetricsAccess } from '../observability/metrics-route.ts'
import { parseMetricsAccess } from '../observability/metrics-route.ts'
import type { TraceSettings } from '../observability/tracing/settings.ts'
import { parseTraces } from '../observability/tracing/settings.ts'
import type { RiskPolicy } from '../sessions/risk-policy.ts'
import { parseRiskPolicy } from '../sessions/risk-policy.ts'
import type { DatabaseLocation } from '../store/open-store.ts'
import type { LogSettings } from '../tlog/settings.ts'
import { noLogSettings, readLogSettings } from '../tlog/settings.ts'
import type { PushKey } from '../transport/push-keys.ts'
import { parsePushKeys } from '../transport/push-keys.ts'
import { parseApps } from '../wechat/apps.ts'
import type { WechatApp } from '../wechat/client.ts'
import type { Environment } from './environment.ts'
import {
  ConfigError,
  locateDatabase,
  modeOf,
  presentValues,
  readMasterKeys,
  withoutEmpty,
} from './environment.ts'
import type { BackendSource } from './production.ts'
import { findUnfit } from './production.ts'
import { isLoopback, parseOrigin } from './public-origin.ts'
import { variables } from './variables.ts'

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

/** Bytes of the largest frame, either way. */
export const maxFrame = 1_048_576

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
  const given = variables.safeParse(presentValues(environment))
  if (!given.success) throw new ConfigError(given.error.issues.map((issue) => issue.message))
  const values = given.data
  const mode = modeOf(values.NODE_ENV)
  const problems: string[] = []
  const collect = <T>(read: () => T, fallback: T): T => {
    try {
      return read()
    } catch (error) {
      problems.push(error instanceof Error ? error.message : String(error))
      return fallback
    }
  }
  problems.push(...findUnfit(mode, values, backend))
  const origin = collect(() => parseOrigin(values.MINISEAL_ORIGIN), undefined)
  const database = collect(() => locateDatabase(values, mode), inMemory)
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
  const givenKeys = collect(() => readMasterKeys(values, mode), undefined)
  const metrics = collect(() => parseMetricsAccess(values.MINISEAL_METRICS_TOKEN, mode), closed)
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
