/** Methods and contents that some HTTP stacks mishandle are refused in the same way for every backend. */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { Hono } from 'hono'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { contentDigest } from '../../../crypto/http-signatures/content-digest.ts'
import { encodeUtf8 } from '../../../crypto/text.ts'
import { type InnerApp, type InnerVariables, mountApp } from '../../../service/gateway/backend.ts'
import { sodiumPrimitives } from '../../../service/keys/sodium-primitives.ts'
import { logIn, prepareLogin, type RawSession, type RequestParts, send } from '../../support/raw-client.ts'
import { startTestService, type TestService } from '../../support/service.ts'

/** What has come to a backend. */
let reached: string[] = []
let server: Server
let mounted: TestService
let gateway: TestService
let sessions: Readonly<Record<'mounted' | 'gateway', RawSession>>

beforeAll(async () => {
  const app: InnerApp = new Hono<{ Variables: InnerVariables }>()
  app.all('/things', (c) => {
    reached.push(c.req.method)
    return c.text('{}')
  })
  server = createServer((request, response) => {
    reached.push(request.method ?? '')
    response.end('{}')
  })
  server.on('connect', (_request, socket) => {
    reached.push('CONNECT')
    socket.destroy()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const environment = { MINISEAL_UPSTREAMS: `/things=http://127.0.0.1:${address.port}` }
  mounted = await startTestService({ backend: mountApp(app) })
  gateway = await startTestService({ environment })
  sessions = { mounted: await logIn(mounted), gateway: await logIn(gateway) }
})

afterAll(async () => {
  await mounted.close()
  await gateway.close()
  server.closeAllConnections()
  server.close()
})

/** Rightly signed, so that nothing but the content is wrong. */
const withContent: RequestParts = {
  before: (message) => {
    const content = encodeUtf8('{"a":1}')
    const described = [
      ['content-type', 'application/json'],
      ['content-digest', contentDigest(sodiumPrimitives, content)],
    ] as const
    return { ...message, content, fields: [...message.fields, ...described] }
  },
}

const refused = {
  kind: 'sealed',
  status: 400,
  json: { code: 'payload_invalid', step: 'binary-http', retryable: false },
}

describe.each(['mounted', 'gateway'] as const)('to a backend that is %s', (kind) => {
  // A path of the channel's own beside that of the backend.
  for (const path of ['/things', '/sessions']) {
    it.each(['TRACE', 'TRACK', 'CONNECT'])(`%s ${path} is refused`, async (method) => {
      reached = []
      expect(await sessions[kind].send({ method, path })).toMatchObject(refused)
      expect(await sessions[kind].send({ method, path, ...withContent })).toMatchObject(refused)
      expect(reached).toEqual([])
    })

    it.each(['GET', 'HEAD'])(`%s ${path} is refused with content`, async (method) => {
      reached = []
      expect(await sessions[kind].send({ method, path, ...withContent })).toMatchObject(refused)
      expect(reached).toEqual([])
    })
  }

  it.each(['GET', 'HEAD', 'OPTIONS', 'DELETE', 'PUT', 'POST', 'PATCH', 'QUERY'])(
    '%s comes through without content',
    async (method) => {
      reached = []
      expect((await sessions[kind].send({ method, path: '/things' })).status).toBe(200)
      expect(reached).toHaveLength(1)
    },
  )

  it.each(['OPTIONS', 'DELETE', 'PUT', 'POST', 'PATCH', 'QUERY'])(
    '%s comes through with content',
    async (method) => {
      reached = []
      const received = await sessions[kind].send({ method, path: '/things', ...withContent })
      expect(received.status).toBe(200)
      expect(reached).toEqual([method])
    },
  )

  it('a refused request uses up neither its nonce nor its Idempotency-Key', async () => {
    const nonce = new Uint8Array(16).fill(kind.length)
    const key = 'kept'
    const parts = { path: '/things', nonce, key }
    expect(await sessions[kind].send({ ...parts, method: 'TRACE' })).toMatchObject(refused)
    expect((await sessions[kind].send({ ...parts, method: 'POST' })).status).toBe(200)
  })
})

it('a login with such a method is refused in the same way', async () => {
  const login = await prepareLogin(mounted, { method: 'CONNECT' })
  expect(await send(mounted, login)).toMatchObject(refused)
})
