import { createPublicKey, verify } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingHttpHeaders, IncomingMessage, Server, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import { calculateJwkThumbprint, createRemoteJWKSet, jwtVerify } from 'jose'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { parseUpstreams } from '../../../service/gateway/routes.ts'
import { shortenDeadlines } from '../../support/clock.ts'
import { logIn, type RawSession } from '../../support/raw-client.ts'
import { startTestService, type TestService } from '../../support/service.ts'

interface Seen {
  readonly method: string
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly headersDistinct: IncomingMessage['headersDistinct']
  readonly body: string
}

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

let seen: Seen[] = []
let server: Server
let service: TestService
let session: RawSession

beforeAll(async () => {
  server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk) => {
      body += String(chunk)
    })
    request.on('end', () => {
      const { method = '', url = '', headers, headersDistinct } = request
      seen.push({ method, url, headers, headersDistinct, body })
      const misbehave = misbehaviours[request.url ?? '']
      if (misbehave === undefined) answerOrder(request, response)
      else misbehave(request, response)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const upstream = `http://127.0.0.1:${address.port}`
  service = await startTestService({
    environment: { MINISEAL_UPSTREAMS: `/orders=${upstream},/down=http://127.0.0.1:1` },
  })
  session = await logIn(service)
})

afterAll(async () => {
  await service.close()
  server.closeAllConnections()
  server.close()
})

it('passes a request on with the path, body and signature that the device made', async () => {
  seen = []
  const answer = await session.send({
    method: 'POST',
    path: '/orders/7?full=yes',
    body: { count: 2 },
    key: 'order-7',
  })
  expect(answer).toMatchObject({ kind: 'sealed', status: 200 })
  expect(answer.fields).toContainEqual(['x-order', '1, 2'])
  expect(answer.fields.map(([name]) => name)).not.toContain('set-cookie')
  const [request] = seen
  expect(request).toMatchObject({ method: 'POST', url: '/orders/7?full=yes', body: '{"count":2}' })
  expect(request?.headers.host).toBe(new URL(service.origin).host)
  expect(request?.headers['idempotency-key']).toBe('"order-7"')
})

it('gives the backend a signature that it can verify by RFC 9421 with other people’s cryptography', async () => {
  seen = []
  await session.send({ method: 'POST', path: '/orders/8', body: { count: 1 }, key: 'order-8' })
  const [request] = seen
  if (request === undefined) throw new Error('nothing arrived')
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

it('the gateway removes the fields with which a client could claim an identity or an origin', async () => {
  seen = []
  const forged = [
    'miniseal-caller',
    'miniseal-device-key',
    'x-forwarded-for',
    'forwarded',
    'x-real-ip',
    'x-wx-openid',
  ]
  await session.send({
    path: '/orders/1',
    before: (message) => ({
      ...message,
      fields: [...message.fields, ...forged.map((name) => [name, 'forged'] as const)],
    }),
  })
  for (const name of forged) expect(seen[0]?.headers[name]).not.toBe('forged')
  expect(seen[0]?.headers).not.toHaveProperty('x-wx-openid')
})

it('gives the error statuses of a backend to the client as they are', async () => {
  expect(await session.send({ path: '/orders/missing' })).toMatchObject({
    kind: 'sealed',
    status: 404,
    json: undefined,
  })
})

it.each(['/down/x', '/orders/dies', '/orders/garbage', '/orders/large', '/orders/almost'])(
  'answers upstream_unavailable for %s, and other routes are unharmed',
  async (path) => {
    const answer = await session.send({ path })
    expect(answer.json).toMatchObject({ code: 'upstream_unavailable', status: 502, step: 'handler' })
    expect((await session.send({ path: '/orders/1' })).status).toBe(200)
  },
)

it('settles the Idempotency-Key as none when nothing was sent, and only then', async () => {
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
  expect(timeout).toHaveBeenCalledWith(10_000)
  expect(answer.json).toMatchObject({ code: 'upstream_unavailable' })
})

it('routes by whole segments of the path', async () => {
  expect((await session.send({ path: '/ordersx' })).json).toMatchObject({ code: 'not_found' })
  expect((await session.send({ path: '/wallet' })).json).toMatchObject({ code: 'not_found' })
  expect((await session.send({ path: '/orders' })).status).toBe(200)
})

it('reads routes strictly, the longest prefix first', () => {
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
