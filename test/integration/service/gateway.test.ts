import { createPublicKey, verify } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { calculateJwkThumbprint, createRemoteJWKSet, jwtVerify } from 'jose'
import { expect, it } from 'vitest'
import { parseUpstreams } from '../../../service/gateway/routes.ts'
import { shortenDeadlines } from '../../support/clock.ts'
import { sharedService, sharedSession, sharedUpstream } from '../../support/hooks.ts'

/** What some paths do instead of answering. */
const misbehaviours: Record<string, (request: IncomingMessage, response: ServerResponse) => void> = {
  '/orders/hangs': () => {},
  '/orders/dies': (request) => request.socket.destroy(),
  '/orders/garbage': (request) => request.socket.end('not HTTP at all\r\n\r\n'),
  // Fits the limit of a backend's answer, and not a frame.
  '/orders/almost': (_request, response) => response.end(Buffer.alloc(1_048_000)),
  '/orders/large': (_request, response) => response.end(Buffer.alloc(2_000_000)),
}

function answerOrder(request: IncomingMessage, response: ServerResponse): void {
  const status = request.url === '/orders/missing' ? 404 : 200
  response.writeHead(status, { 'content-type': 'text/plain', 'set-cookie': 'a=b', 'x-order': ['1', '2'] })
  response.end(`order ${request.url}`)
}

const upstream = sharedUpstream((request, response) =>
  (misbehaviours[request.url ?? ''] ?? answerOrder)(request, response),
)
const service = sharedService(() => ({
  environment: { MINISEAL_UPSTREAMS: `/orders=${upstream.origin},/down=http://127.0.0.1:1` },
}))
const session = sharedSession(service)

it('the gateway forwards a request with the path, body and signature of the device', async () => {
  const answer = await session.send({
    method: 'POST',
    path: '/orders/7?full=yes',
    body: { count: 2 },
    key: 'order-7',
  })
  expect(answer).toMatchObject({ kind: 'sealed', status: 200 })
  expect(answer.fields).toContainEqual(['x-order', '1, 2'])
  expect(answer.fields.map(([name]) => name)).not.toContain('set-cookie')
  const request = upstream.last()
  expect(request).toMatchObject({ method: 'POST', url: '/orders/7?full=yes', body: '{"count":2}' })
  expect(request.headers.host).toBe(new URL(service.origin).host)
  expect(request.headers['idempotency-key']).toBe('"order-7"')
})

it('a backend can verify the forwarded signature by RFC 9421 with other libraries', async () => {
  await session.send({ method: 'POST', path: '/orders/8', body: { count: 1 }, key: 'order-8' })
  const request = upstream.last()
  const { headers } = request
  const input = String(headers['signature-input'])
    .replace(/^sig=/, '')
    .replace(/, gateway=.*$/, '')
  const [path] = request.url.split('?')
  const derived: Record<string, string> = {
    '@method': request.method,
    '@authority': String(headers.host),
    '@path': path ?? '',
    '@query': '?',
  }
  const names = [...(/^\(([^)]*)\)/.exec(input)?.[1] ?? '').matchAll(/"([^"]+)"/g)].map(
    ([, name]) => name ?? '',
  )
  const lines = names.map((name) => `"${name}": ${derived[name] ?? headers[name]}`)
  const base = [...lines, `"@signature-params": ${input}`].join('\n')
  // Nothing but what arrived and the service's JWK Set: the token binds the key that comes with the request.
  const x = String(headers['miniseal-device-key'])
  const keys = createRemoteJWKSet(new URL(`${service.origin}/.well-known/jwks.json`))
  const token = String(headers.authorization).replace(/^HTTPSig /, '')
  const { payload } = await jwtVerify(token, keys, {
    issuer: service.origin,
    audience: service.origin,
    typ: 'at+jwt',
  })
  expect(payload.cnf).toEqual({ jkt: await calculateJwkThumbprint({ kty: 'OKP', crv: 'Ed25519', x }) })
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
  const signature = Buffer.from(
    /^sig=:([^:]*):, gateway=/.exec(String(headers.signature))?.[1] ?? '',
    'base64',
  )
  expect(names).toContain('content-digest')
  expect(verify(null, Buffer.from(base), key, signature)).toBe(true)
  expect(verify(null, Buffer.from(base.replace('/orders/8', '/orders/9')), key, signature)).toBe(false)
})

it('the client gets the error statuses of a backend unchanged', async () => {
  expect(await session.send({ path: '/orders/missing' })).toMatchObject({
    kind: 'sealed',
    status: 404,
    json: undefined,
  })
})

it.each(['/down/x', '/orders/dies', '/orders/garbage', '/orders/large', '/orders/almost'])(
  'the gateway answers upstream_unavailable for %s, and other routes work',
  async (path) => {
    const answer = await session.send({ path })
    expect(answer.json).toMatchObject({ code: 'upstream_unavailable', status: 502, step: 'handler' })
    expect((await session.send({ path: '/orders/1' })).status).toBe(200)
  },
)

it('the Idempotency-Key is settled as none only when nothing was sent', async () => {
  const order = (path: string) => session.send({ method: 'POST', path, body: {}, key: `again-${path}` })
  for (const _ of [1, 2])
    expect((await order('/down/x')).json).toMatchObject({ code: 'upstream_unavailable', outcome: 'none' })
  expect((await order('/orders/dies')).json).toMatchObject({
    code: 'upstream_unavailable',
    outcome: 'unknown',
  })
  expect((await order('/orders/dies')).json).toMatchObject({
    code: 'idempotency_in_progress',
    outcome: 'unknown',
  })
})

it('a backend that hangs gets 10 s where its route configures no timeout', async () => {
  const timeout = shortenDeadlines(20)
  const answer = await session.send({ path: '/orders/hangs' })
  expect(answer.json).toMatchObject({ code: 'upstream_unavailable' })
  expect(timeout).toHaveBeenCalledWith(10_000)
})

it('the gateway routes by whole segments of the path', async () => {
  expect((await session.send({ path: '/ordersx' })).json).toMatchObject({ code: 'not_found' })
  expect((await session.send({ path: '/wallet' })).json).toMatchObject({ code: 'not_found' })
  expect((await session.send({ path: '/orders' })).status).toBe(200)
})

it('MINISEAL_UPSTREAMS is parsed strictly, the longest prefix first', () => {
  expect(parseUpstreams('/a=http://127.0.0.1:1,/a/b=https://h')?.map(({ prefix }) => prefix)).toEqual([
    '/a/b',
    '/a',
  ])
  expect(parseUpstreams(undefined)).toBeUndefined()
  for (const wrong of [
    'a=http://h',
    '/a=ftp://h',
    '/a',
    '/a=http://h/path',
    '/a=http://h,/a=http://i',
    '/a=http://h?x',
  ]) {
    expect(() => parseUpstreams(wrong)).toThrow(/MINISEAL_UPSTREAMS/)
  }
})
