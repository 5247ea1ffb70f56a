/** Methods and contents that some HTTP stacks mishandle are refused in the same way for every backend. */

import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import { contentDigest } from '../../../crypto/http-signatures/content-digest.ts'
import { encodeUtf8 } from '../../../crypto/text.ts'
import { type InnerApp, type InnerVariables, mountApp } from '../../../service/gateway/backend.ts'
import { sodiumPrimitives } from '../../../service/keys/sodium-primitives.ts'
import { sharedService, sharedSession, sharedUpstream } from '../../support/hooks.ts'
import { prepareLogin, type RequestParts, send } from '../../support/raw-client.ts'

/** Methods of the requests that reached a backend. */
let reached: string[] = []

const upstream = sharedUpstream((request, response) => {
  reached.push(request.method ?? '')
  response.end('{}')
})
const app: InnerApp = new Hono<{ Variables: InnerVariables }>()
app.all('/things', (c) => {
  reached.push(c.req.method)
  return c.text('{}')
})
const mounted = sharedService({ backend: mountApp(app) })
const gateway = sharedService(() => ({ environment: { MINISEAL_UPSTREAMS: `/things=${upstream.origin}` } }))
const sessions = { mounted: sharedSession(mounted), gateway: sharedSession(gateway) }

/** Correctly signed content, so that only its presence is wrong. */
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
    it.each(['TRACE', 'TRACK', 'CONNECT'])(`the method %s is refused at ${path}`, async (method) => {
      reached = []
      expect(await sessions[kind].send({ method, path })).toMatchObject(refused)
      expect(await sessions[kind].send({ method, path, ...withContent })).toMatchObject(refused)
      expect(reached).toEqual([])
    })

    it.each(['GET', 'HEAD'])(`the method %s with content is refused at ${path}`, async (method) => {
      reached = []
      expect(await sessions[kind].send({ method, path, ...withContent })).toMatchObject(refused)
      expect(reached).toEqual([])
    })
  }

  it.each(['GET', 'HEAD', 'OPTIONS', 'DELETE', 'PUT', 'POST', 'PATCH', 'QUERY'])(
    'a %s request without content is forwarded',
    async (method) => {
      reached = []
      expect((await sessions[kind].send({ method, path: '/things' })).status).toBe(200)
      expect(reached).toHaveLength(1)
    },
  )

  it.each(['OPTIONS', 'DELETE', 'PUT', 'POST', 'PATCH', 'QUERY'])(
    'a %s request with content is forwarded',
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
