/** The configuration of the service: every variable is read once, strictly, and all problems are reported together. */
import { authorityOf } from 'miniseal-protocol/frames/channel-configuration'
import type { z } from 'zod'
import { readRoutes, type Upstream } from '../gateway/routes.ts'
import { developmentMasterKey } from '../keys/master-keys.ts'
import { type LimitSettings, parseLimits, parseTrustedProxies } from '../limits/settings.ts'
import { type MetricsAccess, parseMetricsAccess } from '../observability/metrics.ts'
import { parseTraces, type TraceSettings } from '../observability/tracing.ts'
import { parseRiskPolicy, type RiskPolicy } from '../sessions/risk-policy.ts'
import type { DatabaseLocation } from '../store/open-store.ts'
import { type LogSettings, readLogSettings } from '../tlog/settings.ts'
import { type PushKey, parsePushKeys } from '../transport/push.ts'
import { parseApps } from '../wechat/apps.ts'
import type { WechatApp } from '../wechat/client.ts'
import {
  ConfigError,
  type Environment,
  locateDatabase,
  type Mode,
  parseMode,
  presentValues,
  readMasterKeys,
  withoutEmpty,
} from './environment.ts'
import { variables } from './variables.ts'

/** The WeChat API: a base URL, or the sandbox that the service starts. */
export type WechatApi = { readonly kind: 'url'; readonly url: string } | { readonly kind: 'built-in-sandbox' }

export interface Config {
  readonly mode: Mode
  readonly host: string
  readonly port: number
  /** The public origin: `iss`, and the inner `@authority`. `undefined`: the listening address. */
  readonly origin: string | undefined
  readonly database: DatabaseLocation
  /** Also contains the pinned checkpoints of the log. */
  readonly dataFolder: string
  readonly log: LogSettings
  /** Current first. Secret. */
  readonly masterKeys: readonly Uint8Array[]
  /** Contains AppSecrets. */
  readonly wechatApps: readonly WechatApp[]
  readonly wechatApi: WechatApi
  /** `undefined`: the built-in demo wallet. */
  readonly upstreams: readonly Upstream[] | undefined
  readonly limits: LimitSettings
  /** Bytes of free disk space below which requests that write are refused; 0 disables the check. SQLite only. */
  readonly diskReserve: number
  /** Number of the operator's own proxies that append to X-Forwarded-For. */
  readonly trustedProxies: number
  /** Active devices per user. */
  readonly maxDevices: number
  /** Retention of events. */
  readonly eventDays: number
  /** Empty: pushes over HTTP are disabled. */
  readonly pushKeys: readonly PushKey[]
  /** `undefined`: no risk check. */
  readonly riskPolicy: RiskPolicy | undefined
  /** May contain a secret token. */
  readonly metrics: MetricsAccess
  /** `undefined`: no tracing. */
  readonly traces: TraceSettings | undefined
  readonly logLevel: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent'
}

/** Bytes of the largest frame, in either direction. */
export const maxFrame = 1_048_576

/** Where requests are handled: by the configured backend, or by an app mounted in this process. */
export type BackendSource = 'configured' | 'mounted'

type Values = z.infer<typeof variables>

/**
 * Reads the configuration. In production there are no development defaults.
 *
 * @throws ConfigError with a line for each missing or invalid variable.
 */
export function readConfig(environment: Environment, backend: BackendSource = 'configured'): Config {
  const parsed = variables.safeParse(presentValues(environment))
  if (!parsed.success) throw new ConfigError(parsed.error.issues.map(({ message }) => message))
  const values = parsed.data
  const mode = parseMode(values.NODE_ENV)
  const problems = findMissing(mode, values, backend)
  const collect = <T>(read: () => T): T => {
    try {
      return read()
    } catch (error) {
      problems.push(error instanceof Error ? error.message : String(error))
      // Not returned: the problem is thrown below.
      return undefined as T
    }
  }
  const config = {
    ...{ mode, host: values.HOST, port: values.PORT, dataFolder: values.MINISEAL_DATA },
    ...{ maxDevices: values.MINISEAL_MAX_DEVICES, eventDays: values.MINISEAL_EVENT_DAYS },
    diskReserve: values.MINISEAL_DISK_RESERVE * 1_048_576,
    logLevel: values.MINISEAL_LOG_LEVEL,
    origin: collect(() => parseOrigin(values.MINISEAL_ORIGIN)),
    database: collect(() => locateDatabase(values, mode)),
    wechatApps: collect(() => parseApps(values.MINISEAL_WECHAT_APPS, mode)),
    wechatApi: collect(() => parseWechatApi(values.MINISEAL_WECHAT_API, mode)),
    limits: collect(() => parseLimits(values.MINISEAL_LIMITS, mode)),
    trustedProxies: collect(() => parseTrustedProxies(values.MINISEAL_TRUSTED_PROXIES)),
    upstreams: collect(() => readRoutes(values.MINISEAL_UPSTREAMS, values.MINISEAL_ROUTES_FILE)),
    log: collect(() => readLogSettings(values)),
    riskPolicy: collect(() => parseRiskPolicy(values.MINISEAL_RISK_POLICY)),
    traces: collect(() => parseTraces(withoutEmpty(environment))),
    metrics: collect(() => parseMetricsAccess(values.MINISEAL_METRICS_TOKEN, mode)),
    pushKeys: collect(() => parsePushKeys(values.MINISEAL_PUSH_KEYS)),
  }
  const masterKeys = collect(() => readMasterKeys(values, mode))
  if (problems.length > 0) throw new ConfigError(problems)
  return { ...config, masterKeys: masterKeys ?? [developmentMasterKey(values.MINISEAL_DATA)] }
}

/** @returns an error message for each missing variable, and for a HOST that is unsafe in development */
function findMissing(mode: Mode, values: Values, backend: BackendSource): string[] {
  if (mode === 'development') {
    if (isLoopbackAddress(values.HOST)) return []
    // With the sandbox every client can log in as any user.
    return ['HOST must be 127.0.0.1, ::1 or localhost in development: use a tunnel, or NODE_ENV=production']
  }
  const required: readonly [string | undefined, string][] = [
    [
      values.MINISEAL_ORIGIN,
      'MINISEAL_ORIGIN is missing: the public origin, for example https://pay.example.com',
    ],
    [
      values.MINISEAL_MASTER_KEY,
      'MINISEAL_MASTER_KEY (or MINISEAL_MASTER_KEY_FILE) is missing: make one with: openssl rand -base64 32',
    ],
    [
      values.MINISEAL_WECHAT_APPS,
      'MINISEAL_WECHAT_APPS (or MINISEAL_WECHAT_APPS_FILE) is missing: appid:secret from the WeChat console',
    ],
    [
      backend === 'mounted' ? backend : (values.MINISEAL_UPSTREAMS ?? values.MINISEAL_ROUTES_FILE),
      'MINISEAL_UPSTREAMS (or MINISEAL_ROUTES_FILE) is missing: your backends, for example /wallet=http://10.0.0.5:9001',
    ],
  ]
  return required.filter(([value]) => value === undefined).map(([, message]) => message)
}

function isLoopbackAddress(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.[0-9]{1,3}){3}$/.test(host)
}

/**
 * Parses `MINISEAL_ORIGIN`, and removes the default port of its scheme.
 *
 * @throws Error for the operator.
 */
export function parseOrigin(text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  try {
    authorityOf(text)
    new URL(text)
  } catch {
    throw new Error('MINISEAL_ORIGIN must be scheme://host[:port] in lower case, without a path')
  }
  if (text.startsWith('http:') && !isLoopbackUrl(text))
    throw new Error('MINISEAL_ORIGIN must be https, or on loopback')
  return text.replace(/^(https:.*):443$/, '$1').replace(/^(http:.*):80$/, '$1')
}

function parseWechatApi(text: string | undefined, mode: Mode): WechatApi {
  if (text === undefined) {
    return mode === 'production'
      ? { kind: 'url', url: 'https://api.weixin.qq.com' }
      : { kind: 'built-in-sandbox' }
  }
  if (!URL.canParse(text)) throw new Error('MINISEAL_WECHAT_API must be a URL')
  if (!text.startsWith('https://') && !isLoopbackUrl(text))
    throw new Error('MINISEAL_WECHAT_API must be https, or on loopback')
  return { kind: 'url', url: text.replace(/\/+$/, '') }
}

function isLoopbackUrl(url: string): boolean {
  return ['127.0.0.1', 'localhost', '[::1]'].includes(new URL(url).hostname)
}
