/** Constructors of the service's parts from its configuration. */
import { dirname, join } from 'node:path'
import { authorityOf } from 'miniseal-protocol/frames/channel-configuration'
import type { MessageSigner } from 'miniseal-protocol/http-signatures/signed-request'
import type { Logger } from 'pino'
import type { ExchangeContext } from './channel/context.ts'
import { type ClockWatch, watchClock } from './clock.ts'
import { type Config, maxFrame } from './config/config.ts'
import { openDemo } from './demo/app.ts'
import type { Outbox } from './events/outbox.ts'
import { type Backend, mountApp } from './gateway/backend.ts'
import { createGateway } from './gateway/gateway.ts'
import type { Keyring } from './keys/keyring.ts'
import { randomBytes, sodiumPrimitives } from './keys/sodium-primitives.ts'
import { shareOf } from './limits/concurrency.ts'
import { createLimits } from './limits/limits.ts'
import {
  logClock,
  logDatabaseFailure,
  logExchanges,
  logUpstreamFaults,
  logWechatCalls,
} from './observability/logger.ts'
import { fanOut, type Metrics } from './observability/metrics.ts'
import { noTraces, type Traces } from './observability/tracing.ts'
import { createSessionCache } from './sessions/session-cache.ts'
import { createTokenIssuer } from './sessions/tokens.ts'
import { isInMemory } from './store/open-store.ts'
import type { StoreOptions } from './store/store.ts'
import { createWechatClient, type WechatClient } from './wechat/client.ts'
import { createSandbox } from './wechat/sandbox/sandbox.ts'

/** The observers of the parts. */
export interface Observers {
  readonly log: Logger
  readonly metrics: Metrics
  readonly traces: Traces
}

/** Seconds that a request may be old, or dated in the future. */
const requestWindow = { past: 120, future: 10 } as const

export interface RunningSandbox {
  readonly url: string
  close(): Promise<void>
}

/** The built-in WeChat sandbox, on the next port; `undefined` when another API is configured. */
export async function startSandbox(config: Config, now: () => number): Promise<RunningSandbox | undefined> {
  if (config.wechatApi.kind === 'url') return undefined
  const sandbox = createSandbox({ apps: config.wechatApps, now })
  const { url } = await sandbox.start(config.port === 0 ? 0 : config.port + 1, config.host)
  return { url, close: () => sandbox.close() }
}

/** Loads OpenTelemetry only when a collector is configured. */
export async function openTraces({ traces }: Config, log: Logger): Promise<Traces> {
  if (traces === undefined) return noTraces
  const { createTraces } = await import('./observability/opentelemetry.ts')
  return createTraces(traces, log)
}

export function storeObservers({ log, metrics }: Pick<Observers, 'log' | 'metrics'>): StoreOptions {
  return {
    onCommit: metrics.onCommit,
    onLost: fanOut(logDatabaseFailure(log), metrics.onDatabaseFailed),
  }
}

/** The folders whose free space is watched: of SQLite and of the data. PostgreSQL may run on another host. */
export function foldersToWatch({ database, dataFolder, diskReserve }: Config): readonly string[] {
  if (database.kind !== 'sqlite' || isInMemory(database) || diskReserve <= 0) return []
  return [dirname(database.path), dataFolder]
}

export function createWechat(
  { wechatApi, wechatApps, limits }: Config,
  sandboxUrl: string | undefined,
  now: () => number,
  { log, metrics, traces }: Observers,
): WechatClient {
  const baseUrl = wechatApi.kind === 'url' ? wechatApi.url : (sandboxUrl ?? '')
  const onCall = fanOut(logWechatCalls(log), metrics.onWechatCall, traces.onWechatCall)
  const { in_flight, login_share, wechat_share } = limits
  const slots = { logins: shareOf(in_flight, login_share), others: shareOf(in_flight, wechat_share) }
  return createWechatClient({ baseUrl, apps: wechatApps, slots, now, onCall })
}

interface BackendDependencies {
  /** Host and port of the origin. */
  readonly authority: string
  readonly keyring: Keyring
  /** UNIX seconds. */
  readonly now: () => number
  readonly outbox: Outbox
}

/** The gateway, or the demo wallet when no upstream is configured. */
export function createBackend(
  config: Config,
  { authority, keyring, now, outbox }: BackendDependencies,
  { log, metrics, traces }: Observers,
): Backend {
  if (config.upstreams !== undefined) {
    const signer = (): MessageSigner => {
      const { kid, secretKey } = keyring.current('signing', now())
      return { keyid: kid, secretKey }
    }
    return createGateway({
      ...{ upstreams: config.upstreams, authority, maxContent: maxFrame, trace: traces.backend },
      ...{ primitives: sodiumPrimitives, signer, now, random: randomBytes },
      onFault: fanOut(logUpstreamFaults(log), metrics.onUpstreamFault),
    })
  }
  const path = isInMemory(config.database) ? ':memory:' : join(config.dataFolder, 'demo-wallet.db')
  const demo = openDemo(path, outbox.push, now)
  return mountApp(demo.app, async () => demo.close(), { isIdempotent: true })
}

/** Everything in an {@link ExchangeContext} that is not derived from the configuration alone. */
type ContextDependencies = Pick<
  ExchangeContext,
  | 'store'
  | 'disk'
  | 'keyring'
  | 'wrapper'
  | 'wechat'
  | 'backend'
  | 'outbox'
  | 'log'
  | 'appender'
  | 'receipts'
  | 'now'
  | 'trace'
>

export function createContext(
  config: Config,
  origin: string,
  parts: ContextDependencies,
  { log, metrics, traces }: Observers,
  bodyGrace?: number,
): ExchangeContext {
  return {
    record: fanOut(logExchanges(log), metrics.onExchange, traces.onExchange),
    primitives: sodiumPrimitives,
    settings: { origin, window: requestWindow, maxFrame, witnessPolicy: config.log.policy },
    authority: authorityOf(origin),
    sessions: createSessionCache(parts.store, parts.wrapper),
    tokens: createTokenIssuer(parts.keyring, origin),
    limits: createLimits(config.limits, config.trustedProxies, bodyGrace),
    claimingNonces: new Set(),
    maxDevices: config.maxDevices,
    returnsSignatureBase: config.mode === 'development',
    riskPolicy: config.riskPolicy,
    random: randomBytes,
    ...parts,
  }
}

export function createClock(
  now: () => number,
  monotonic: () => number,
  { log, metrics }: Observers,
): ClockWatch {
  const logged = logClock(log)
  return watchClock({
    now,
    monotonic,
    onJump: fanOut(logged.onJump, metrics.clock.onJump),
    onStable: fanOut(logged.onStable, metrics.clock.onStable),
  })
}
