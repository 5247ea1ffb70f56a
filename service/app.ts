/** The outer HTTP routes, in order. */
import { type Context, Hono, type MiddlewareHandler } from 'hono'
import { secureHeaders } from 'hono/secure-headers'
import { encodeBase64Url } from 'miniseal-protocol/text'
import type { VerifierKey } from 'miniseal-protocol/tlog/signed-note'
import { createEntryAccessLog } from './admin/api/access-log.ts'
import type { AuditDependencies } from './admin/api/context.ts'
import { auditRoutes } from './admin/web-routes.tsx'
import type { Records } from './audit-log.ts'
import type { ExchangeContext } from './channel/context.ts'
import { channelConfiguration, jsonWebKeySet } from './keys/publication.ts'
import { type MetricsAccess, type MetricsText, metricsHandler } from './observability/metrics.ts'
import { uncodedProblem } from './problems/document.ts'
import { referenceRoutes } from './reference/routes.ts'
import { logRoutes, type VerifyAuditor } from './tlog/log-routes.ts'
import type { LogStatus, RunningLog } from './tlog/open-log.ts'
import {
  closeConnections,
  limitBody,
  rejectNonCanonicalPath,
  reserveBodyMemory,
} from './transport/middleware.ts'
import { type PushKey, pushBodyLimit, pushHandler } from './transport/push.ts'
import { clearAnswer, sealBodyLimit, sealHandler, senderOf } from './transport/seal.ts'
import type { Sockets } from './transport/sockets.ts'

export interface AppDependencies {
  readonly isStopping: () => boolean
  readonly sockets: Sockets
  /** Empty: `POST /push` is disabled. */
  readonly pushKeys: readonly PushKey[]
  readonly metrics: { readonly access: MetricsAccess; readonly read: () => Promise<MetricsText> }
  readonly log: RunningLog
  readonly verifyAuditor: VerifyAuditor
  readonly reading: Records['reading']
  /** Runs first; `undefined` without tracing. */
  readonly trace: MiddlewareHandler | undefined
}

export function createApp(context: ExchangeContext, dependencies: AppDependencies): Hono {
  const { isStopping, sockets, pushKeys, metrics, log, verifyAuditor, reading, trace } = dependencies
  const app = new Hono()
  if (trace !== undefined) app.use(trace)
  app.use(closeConnections(isStopping))
  app.use(rejectNonCanonicalPath())
  // Before secureHeaders, which is for pages: this is the hot path and sets its own headers.
  app.post('/seal', reserveBodyMemory(context), limitBody(sealBodyLimit(context)), sealHandler(context))
  app.use(secureHeaders())
  app.get('/seal', sockets.guard, sockets.upgrade)
  const limitPush = limitBody(pushBodyLimit(context))
  app.post('/push', reserveBodyMemory(context), limitPush, pushHandler(context, pushKeys))
  addKeyRoutes(app, context, log)
  const auditDependencies = auditDependenciesOf(context, log, reading)
  const logEntryAccess = createEntryAccessLog(auditDependencies)
  app.route('/', logRoutes({ store: context.store, reader: log.reader, verifyAuditor, logEntryAccess }))
  app.route('/audit', auditRoutes(auditDependencies))
  app.get('/healthz', (c) => c.json({ status: 'ok' }))
  app.get('/readyz', readinessHandler(context, log, isStopping))
  app.get('/metrics', metricsHandler(metrics.access, metrics.read))
  app.route('/', referenceRoutes(context.settings.origin))
  app.notFound((c) => uncodedProblem(c, 404, 'Not found'))
  app.onError((error, c) => clearAnswer(context, error, senderOf(context, c)))
  return app
}

/** Seconds for which published keys may be cached. */
const publicationAge = 60

/** One document for each purpose of a key (protocol, section 3). */
const keySets = [
  ['/.well-known/jwks.json', 'token'],
  ['/.well-known/miniseal-keys.json', 'message'],
] as const

function addKeyRoutes(app: Hono, { keyring, settings, now }: ExchangeContext, log: RunningLog): void {
  const caching = { 'cache-control': `public, max-age=${publicationAge}` }
  app.get('/.well-known/miniseal', (c) => {
    const configuration = channelConfiguration(keyring, settings, log.names(), now())
    return c.body(configuration, 200, { 'content-type': 'application/jose', ...caching })
  })
  for (const [path, purpose] of keySets)
    app.get(path, (c) => c.json(jsonWebKeySet(keyring, purpose, now()), 200, caching))
}

/** `GET /readyz`: ready when the database accepts writes, the log accepts entries, and the service is not stopping. */
function readinessHandler(
  { store, disk, wechat }: ExchangeContext,
  log: RunningLog,
  isStopping: () => boolean,
): (c: Context) => Promise<Response> {
  return async function ready(c) {
    const isStoreReady = await store.assertWritable().then(
      () => true,
      () => false,
    )
    const status = await log.status().catch(() => undefined)
    const isReady = isStoreReady && status?.health === 'open' && !isStopping()
    const state = {
      status: isReady ? 'ready' : 'not ready',
      store: isStoreReady,
      log: logState(status),
      disk: disk.state().isLow ? 'low' : 'ok',
      stopping: isStopping(),
      wechat_last_seen: wechat.lastSeen() ?? null,
    }
    return c.json(state, isReady ? 200 : 503)
  }
}

/** `unknown` when the database does not answer. */
function logState(status: LogStatus | undefined): Record<string, unknown> {
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

function auditDependenciesOf(
  context: ExchangeContext,
  log: RunningLog,
  reading: Records['reading'],
): AuditDependencies {
  const { store, keyring, appender, settings, now } = context
  const publicKeys = (kind: 'root' | 'signing'): readonly string[] =>
    keyring.known(kind).map(({ publicKey }) => encodeBase64Url(publicKey))
  return {
    ...{ store, appender, now, ...reading },
    reader: log.reader,
    status: log.status,
    logKeys: (name) => keyring.known('log').map(verifierKeyOf(name)),
    signingLogKeys: (name) => keyring.published('log', now()).map(verifierKeyOf(name)),
    serviceKeys: () => ({ roots: publicKeys('root'), signing: publicKeys('signing') }),
    origin: settings.origin,
    sender: (c) => senderOf(context, c),
  }
}

function verifierKeyOf(name: string): (key: { readonly publicKey: Uint8Array }) => VerifierKey {
  return ({ publicKey }) => ({ kind: 'ed25519', name, publicKey })
}
