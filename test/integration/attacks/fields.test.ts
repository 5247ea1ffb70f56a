/** A client that forges header fields of the service, of proxies or of frameworks. */
import { Hono } from 'hono'
import { expect, it } from 'vitest'
import type { Field } from '../../../crypto/frames/binary-http.ts'
import { type InnerApp, type InnerVariables, mountApp } from '../../../service/gateway/backend.ts'
import { isPassable } from '../../../service/gateway/fields.ts'
import { parseRoutes } from '../../../service/gateway/routes.ts'
import { sharedService, sharedSession, sharedUpstream } from '../../support/hooks.ts'
import { withFields } from '../../support/raw-client.ts'

/** What the mounted app got last. */
let seen: Readonly<Record<string, string>> = {}

const upstream = sharedUpstream((_request, response) => response.end('done'))
const gateway = sharedService(() => ({
  routes: [
    { path: '/shop', upstream: upstream.origin, fields: ['x-shop'] },
    { path: '/plain', upstream: upstream.origin, step_up: { always: true } },
  ],
}))
const app: InnerApp = new Hono<{ Variables: InnerVariables }>()
app.all('*', (c) => {
  seen = c.req.header()
  return c.text('done')
})
const mounted = sharedService({ backend: mountApp(app, undefined, { fields: ['x-shop'] }) })
const session = sharedSession(gateway)
const inside = sharedSession(mounted)

const forged = `
  miniseal-caller miniseal_caller miniseal-device_key miniseal_device_key miniseal-other x-forwarded-for
  x_forwarded_for x-forwarded_for x_real_ip forwarded x-real-ip x-wx-openid x_wx_openid cookie remote-user
  x-client-ip true-client-ip via expect traceparent tracestate baggage x-request-id b3 origin referer
  user-agent x-http-method-override x-http-method x-method-override x-original-url x-rewrite-url
  x-ms-client-principal x-amzn-oidc-data x-goog-iap-jwt-assertion x-consumer-username x-openid x-webauth-user
  x-middleware-subrequest x-http-path-override x-method script-name proxy content_type content_length
  content-range content-location idempotency_key x_shop accept_language x-nobody-listed-this
  miniseal.caller miniseal~caller proxy-authorization
`
  .trim()
  .split(/\s+/)

it.each(forged)('a client cannot forge the header %s of the service or of a proxy', async (name) => {
  const forgery = withFields([name, 'forged'])
  expect((await session.send({ path: '/shop/1', ...forgery })).status).toBe(200)
  expect(Object.values(upstream.last().headers)).not.toContain('forged')
  expect((await inside.send({ path: '/1', ...forgery })).status).toBe(200)
  expect(Object.values(seen)).not.toContain('forged')
})

it('the gateway forwards signed fields, content fields and the fields that the route lists', async () => {
  const passed: readonly Field[] = [
    ['content-encoding', 'br'],
    ['content-language', 'zh'],
    ['content-disposition', 'inline'],
    ['accept', 'text/plain'],
    ['accept-language', 'zh'],
    ['accept-encoding', 'br'],
    ['if-none-match', '"a"'],
    ['if-match', '"a"'],
    ['range', 'bytes=0-1'],
    ['prefer', 'return=minimal'],
    ['x-shop', '7'],
  ]
  const post = { method: 'POST', path: '/shop', body: { n: 1 }, ...withFields(...passed) }
  expect((await session.send(post)).status).toBe(200)
  const { headers } = upstream.last()
  expect(headers).toMatchObject(Object.fromEntries(passed))
  expect(headers).toMatchObject({ 'content-type': 'application/json', host: new URL(gateway.origin).host })
  for (const name of ['content-digest', 'authorization', 'idempotency-key', 'signature', 'signature-input'])
    expect(headers[name]).toBeDefined()
  const named = [
    ...['host', 'connection', 'content-length', 'content-type', 'content-digest', 'authorization'],
    ...['idempotency-key', 'signature', 'signature-input', 'miniseal-caller', 'miniseal-device-key'],
  ]
  expect(Object.keys(headers).sort()).toEqual([...named, ...passed.map(([name]) => name)].sort())
})

it('the gateway forwards a listed field to its own route only', async () => {
  await session.send({ path: '/plain', ...withFields(['x-shop', '7']) })
  expect(upstream.last().headers).not.toHaveProperty('x-shop')
  await inside.send({ path: '/', ...withFields(['x-shop', '7']) })
  expect(seen['x-shop']).toBe('7')
})

it('a method override cannot bypass step-up authentication', async () => {
  const override = withFields(['x-http-method-override', 'POST'])
  expect((await session.send({ path: '/plain', ...override })).status).toBe(200)
  expect(upstream.last()).toMatchObject({ method: 'GET' })
  expect(upstream.last().headers).not.toHaveProperty('x-http-method-override')
})

it('a route cannot list a field that carries an identity', () => {
  const route = { path: '/a', upstream: 'http://h' }
  const own = ['content-type', 'signature', 'authorization', 'X-Shop', '', 'a b', 'ä', '-x', 'x'.repeat(65)]
  for (const name of [...forged, ...own]) {
    if (name === 'user-agent' || name === 'x-nobody-listed-this') continue
    expect({ name, isPassable: isPassable(name) }).toEqual({ name, isPassable: false })
    const text = JSON.stringify([{ ...route, fields: ['x-shop', name] }])
    expect(() => parseRoutes(text)).toThrow(/route 1, fields, 1 must be a field name/)
    expect(() => mountApp(new Hono(), undefined, { fields: [name] })).toThrow(/must be a field name/)
  }
  expect(
    parseRoutes(JSON.stringify([{ ...route, fields: ['user-agent', 'x-nobody-listed-this'] }])),
  ).toHaveLength(1)
})
