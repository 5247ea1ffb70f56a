/** Start and stop: a configuration becomes a running service. */
import { randomBytes } from 'node:crypto'
import type { Server } from 'node:http'
import { join } from 'node:path'
import type { WebSocketServerLike } from '@hono/node-server'
import { serve } from '@hono/node-server'
import type { Hono } from 'hono'
import type { Logger } from 'pino'
import { authorityOf } from '../crypto/channel-configuration.ts'
import type { MessageSigner } from '../crypto/signed-request.ts'
import { encodeBase64Url } from '../crypto/text.ts'
import { createApp } from './app.ts'
import type { Backend } from './backends/backend.ts'
import { createGateway } from './backends/gateway.ts'
import { mountApp } from './backends/mounted.ts'
import type { Config } from './config.ts'
import { createDemo } from './demo/app.ts'
import { openDemoDatabase } from './demo/database.ts'
import type { DemoService } from './demo/pages.ts'
import { addDemoPages } from './demo/pages.ts'
import type { Push } from './demo/push.ts'
import type { NewEvent } from './events/event.ts'
import { createFollowers } from './events/followers.ts'
import type { Outbox, Pushed, PushOptions } from './events/outbox.ts'
import { createOutbox } from './events/outbox.ts'
import type { ExchangeContext } from './exchange/context.ts'
import type { SocketTimes } from './http/socket-settings.ts'
import type { Sockets } from './http/sockets.ts'
import { createSocketServer, createSockets } from './http/sockets.ts'
import { serveUpgrades } from './http/upgrades.ts'
import type { Keyring } from './keys/keyring.ts'
import { openKeyring, rotateWhenDue } from './keys/keyring.ts'
import { sodiumPrimitives } from './keys/sodium-primitives.ts'
import type { SecretWrapper } from './keys/wrapping.ts'
import { createSecretWrapper } from './keys/wrapping.ts'
import { guardConnections } from './limits/connections.ts'
import { createLimits } from './limits/limits.ts'
import { exchangeRecorder, wechatRecorder } from './log-lines.ts'
import type { Metrics } from './metrics.ts'
import { createMetrics, toEach } from './metrics.ts'
import { createTokenIssuer } from './sessions/tokens.ts'
import { openStore } from './store/open-store.ts'
import type { Store } from './store/store.ts'
import type { Traces } from './traces/traces.ts'
import { openTraces } from './traces/traces.ts'
import { createWechatClient } from './wechat/client.ts'
import { createSandbox } from './wechat/sandbox/sandbox.ts'

/** Bytes of the largest frame, either way. */
const maxFrame = 1_048_576

/** How often keys are reread and old rows pruned, in milliseconds. */
const housekeepingPeriod = 15_000

/** How long a stop waits for what runs, in milliseconds: longer than the gateway waits for a backend. */
const stopPatience = 15_000

/** How long a connection may stand still while a request is at work or its answer is on the way, in milliseconds. */
const socketPatience = 60_000

/** Rows that one step of pruning takes: about a millisecond of the writer. */
const pruneBatch = 500

/** What tests may set; a service that people use takes the system's. */
export interface Surroundings {
  /** UNIX seconds. */
  readonly now?: () => number
  /** Instead of the demo wallet or the gateway. */
  readonly backend?: Backend
  readonly socketTimes?: SocketTimes
  /** Instead of {@link socketPatience}. */
  readonly socketPatienceMs?: number
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
  around: Surroundings = {},
): Promise<RunningService> {
  const now = around.now ?? ((): number => Math.floor(Date.now() / 1000))
  const wrapper = createSecretWrapper(config.masterKeys)
  const sandbox = await startSandbox(config, now)
  const traces = await openTraces(config.traces, log)
  const metrics = createMetrics(() => store.countSessions(now()))
  const store = metrics.countPushes(await openStore(config.database, { onCommit: metrics.onCommit }))
  const keyring = await openKeyring(store, wrapper, now())
  const wechat = createWechatClient({
    baseUrl: config.wechatApi.kind === 'url' ? config.wechatApi.url : (sandbox?.url ?? ''),
    apps: config.wechatApps,
    now,
    onCall: toEach(wechatRecorder(log), metrics.onWechatCall, traces.onWechatCall),
  })
  const patience = around.socketPatienceMs ?? socketPatience
  const listener = await listen(config, patience, createSocketServer(maxFrame))
  const origin = config.origin ?? listener.url
  const authority = authorityOf(origin)
  const outbox = openOutbox(config, store, wrapper, now)
  const backend = around.backend ?? createBackend(config, authority, keyring, now, traces, outbox.push)
  const context: ExchangeContext = {
    primitives: sodiumPrimitives,
    settings: { origin, window: { past: 120, future: 10 }, maxFrame },
    authority,
    store: traces.store(store),
    keyring,
    wrapper,
    tokens: createTokenIssuer(keyring, origin),
    wechat,
    backend,
    limits: createLimits(config.limits, config.trustedProxies),
    maxDevices: config.maxDevices,
    outbox,
    riskPolicy: config.riskPolicy,
    now,
    random: systemRandom,
    record: toEach(exchangeRecorder(log), metrics.onExchange, traces.onExchange),
    trace: traces.exchange,
  }
  let isStopping = false
  const sockets = openSockets(context, metrics, () => isStopping, around)
  const pages = { origin, roots: rootsOf(keyring, now()), sandboxUrl: sandbox?.url }
  const parts = { metrics, traces, sockets, pages }
  listener.use(createRoutes(config, context, () => isStopping, parts).fetch)
  const stopHousekeeping = keepHouse({ store, wrapper, keyring }, now, log)
  return {
    url: listener.url,
    origin,
    roots: rootsOf(keyring, now()),
    sandboxUrl: sandbox?.url,
    push: (user, event, options) => outbox.push(user, event, options),
    async stop() {
      isStopping = true
      await Promise.all([listener.close(), sockets.close()])
      await stopHousekeeping()
      await Promise.all([backend.close(), wechat.close(), sandbox?.close()])
      await store.close()
      await traces.stop()
    },
  }
}

interface RouteParts {
  readonly metrics: Metrics
  readonly traces: Traces
  readonly sockets: Sockets
  readonly pages: DemoService
}

/** Those of the service, and in development those of the demo. */
function createRoutes(
  config: Config,
  context: ExchangeContext,
  isStopping: () => boolean,
  { metrics, traces, sockets, pages }: RouteParts,
): Hono {
  const metricsRoute = { access: config.metrics, read: metrics.read }
  const live = { sockets, pushKeys: config.pushKeys }
  return addDemoPages(createApp(context, isStopping, metricsRoute, live, traces.middleware), config, pages)
}

function rootsOf(keyring: Keyring, now: number): readonly string[] {
  return keyring.published('root', now).map(({ publicKey }) => encodeBase64Url(publicKey))
}

function openOutbox(config: Config, store: Store, wrapper: SecretWrapper, now: () => number): Outbox {
  return createOutbox({ store, wrapper, retention: config.eventDays * 86_400, now, random: systemRandom })
}

function openSockets(
  context: ExchangeContext,
  { onSocket }: Metrics,
  isStopping: () => boolean,
  { socketTimes }: Surroundings,
): Sockets {
  const followers = createFollowers(context.store, context.now)
  const times = socketTimes === undefined ? {} : { times: socketTimes }
  return createSockets({ context, followers, observer: onSocket, isStopping, ...times })
}

const systemRandom = (length: number): Uint8Array => new Uint8Array(randomBytes(length))

async function startSandbox(
  config: Config,
  now: () => number,
): Promise<{ url: string; close(): Promise<void> } | undefined> {
  if (config.wechatApi.kind === 'url') return undefined
  const sandbox = createSandbox({ apps: config.wechatApps, now })
  const { url } = await sandbox.start(config.port === 0 ? 0 : config.port + 1, config.host)
  return { url, close: () => sandbox.close() }
}

function createBackend(
  config: Config,
  authority: string,
  keyring: Keyring,
  now: () => number,
  { backend: trace }: Traces,
  push: Push,
): Backend {
  if (config.upstreams !== undefined) {
    const signer = (): MessageSigner => {
      const { kid, secretKey } = keyring.current('signing', now())
      return { keyid: kid, secretKey }
    }
    const tools = { trace, primitives: sodiumPrimitives, signer, now, random: systemRandom }
    return createGateway({ upstreams: config.upstreams, authority, maxContent: maxFrame, ...tools })
  }
  const isInMemory = config.database.kind === 'sqlite' && config.database.path === ':memory:'
  const database = openDemoDatabase(isInMemory ? ':memory:' : join(config.dataFolder, 'demo-wallet.db'))
  const demo = createDemo({ ...database, push, now })
  return mountApp(demo, async () => database.close(), { isIdempotent: true })
}

type Fetch = (request: Request, environment: unknown) => Response | Promise<Response>

interface Listener {
  readonly url: string
  /** From now on requests are answered; those before wait. */
  use(fetch: Fetch): void
  close(): Promise<void>
}

/** Opens the port first: a development origin is the address that was given to us. */
async function listen(
  config: Config,
  socketPatienceMs: number,
  socketServer: WebSocketServerLike,
): Promise<Listener> {
  let ready: (fetch: Fetch) => void = () => {}
  const app = new Promise<Fetch>((resolve) => {
    ready = resolve
  })
  return await new Promise<Listener>((resolve, reject) => {
    const server = serve(
      {
        fetch: async (request: Request, environment: unknown) => (await app)(request, environment),
        hostname: config.host,
        port: config.port,
        // How often connections are looked at that are past the times below, in milliseconds.
        serverOptions: { connectionsCheckingInterval: 2_000 },
        websocket: { server: socketServer },
      },
      ({ port }) => {
        const host = config.host.includes(':') ? `[${config.host}]` : config.host
        resolve({ url: `http://${host}:${port}`, use: ready, close: () => closeServer(server as Server) })
      },
    ) as Server
    // Slow clients are cut: a frame is small, and nothing of ours takes a minute.
    server.headersTimeout = 10_000
    server.requestTimeout = 30_000
    // Also those that do not read their answer.
    server.timeout = socketPatienceMs
    guardConnections(server, config.limits, config.trustedProxies)
    serveUpgrades(server)
    server.on('error', reject)
  })
}

async function closeServer(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => resolve())
    server.closeIdleConnections()
    setTimeout(() => server.closeAllConnections(), stopPatience).unref()
  })
}

/** Batch after batch, so that requests come between them, until nothing is left. */
async function prune(store: Store, now: number): Promise<void> {
  while ((await store.prune(now, pruneBatch)) === pruneBatch) await new Promise(setImmediate)
}

interface House {
  readonly store: Store
  readonly wrapper: SecretWrapper
  readonly keyring: Keyring
}

/** Rereads and rotates keys and prunes, in small steps, for as long as the service runs. */
function keepHouse({ store, wrapper, keyring }: House, now: () => number, log: Logger): () => Promise<void> {
  let running = Promise.resolve()
  const timer = setInterval(() => {
    running = running.then(async () => {
      try {
        await keyring.reload()
        await rotateWhenDue(store, wrapper, keyring, now())
        await prune(store, now())
      } catch (error) {
        log.warn({ event: 'housekeeping-failed', error: error instanceof Error ? error.name : 'unknown' })
      }
    })
  }, housekeepingPeriod)
  timer.unref()
  return async () => {
    clearInterval(timer)
    await running
  }
}
