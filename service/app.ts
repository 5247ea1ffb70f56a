/** Every outer route, in order. */
import type { MiddlewareHandler } from 'hono'
import { Hono } from 'hono'
import { secureHeaders } from 'hono/secure-headers'
import { encodeBase64Url } from 'miniseal-protocol/text'
import type { VerifierKey } from 'miniseal-protocol/tlog/signed-note'
import { createEntryAccessLog } from './admin/api/access-log.ts'
import type { AuditParts } from './admin/api/context.ts'
import { auditRoutes } from './admin/web-routes.tsx'
import type { ExchangeContext } from './channel/context.ts'
import { channelConfiguration, jsonWebKeySet } from './keys/publication.ts'
import type { MetricsAccess, MetricsText } from './observability/metrics-route.ts'
import { metricsHandler } from './observability/metrics-route.ts'
import { referenceRoutes } from './reference/routes.ts'
import type { Records } from './tlog/audit-log.ts'
import { logRoutes, type VerifyAuditor } from './tlog/log-routes.ts'
import type { LogStatus, RunningLog } from './tlog/open-log.ts'
import { boundBodies, limitBody } from './transport/bodies.ts'
import { clearAnswer, maxSealed, sealHandler, senderOf } from './transport/channel.ts'
import { rejectNonCanonicalPath } from './transport/one-spelling.ts'
import { maxPush, pushHandler } from './transport/push.ts'
import type { PushKey } from './transport/push-keys.ts'
import type { Sockets } from './transport/sockets.ts'
import { closeConnections } from './transport/stopping.ts'

/** For how long anybody may keep the published keys, in seconds. */
const publicationAge = 60

/** One document for each purpose of a key (protocol, section 3). */
const keySets = [
  ['/.well-known/jwks.json', 'token'],
  ['/.well-known/miniseal-keys.json', 'message'],
] as const

/** The metrics and who may read them. */
export interface MetricsRoute {
  readonly access: MetricsAccess
  readonly read: () => Promise<MetricsText>
}

/** What is served besides the channel over HTTP. */
export interface AppDependencies {
  /** True once the service takes no new work. */
  readonly isStopping: () => boolean
  readonly sockets: Sockets
  /** Who may push events; empty: nobody. */
  readonly pushKeys: readonly PushKey[]
  readonly metrics: MetricsRoute
  readonly log: RunningLog
  /** Who may read the log's entries. */
  readonly verifyAuditor: VerifyAuditor
  /** What auditors read the log with. */
  readonly reading: Records['reading']
  /** Sees every request first; absent without traces. */
  readonly trace: MiddlewareHandler | undefined
}

export function createApp(
  context: ExchangeContext,
  { isStopping, sockets, pushKeys, metrics, log, verifyAuditor, reading, trace }: AppDependencies,
): Hono {
  const { keyring, settings, store, wechat, now } = context
  const app = new Hono()
  if (trace !== undefined) app.use(trace)
  app.use(closeConnections(isStopping))
  app.use(rejectNonCanonicalPath())
  // Before the headers that are for pages: this is the hot path, and it sets its own.
  app.post('/seal', boundBodies(context), limitBody(maxSealed(context)), sealHandler(context))
  app.use(secureHeaders())
  app.get('/seal', sockets.guard, sockets.upgrade)
  app.post('/push', boundBodies(context), limitBody(maxPush(context)), pushHandler(context, pushKeys))
  app.get('/.well-known/miniseal', (c) => {
    const configuration = channelConfiguration(keyring, settings, log.names(), now())
    return c.body(configuration, 200, {
      'content-type': 'application/jose',
      'cache-control': `public, max-age=${publicationAge}`,
    })
  })
  for (const [path, purpose] of keySets) {
    app.get(path, (c) => {
      c.header('cache-control', `public, max-age=${publicationAge}`)
      return c.json(jsonWebKeySet(keyring, purpose, now()))
    })
  }
  app.get('/healthz', (c) => c.json({ status: 'ok' }))
  const auditParts = auditPartsOf(context, log, reading)
  const logEntryAccess = createEntryAccessLog(auditParts)
  app.route('/', logRoutes({ store, reader: log.reader, verifyAuditor, logEntryAccess }))
  app.route('/audit', auditRoutes(auditParts))
  app.get('/readyz', async (c) => {
    const isStoreReady = await store.assertWritable().then(
      () => true,
      () => false,
    )
    const found = await log.status().catch(() => undefined)
    const isReady = isStoreReady && found?.health === 'open' && !isStopping()
    const state = {
      store: isStoreReady,
      log: readyLog(found),
      disk: context.disk.state().isLow ? 'low' : 'ok',
      stopping: isStopping(),
      wechat_last_seen: wechat.lastSeen() ?? null,
    }
    return c.json({ status: isReady ? 'ready' : 'not ready', ...state }, isReady ? 200 : 503)
  })
  app.get('/metrics', metricsHandler(metrics.access, metrics.read))
  app.route('/', referenceRoutes(settings.origin))
  app.notFound((c) => c.json({ title: 'There is nothing at this path', status: 404 }, 404, problemType))
  app.onError((error, c) => clearAnswer(context, error, senderOf(context, c)))
  return app
}

function verifierOf(name: string): (key: { readonly publicKey: Uint8Array }) => VerifierKey {
  return ({ publicKey }) => ({ kind: 'ed25519', name, publicKey })
}

function auditPartsOf(context: ExchangeContext, log: RunningLog, reading: Records['reading']): AuditParts {
  const { store, keyring, appender, settings, now } = context
  const publicKeys = (kind: 'root' | 'signing'): readonly string[] =>
    keyring.known(kind).map(({ publicKey }) => encodeBase64Url(publicKey))
  return {
    ...{ store, appender, now, ...reading },
    reader: log.reader,
    status: log.status,
    logKeys: (name) => keyring.known('log').map(verifierOf(name)),
    signingLogKeys: (name) => keyring.published('log', now()).map(verifierOf(name)),
    serviceKeys: () => ({ roots: publicKeys('root'), signing: publicKeys('signing') }),
    origin: settings.origin,
    sender: (c) => senderOf(context, c),
  }
}

/** The log as `/readyz` says it; without a database nothing is known of it. */
function readyLog(status: LogStatus | undefined): Record<string, unknown> {
  if (status === undefined) return { status: 'unknown' }
  return {
    status: status.health,
    origin: status.origin,
    size: status.size,
    checkpoint_size: status.checkpointSize,
    checkpoint_age: status.checkpointAge,
    pending: status.pending,
    witnesses: status.witnesses,
  }
}

const problemType = { 'content-type': 'application/problem+json' }
