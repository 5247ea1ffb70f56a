/** The adapters of `miniseal-verify` in real frameworks, over real HTTP, behind a real gateway. */
import crypto from 'node:crypto'
import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import { syncBuiltinESMExports } from 'node:module'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { AdapterOptions } from '../../../packages/verify/adapters/adapter.ts'
import type { JsonWebKeySet } from '../../../packages/verify/index.ts'
import { forwarded, publishedSet, serviceKeyJwk } from '../../support/forwarded.ts'
import { logIn, newDevice, type RawSession } from '../../support/raw-client.ts'
import { startTestService, type TestService } from '../../support/service.ts'
import type { Arrived } from '../../support/upstream.ts'
import { type Application, frameworks } from './frameworks.ts'

const unavailable: RequestListener = (_request, response) => response.writeHead(503).end()

/** One server per framework: the service needs their addresses before the applications know the service. */
const listeners = new Map<string, RequestListener>()
const servers = new Map<string, Server>()
const applications: Application[] = []
let service: TestService
let session: RawSession
/** What the service publishes, and a key of this test. */
let keys: { readonly jwks: JsonWebKeySet; readonly messageKeys: JsonWebKeySet }
const errors: Error[] = []

beforeAll(async () => {
  const routes: string[] = []
  for (const { name } of frameworks) {
    const server = createServer((request, response) =>
      (listeners.get(name) ?? unavailable)(request, response),
    )
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    servers.set(name, server)
    routes.push(`/${name}=${addressOf(name)}`)
  }
  service = await startTestService({ environment: { MINISEAL_UPSTREAMS: routes.join(',') } })
  session = await logIn(service)
  const published = await publishedSet(service, 'miniseal-keys.json')
  keys = {
    jwks: await publishedSet(service, 'jwks.json'),
    messageKeys: { keys: [...published.keys, serviceKeyJwk] },
  }
})

afterAll(async () => {
  for (const server of servers.values()) {
    server.closeAllConnections()
    server.close()
  }
  for (const application of applications) await application.close?.()
  await service.close()
})

function addressOf(name: string): string {
  const address = servers.get(name)?.address() as AddressInfo | undefined
  return `http://127.0.0.1:${address?.port}`
}

/** An order of `session`, as the gateway forwards it. */
function order(name: string, parts: Parameters<typeof forwarded>[1] = {}): Arrived {
  return forwarded(session, { path: `/${name}/orders`, ...parts })
}

async function send(name: string, { method, url, headers, body }: Arrived): Promise<Response> {
  return await fetch(`${addressOf(name)}${url}`, {
    method,
    headers: headers as Record<string, string>,
    body,
  })
}

async function refusalOf(response: Response): Promise<unknown> {
  expect(response.headers.get('content-type')).toMatch(/^application\/problem\+json/)
  const problem = (await response.json()) as { status: number; code?: string }
  expect(problem.status).toBe(response.status)
  return [problem.status, problem.code]
}

describe.each(frameworks)('the adapter for $name', ({ name, start, startAfterParser }) => {
  const use = async (begin: typeof start, options: Partial<AdapterOptions> = {}): Promise<void> => {
    const application = await begin({ origin: service.origin, ...keys, ...options }, (error) =>
      errors.push(error),
    )
    applications.push(application)
    listeners.set(name, application.listener)
  }

  it('the adapter passes the caller and the body of a request that came through the gateway to the handler', async () => {
    const answers = new URL('/.well-known/', service.url ?? service.origin)
    await use(start, {
      jwks: new URL('jwks.json', answers),
      messageKeys: new URL('miniseal-keys.json', answers),
    })
    const answer = await session.send({ method: 'POST', path: `/${name}/orders`, body: { n: 1 } })
    expect(answer.json).toEqual({ user: session.user, order: { n: 1 } })
  })

  it('the adapter refuses a tampered body, a missing signature, an old signature and a foreign key with 401', async () => {
    await use(start)
    expect((await send(name, order(name))).status).toBeLessThan(300)
    const tampered = { ...order(name), body: '{"n":2}' }
    expect(await refusalOf(await send(name, tampered))).toEqual([401, 'digest_mismatch'])
    const { signature: _, ...unsigned } = order(name).headers
    const missing = { ...order(name), headers: unsigned }
    expect(await refusalOf(await send(name, missing))).toEqual([401, 'signature_missing'])
    const old = order(name, { created: service.now() - 600 })
    expect(await refusalOf(await send(name, old))).toEqual([401, 'window_invalid'])
    const foreign = order(name, { gateway: newDevice().signer })
    expect(await refusalOf(await send(name, foreign))).toEqual([401, 'key_unknown'])
    const forged = { ...newDevice().signer, keyid: serviceKeyJwk.kid ?? '' }
    expect(await refusalOf(await send(name, order(name, { gateway: forged })))).toEqual([
      401,
      'signature_invalid',
    ])
  })

  it('the adapter imports the keys of the service once, and the key of the device for each request', async () => {
    await use(start)
    const orders = [order(name), order(name), order(name)]
    const { createPublicKey } = crypto
    let imports = 0
    const counting = (key: crypto.PublicKeyInput): crypto.KeyObject => {
      imports += 1
      return createPublicKey(key)
    }
    Object.assign(crypto, { createPublicKey: counting })
    syncBuiltinESMExports()
    try {
      for (const each of orders) expect((await send(name, each)).status).toBeLessThan(300)
    } finally {
      Object.assign(crypto, { createPublicKey })
      syncBuiltinESMExports()
    }
    expect(imports).toBe(orders.length)
  })

  it('the adapter refuses a body that is over maxBody with 413', async () => {
    await use(start, { maxBody: 6 })
    expect(await refusalOf(await send(name, order(name)))).toEqual([413, undefined])
    await use(start, { maxBody: 7 })
    expect((await send(name, order(name))).status).toBeLessThan(300)
  })

  it('the adapter responds with 503 while the keys of the service cannot be fetched', async () => {
    await use(start, { jwks: new URL('http://127.0.0.1:1/jwks.json') })
    const response = await send(name, order(name))
    expect(response.headers.get('retry-after')).toBe('5')
    expect(await refusalOf(response)).toEqual([503, 'unavailable'])
  })

  it('the adapter fails with a clear error when something else read the body before', async () => {
    await use(startAfterParser)
    errors.length = 0
    expect((await send(name, order(name))).status).toBe(500)
    expect(errors).toEqual([
      expect.objectContaining({
        message: expect.stringMatching(/raw body.*before every body parser/),
      }),
    ])
  })
})
