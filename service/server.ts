/** Start and stop: a configuration becomes a running service. */

import { authorityOf } from 'miniseal-protocol/frames/channel-configuration'
import { encodeBase64Url } from 'miniseal-protocol/text'
import type { Logger } from 'pino'
import { createAuditorVerifier } from './admin/api/accounts.ts'
import { createApp } from './app.ts'
import type { ExchangeContext } from './channel/context.ts'
import { createCopies } from './channel/copies.ts'
import { watchClock } from './clock.ts'
import { type Config, maxFrame } from './config/config.ts'
import { createBackend } from './config/configured-backend.ts'
import { addDemoPages } from './demo/pages.ts'
import type { NewEvent } from './events/event.ts'
import type { Pushed, PushOptions } from './events/outbox.ts'
import { createOutbox } from './events/outbox.ts'
import type { Backend } from './gateway/backend.ts'
import { openKeyring } from './keys/keyring.ts'
import { randomBytes } from './keys/sodium-primitives.ts'
import { sodiumPrimitives } from './keys/sodium-primitives.ts'
import { createSecretWrapper } from './keys/wrapping.ts'
import { shareOf } from './limits/bulkheads.ts'
import { type DiskTest, watchDisk } from './limits/disk-watch.ts'
import { createLimits } from './limits/limits.ts'
import type { MaintenanceDependencies } from './maintenance.ts'
import { runMaintenance } from './maintenance.ts'
import { clockRecorder, databaseRecorder, exchangeRecorder, wechatRecorder } from './observability/logger.ts'
import type { Metrics } from './observability/metrics.ts'
import { createMetrics, toEach } from './observability/metrics.ts'
import { openTraces, type Traces } from './observability/tracing/traces.ts'
import { createOpenSessions } from './sessions/open-sessions.ts'
import { createTokenIssuer } from './sessions/tokens.ts'
import type { StoreOptions } from './store/open-store.ts'
import { openStore } from './store/open-store.ts'
import { openRecords, openServiceLog } from './tlog/audit-log.ts'
import { listen } from './transport/listener.ts'
import { assertNotOurs } from './transport/push-keys.ts'
import type { SocketTimes } from './transport/socket-settings.ts'
import { createSockets } from './transport/sockets.ts'
import type { WechatClient } from './wechat/client.ts'
import { createWechatClient } from './wechat/client.ts'
import { createSandbox } from './wechat/sandbox/sandbox.ts'

/** What tests may set; a service that people use takes the system's. */
export interface TestOverrides {
  /** UNIX seconds. */
  readonly now?: () => number
  /** Seconds since any moment, by a clock that nobody sets. */
  readonly monotonic?: () => number
  /** Between two rounds of upkeep, in milliseconds. */
  readonly maintenancePeriod?: number
  /** Instead of the demo wallet or the gateway. */
  readonly backend?: Backend
  readonly socketTimes?: SocketTimes
  /** Instead of the listener's own patience with a connection that stands still, in milliseconds. */
  readonly socketPatienceMs?: number
  /** Instead of what the system says of free space, and how often it is asked. */
  readonly disk?: DiskTest
}

export interface RunningService {
  /** Where it listens, for example `http://127.0.0.1:8787`. */
  readonly url: string
  readonly origin: string
  /** b64u of the root keys that clients pin. */
  readonly roots: readonly string[]
  /** The built-in sandbox, where there is one. */
  readonly sandboxUrl: string | undefined
  /**
   * Sends an event to a user: at once to the devices that have subscribed, to others when they ask. It is durable when
   * it resolves.
   *
   * @throws ProtocolError `payload_invalid` for what is no event, `not_found` for a user who never logged in,
   *   `idempotency_mismatch` when `options.id` stands for another event.
   */
  push(user: string, event: NewEvent, options?: PushOptions): Promise<Pushed>
  /** Takes no new work, finishes what runs, closes everything. */
  stop(): Promise<void>
}

/**
 * Starts a service and, in development, the WeChat sandbox beside it (on the next port).
 *
 * @throws Error when the port is taken, the database cannot be opened or a secret cannot be unwrapped.
 */
export async function startService(
  config: Config,
  log: Logger,
  overrides: TestOverrides = {},
): Promise<RunningService> {
  const now = overrides.now ?? ((): number => Math.floor(Date.now() / 1000))
  const wrapper = createSecretWrapper(config.masterKeys)
  const sandbox = await startSandbox(config, now)
  const traces = await openTraces(config.traces, log)
  const metrics = createMetrics(() => store.countSessions(now()))
  const store = metrics.countPushes(await openStore(config.database, observersOf(log, metrics)))
  const disk = await watchDisk(config, overrides.disk, { log, metrics })
  const keyring = await openKeyring(store, wrapper, now())
  assertNotOurs(config.pushKeys, keyring)
  const seen = { log, metrics, traces }
  const wechat = connectWechat(config, sandbox?.url, now, seen)
  const listener = await listen({ ...config, ...metrics, maxFrame, patience: overrides.socketPatienceMs })
  const origin = config.origin ?? listener.url
  const authority = authorityOf(origin)
  const outbox = createOutbox({ store, wrapper, days: config.eventDays, now, random: randomBytes })
  const backend = overrides.backend ?? createBackend(config, { ...seen, now, authority, keyring, outbox })
  const auditLog = await openServiceLog(config, { store, keyring }, authority, now, seen)
  const traced = { store: traces.store(store), trace: traces.exchange }
  const { reading, ...records } = await openRecords(config, { keyring, wrapper, now, ...traced }, auditLog)
  const parts = { keyring, wrapper, wechat, backend, outbox, log: auditLog.gate, now, ...traced }
  const context = contextOf(config, origin, { ...parts, ...records, disk }, seen)
  metrics.watchSlots(context.limits.taken, () => backend.routes?.() ?? [])
  let hasEnded = false
  const isStopping = (): boolean => hasEnded
  const sockets = createSockets({ context, metrics, isStopping, times: overrides.socketTimes })
  const app = createApp(context, {
    isStopping,
    sockets,
    pushKeys: config.pushKeys,
    metrics: { access: config.metrics, read: metrics.read },
    log: auditLog,
    verifyAuditor: createAuditorVerifier(store, reading.accountKey, now),
    reading,
    trace: traces.middleware,
  })
  listener.use(addDemoPages(app, config, { origin, keyring, now, sandboxUrl: sandbox?.url }).fetch)
  const stopMaintenance = startMaintenance({ store, wrapper, keyring, ...records }, now, overrides, seen)
  return {
    url: listener.url,
    origin,
    roots: keyring.published('root', now()).map(({ publicKey }) => encodeBase64Url(publicKey)),
    sandboxUrl: sandbox?.url,
    push: (user, event, options) => outbox.push(user, event, options),
    async stop() {
      hasEnded = true
      await Promise.all([listener.close(), sockets.close(), disk.stop()])
      await stopMaintenance()
      await Promise.all([backend.close(), wechat.close(), sandbox?.close(), context.sessions.close()])
      await auditLog.stop()
      await store.close()
      await traces.stop()
    },
  }
}

/** @returns its stop */
function startMaintenance(
  parts: Omit<MaintenanceDependencies, 'clock' | 'period'>,
  now: () => number,
  { monotonic = () => performance.now() / 1000, maintenancePeriod: period }: TestOverrides,
  { log, metrics }: { readonly log: Logger; readonly metrics: Metrics },
): () => Promise<void> {
  const record = clockRecorder(log)
  const clock = watchClock({
    now,
    monotonic,
    onJump: toEach(record.onJump, metrics.clock.onJump),
    onSettled: toEach(record.onSettled, metrics.clock.onSettled),
  })
  return runMaintenance({ ...parts, clock, period }, now, log)
}

function observersOf(log: Logger, { onCommit, onDatabaseLost }: Metrics): StoreOptions {
  return { onCommit, onLost: toEach(databaseRecorder(log), onDatabaseLost) }
}

/** Who is told of what happens. */
interface Observers {
  readonly log: Logger
  readonly metrics: Metrics
  readonly traces: Traces
}

/** The parts of a context that are made for one service, and not from its configuration alone. */
type ContextParts = Pick<
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

function contextOf(
  config: Config,
  origin: string,
  parts: ContextParts,
  { log, metrics, traces }: Observers,
): ExchangeContext {
  return {
    record: toEach(exchangeRecorder(log), metrics.onExchange, traces.onExchange),
    primitives: sodiumPrimitives,
    settings: { origin, window: { past: 120, future: 10 }, maxFrame, witnessPolicy: config.log.policy },
    authority: authorityOf(origin),
    sessions: createOpenSessions(parts.store, parts.wrapper),
    tokens: createTokenIssuer(parts.keyring, origin),
    limits: createLimits(config.limits, config.trustedProxies),
    copies: createCopies(parts.store),
    maxDevices: config.maxDevices,
    returnsSignatureBase: config.mode === 'development',
    riskPolicy: config.riskPolicy,
    random: randomBytes,
    ...parts,
  }
}

async function startSandbox(
  config: Config,
  now: () => number,
): Promise<{ url: string; close(): Promise<void> } | undefined> {
  if (config.wechatApi.kind === 'url') return undefined
  const sandbox = createSandbox({ apps: config.wechatApps, now })
  const { url } = await sandbox.start(config.port === 0 ? 0 : config.port + 1, config.host)
  return { url, close: () => sandbox.close() }
}

function connectWechat(
  { wechatApi, wechatApps, limits }: Config,
  sandboxUrl: string | undefined,
  now: () => number,
  { log, metrics, traces }: Observers,
): WechatClient {
  const baseUrl = wechatApi.kind === 'url' ? wechatApi.url : (sandboxUrl ?? '')
  const onCall = toEach(wechatRecorder(log), metrics.onWechatCall, traces.onWechatCall)
  const { in_flight, login_share, wechat_share } = limits
  const slots = { logins: shareOf(in_flight, login_share), others: shareOf(in_flight, wechat_share) }
  return createWechatClient({ baseUrl, apps: wechatApps, slots, now, onCall })
}
