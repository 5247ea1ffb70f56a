/** Every outer route, in order. */
import type { MiddlewareHandler } from 'hono'
import { Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { secureHeaders } from 'hono/secure-headers'
import { ProtocolError } from '../crypto/errors.ts'
import type { ExchangeContext } from './exchange/context.ts'
import { boundBodies } from './http/bodies.ts'
import { clearAnswer, maxBody, sealHandler } from './http/channel.ts'
import type { MetricsAccess, MetricsText } from './http/metrics.ts'
import { metricsHandler } from './http/metrics.ts'
import { maxPush, pushHandler } from './http/push.ts'
import type { PushKey } from './http/push-keys.ts'
import type { Sockets } from './http/sockets.ts'
import { closeConnections } from './http/stopping.ts'
import { channelConfiguration, jsonWebKeySet } from './keys/publication.ts'
import { findProblemTitle } from './messages/problems.ts'

/** For how long anybody may keep the published keys, in seconds. */
const publicationAge = 60

/** The metrics and who may read them. */
export interface MetricsRoute {
  readonly access: MetricsAccess
  readonly read: () => Promise<MetricsText>
}

/** What reaches users without being asked. */
export interface LiveRoutes {
  readonly sockets: Sockets
  /** Who may push events; empty: nobody. */
  readonly pushKeys: readonly PushKey[]
}

/**
 * @param isStopping true once the service takes no new work
 * @param trace sees every request first; absent without traces
 */
export function createApp(
  context: ExchangeContext,
  isStopping: () => boolean,
  metrics: MetricsRoute,
  { sockets, pushKeys }: LiveRoutes,
  trace: MiddlewareHandler | undefined,
): Hono {
  const { keyring, settings, store, wechat, now } = context
  const app = new Hono()
  if (trace !== undefined) app.use(trace)
  app.use(secureHeaders())
  app.use(closeConnections(isStopping))
  app.post(
    '/seal',
    boundBodies(context),
    bodyLimit({
      maxSize: maxBody(settings.maxFrame),
      onError: () => {
        const answer = clearAnswer(
          context,
          new ProtocolError('frame_too_large', 'the frame is over the size limit'),
        )
        // The rest of the body is not read, so nothing else can come over this connection.
        answer.headers.set('connection', 'close')
        return answer
      },
    }),
    sealHandler(context),
  )
  app.get('/seal', sockets.guard, sockets.upgrade)
  app.post('/push', boundBodies(context), bodyLimit(maxPush(context)), pushHandler(context, pushKeys))
  app.get('/.well-known/miniseal', (c) => {
    const configuration = channelConfiguration(keyring, settings, now())
    return c.body(configuration, 200, {
      'content-type': 'application/jose',
      'cache-control': `public, max-age=${publicationAge}`,
    })
  })
  app.get('/.well-known/jwks.json', (c) => {
    c.header('cache-control', `public, max-age=${publicationAge}`)
    return c.json(jsonWebKeySet(keyring, now()))
  })
  app.get('/healthz', (c) => c.json({ status: 'ok' }))
  app.get('/readyz', async (c) => {
    const isStoreReady = await store.assertWritable().then(
      () => true,
      () => false,
    )
    const isReady = isStoreReady && !isStopping()
    const state = { store: isStoreReady, stopping: isStopping(), wechat_last_seen: wechat.lastSeen() ?? null }
    return c.json({ status: isReady ? 'ready' : 'not ready', ...state }, isReady ? 200 : 503)
  })
  app.get('/metrics', metricsHandler(metrics.access, metrics.read))
  app.get('/docs/problems/:code', (c) => {
    const title = findProblemTitle(c.req.param('code'))
    return title === undefined ? c.notFound() : c.text(`${c.req.param('code')}: ${title}\n`)
  })
  app.notFound((c) => c.json({ title: 'There is nothing at this path', status: 404 }, 404, problemType))
  app.onError((error) => clearAnswer(context, error))
  return app
}

const problemType = { 'content-type': 'application/problem+json' }
