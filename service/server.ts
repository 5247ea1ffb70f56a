/** Starts and stops the service. */
import { authorityOf } from 'miniseal-protocol/frames/channel-configuration'
import { encodeBase64Url } from 'miniseal-protocol/text'
import type { Logger } from 'pino'
import { createAuditorVerifier } from './admin/api/accounts.ts'
import { createApp } from './app.ts'
import { openRecords, openServiceLog } from './audit-log.ts'
import { type Config, maxFrame } from './config/config.ts'
import { addDemoPages } from './demo/pages.ts'
import {
  createBackend,
  createClock,
  createContext,
  createWechat,
  foldersToWatch,
  openTraces,
  startSandbox,
  storeObservers,
} from './dependencies.ts'
import type { NewEvent } from './events/event.ts'
import { createOutbox, type Pushed, type PushOptions } from './events/outbox.ts'
import type { Backend } from './gateway/backend.ts'
import { openKeyring } from './keys/keyring.ts'
import { randomBytes } from './keys/sodium-primitives.ts'
import { createSecretWrapper } from './keys/wrapping.ts'
import { type DiskOverrides, guardDisk } from './limits/disk.ts'
import { startMaintenance } from './maintenance.ts'
import { logDisk } from './observability/logger.ts'
import { createMetrics } from './observability/metrics.ts'
import { ProblemError } from './problems/problem-error.ts'
import { openStore } from './store/open-store.ts'
import { type ListenerTimes, listen } from './transport/listener.ts'
import { assertNotServiceKeys } from './transport/push.ts'
import type { SocketTimes } from './transport/socket-flow.ts'
import { createSockets } from './transport/sockets.ts'

/** Clocks, periods and parts that tests replace. */
export interface TestOverrides {
  /** UNIX seconds. */
  readonly now?: () => number
  /** Seconds since an arbitrary moment. */
  readonly monotonic?: () => number
  /** Milliseconds between two maintenance rounds. */
  readonly maintenancePeriod?: number
  /** Milliseconds between two checkpoints, requests to a witness, and polls of the transparency log. */
  readonly logPeriod?: number
  /** Milliseconds that a statement may wait for another process. */
  readonly statementTimeout?: number
  readonly listenerTimes?: Partial<ListenerTimes>
  readonly socketTimes?: Partial<SocketTimes>
  readonly disk?: DiskOverrides
  /** Milliseconds during which a body is not evicted for another one of its address. */
  readonly bodyGrace?: number
  /** Replaces the gateway and the demo wallet. */
  readonly backend?: Backend
}

export interface RunningService {
  /** The listening address, for example `http://127.0.0.1:8787`. */
  readonly url: string
  readonly origin: string
  /** The root keys that clients pin, in base64url. */
  readonly roots: readonly string[]
  /** The built-in sandbox. */
  readonly sandboxUrl: string | undefined
  /**
   * Sends an event to a user. Subscribed devices receive it at once, others when they connect. Durable when it
   * resolves.
   *
   * @throws PushError `payload_invalid` for an invalid event, `not_found` for a user who never logged in,
   *   `idempotency_mismatch` when `options.id` belongs to another event.
   * @throws StoreUnavailable when the event may or may not be stored.
   */
  push(user: string, event: NewEvent, options?: PushOptions): Promise<Pushed>
  /** Refuses new work, finishes requests in process, closes everything. */
  stop(): Promise<void>
}

/**
 * A push that was refused. Not a `ProblemError`: if it escapes from a handler, it is a failure of the handler, whose effect
 * is unknown, and never the handler's statement that nothing happened.
 */
export class PushError extends Error {
  readonly code: ProblemError['code']

  constructor(cause: ProblemError) {
    super(cause.message, { cause })
    this.name = 'PushError'
    this.code = cause.code
  }
}

/**
 * Starts a service and, in development, the WeChat sandbox on the next port.
 *
 * @throws Error when the port is in use, the database cannot be opened or a secret cannot be unwrapped.
 */
export async function startService(
  config: Config,
  log: Logger,
  overrides: TestOverrides = {},
): Promise<RunningService> {
  const parts = await openDependencies(config, log, overrides)
  const { now, observers, store, sandbox, listener, context, auditLog, reading } = parts
  const { metrics, traces } = observers
  const { keyring, wrapper, appender, backend, wechat, disk, outbox, sessions } = context
  const { origin } = context.settings

  let isStopped = false
  const isStopping = (): boolean => isStopped
  const sockets = createSockets({ context, metrics, isStopping, times: overrides.socketTimes })
  const app = createApp(context, {
    ...{ isStopping, sockets, pushKeys: config.pushKeys, log: auditLog, reading, trace: traces.middleware },
    metrics: { access: config.metrics, read: metrics.read },
    verifyAuditor: createAuditorVerifier(store, reading.accountKey, now),
  })
  listener.use(addDemoPages(app, config, { origin, keyring, now, sandboxUrl: sandbox?.url }).fetch)

  const monotonic = overrides.monotonic ?? ((): number => performance.now() / 1000)
  const clock = createClock(now, monotonic, observers)
  const period = overrides.maintenancePeriod
  const stopMaintenance = startMaintenance({ store, wrapper, keyring, appender, clock, now, log, period })

  return {
    url: listener.url,
    origin,
    roots: keyring.published('root', now()).map(({ publicKey }) => encodeBase64Url(publicKey)),
    sandboxUrl: sandbox?.url,
    async push(user, event, options) {
      try {
        return await outbox.push(user, event, options)
      } catch (error) {
        throw error instanceof ProblemError ? new PushError(error) : error
      }
    },
    async stop() {
      isStopped = true
      await Promise.all([listener.close(), sockets.close(), disk.stop()])
      await stopMaintenance()
      await Promise.all([backend.close(), wechat.close(), sandbox?.close(), sessions.close()])
      await auditLog.stop()
      await store.close()
      await traces.stop()
    },
  }
}

/** Opens the parts of the service. The port is bound early: in development the origin is the listening address. */
async function openDependencies(config: Config, log: Logger, overrides: TestOverrides) {
  const now = overrides.now ?? ((): number => Math.floor(Date.now() / 1000))
  const wrapper = createSecretWrapper(config.masterKeys)
  const sandbox = await startSandbox(config, now)

  const traces = await openTraces(config, log)
  const metrics = createMetrics(() => store.countSessions(now()))
  const observers = { log, metrics, traces }

  const { statementTimeout } = overrides
  const storeOptions = { ...storeObservers(observers), ...(statementTimeout && { statementTimeout }) }
  const store = metrics.countPushes(await openStore(config.database, storeOptions))
  const watched = { folders: foldersToWatch(config), reserve: config.diskReserve, ...overrides.disk }
  const disk = await guardDisk({ ...watched, onChange: logDisk(log) })
  const keyring = await openKeyring(store, wrapper, now())
  assertNotServiceKeys(config.pushKeys, keyring)

  const wechat = createWechat(config, sandbox?.url, now, observers)
  const listener = await listen({ ...config, ...metrics, maxFrame, times: overrides.listenerTimes })
  const origin = config.origin ?? listener.url
  const authority = authorityOf(origin)

  const outbox = createOutbox({ store, wrapper, days: config.eventDays, now, random: randomBytes })
  const backend = overrides.backend ?? createBackend(config, { authority, keyring, now, outbox }, observers)
  const logDependencies = { store, keyring, period: overrides.logPeriod }
  const auditLog = await openServiceLog(config, logDependencies, authority, now, observers)
  const traced = { store: traces.store(store), trace: traces.exchange }
  const { reading, ...records } = await openRecords(config, { keyring, wrapper, now, ...traced }, auditLog)

  const parts = { keyring, wrapper, wechat, backend, outbox, log: auditLog.gate, disk, now }
  const contextDependencies = { ...parts, ...traced, ...records }
  const context = createContext(config, origin, contextDependencies, observers, overrides.bodyGrace)
  metrics.watchDisk(disk)
  metrics.watchUsage(context.limits.usage)
  metrics.watchRoutes(() => backend.routes?.() ?? [])
  return { now, observers, store, sandbox, listener, context, auditLog, reading }
}
