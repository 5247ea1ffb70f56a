/** Routes with limits of their own, and backends that fail: each route is alone with its backend. */
import { createPublicKey, generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { verifySignature, webcrypto } from 'http-message-sig'
import { importJWK } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseResponse } from '../../../crypto/frames/binary-http.ts'
import { parseFrame } from '../../../crypto/frames/frame.ts'
import { openResponse } from '../../../crypto/frames/session-keys.ts'
import { readConfig } from '../../../service/config/config.ts'
import { parseRoutes, readRoutes } from '../../../service/gateway/routes.ts'
import { sodiumPrimitives as primitives } from '../../../service/keys/sodium-primitives.ts'
import { advanceDate } from '../../support/clock.ts'
import { logIn, post, type RawSession, type ReceivedReply } from '../../support/raw-client.ts'
import { startTestService, type TestService } from '../../support/service.ts'
import { startUpstream, type TestUpstream } from '../../support/upstream.ts'

const folder = mkdtempSync(join(tmpdir(), 'miniseal-routes-'))
const { privateKey, publicKey } = generateKeyPairSync('ed25519')

let steady: TestUpstream
let moody: TestUpstream
/** What the moody backend does now. */
let mood: 'answers' | 'hangs' | 'dies' | 'floods' = 'answers'
let service: TestService
let session: RawSession

function writeRoutes(routes: unknown): string {
  const path = join(folder, 'routes.json')
  writeFileSync(path, JSON.stringify(routes))
  return path
}

/** A backend's own signature over its answer, made with Node's cryptography. */
function signedHeaders(label: string): Record<string, string> {
  const input = '("@status" "content-type");created=1764000000;keyid="bank";tag="bank-receipt"'
  const base = `"@status": 200\n"content-type": text/plain\n"@signature-params": ${input}`
  const signature = sign(null, Buffer.from(base), privateKey).toString('base64')
  return { 'signature-input': `${label}=${input}`, signature: `${label}=:${signature}:` }
}

beforeAll(async () => {
  steady = await startUpstream((request, response) => {
    const label = /^\/steady\/signed\/([a-z-]+)$/.exec(request.url ?? '')?.[1]
    const headers = label === undefined ? {} : signedHeaders(label)
    const malformed = request.url === '/steady/malformed' ? { 'signature-input': 'x=((', signature: ':' } : {}
    response.writeHead(200, { 'content-type': 'text/plain', ...headers, ...malformed })
    response.end('steady')
  })
  moody = await startUpstream((request, response) => {
    if (mood === 'answers') response.end('well')
    if (mood === 'dies') request.socket.destroy()
    if (mood === 'floods') response.end(Buffer.alloc(2_000_000))
  })
  const routes = [
    { path: '/steady', upstream: steady.origin, methods: ['GET', 'POST'], max_body: 20 },
    { path: '/moody', upstream: moody.origin, timeout_ms: 1_000 },
    { path: '/flooding', upstream: moody.origin },
    { path: '/breaking', upstream: moody.origin, timeout_ms: 300 },
  ]
  service = await startTestService({ environment: { MINISEAL_ROUTES_FILE: writeRoutes(routes) } })
  session = await logIn(service)
})

afterAll(async () => {
  await service.close()
  steady.close()
  moody.close()
  rmSync(folder, { recursive: true })
})

async function timed(
  path: string,
): Promise<{ readonly reply: ReceivedReply; readonly milliseconds: number }> {
  const start = performance.now()
  const reply = await session.send({ path })
  return { reply, milliseconds: performance.now() - start }
}

describe('a route with limits', () => {
  it('a route accepts only its methods', async () => {
    expect((await session.send({ path: '/steady' })).status).toBe(200)
    const count = steady.arrived.length
    for (const method of ['PUT', 'DELETE', 'HEAD']) {
      const reply = await session.send({ method, path: '/steady', key: method })
      expect(reply.json).toMatchObject({ code: 'not_found', step: 'handler' })
      expect(reply.json.outcome).toBe(method === 'HEAD' ? undefined : 'none')
    }
    expect(steady.arrived.length).toBe(count)
    expect((await session.send({ method: 'POST', path: '/steady', body: {}, key: 'POST' })).status).toBe(200)
  })

  it('a route accepts a body up to its size limit', async () => {
    const order = (text: string) => session.send({ method: 'POST', path: '/steady', body: text })
    expect((await order('x'.repeat(18))).status).toBe(200)
    const count = steady.arrived.length
    expect((await order('x'.repeat(19))).json).toMatchObject({ code: 'payload_invalid', status: 400 })
    expect(steady.arrived.length).toBe(count)
  })

  it('a route gives its backend its own timeout, and no other route waits for it', async () => {
    mood = 'hangs'
    const hanging = Array.from({ length: 4 }, () => timed('/moody'))
    const beside = await timed('/steady')
    expect(beside.reply.status).toBe(200)
    expect(beside.milliseconds).toBeLessThan(950)
    for (const { reply, milliseconds } of await Promise.all(hanging)) {
      expect(reply.json).toMatchObject({ code: 'upstream_unavailable', status: 502 })
      expect(milliseconds).toBeGreaterThan(950)
    }
    mood = 'answers'
    expect((await session.send({ path: '/moody' })).status).toBe(200)
  })

  it('a route forwards the path exactly as it was signed', async () => {
    const path = "/steady/a%3Fb/c@d/?q='x';empty=&plus=+%2F"
    await session.send({ path })
    expect(steady.last().url).toBe(path)
  })
})

describe('the circuit breaker of a route', () => {
  it('the circuit opens after repeated failures, lets one request through, and closes on success', async () => {
    mood = 'dies'
    const order = (key: string) => session.send({ method: 'POST', path: '/breaking', body: {}, key })
    for (let failure = 0; failure < 5; failure++) {
      const reply = await session.send({ path: '/breaking' })
      expect(reply.json).toMatchObject({ code: 'upstream_unavailable' })
      expect(reply.fields.map(([name]) => name)).not.toContain('retry-after')
    }
    const count = moody.arrived.length
    const refused = await order('first')
    expect(refused.json).toMatchObject({ code: 'upstream_unavailable', status: 502, retryable: true })
    expect(refused.json.outcome).toBe('none')
    const wait = Number(refused.fields.find(([name]) => name === 'retry-after')?.[1])
    expect(wait).toBeGreaterThanOrEqual(1)
    expect(wait).toBeLessThanOrEqual(5)
    expect(moody.arrived.length).toBe(count)
    mood = 'answers'
    expect((await session.send({ path: '/moody' })).status).toBe(200)
    expect((await order('second')).json).toMatchObject({ code: 'upstream_unavailable', outcome: 'none' })

    advanceDate(wait * 1_000)
    mood = 'hangs'
    const probe = timed('/breaking')
    await expect.poll(() => moody.last().url).toBe('/breaking')
    const beside = await timed('/breaking')
    expect(beside.reply.json).toMatchObject({ code: 'upstream_unavailable' })
    expect(beside.reply.fields).toContainEqual(['retry-after', '1'])
    expect((await probe).reply.json).toMatchObject({ code: 'upstream_unavailable' })
    mood = 'answers'
    const still = await order('third')
    expect(still.json).toMatchObject({ code: 'upstream_unavailable' })

    advanceDate(5_000)
    // After a response with the outcome none, every repetition gets it too.
    expect((await order('first')).json).toEqual(refused.json)
    expect((await order('fourth')).status).toBe(200)
    expect(
      (await Promise.all([timed('/breaking'), timed('/breaking')])).map(({ reply }) => reply.status),
    ).toEqual([200, 200])
  })

  it('the circuit stays closed when responses are too large, which a client could cause on purpose', async () => {
    mood = 'floods'
    for (let time = 0; time < 7; time++) {
      const { fields } = await session.send({ path: '/flooding' })
      expect(fields.map(([name]) => name)).not.toContain('retry-after')
    }
    mood = 'answers'
    expect((await session.send({ path: '/flooding' })).status).toBe(200)
  })
})

describe('a backend’s own signature on its response', () => {
  /** The fields of the answer as the client opens it; the service's signature is verified on the way. */
  async function answered(path: string) {
    const prepared = session.prepare({ path })
    const bytes = new Uint8Array(await (await post(service, prepared.frame)).arrayBuffer())
    prepared.open(bytes)
    const frame = parseFrame(bytes, 1_048_576)
    if (frame.kind !== 'response') throw new Error('not a response')
    const { status, fields } = parseResponse(openResponse(primitives, session.keys, frame))
    return { kind: 'response' as const, status, fields: fields.map(([name, value]) => ({ name, value })) }
  }

  it.each([
    ['under its label', 'bank', 'bank'],
    ['under a new label when the service needs its own', 'sig', 'upstream'],
  ])('the signature of a backend is passed on with that of the service, %s', async (_title, sent, label) => {
    const message = await answered(`/steady/signed/${sent}`)
    const { x } = createPublicKey(publicKey.export({ format: 'pem', type: 'spki' })).export({ format: 'jwk' })
    const key = await importJWK({ kty: 'OKP', crv: 'Ed25519', x: x ?? '' }, 'EdDSA')
    if (key instanceof Uint8Array) throw new Error('not a public key')
    const policy = {
      algorithms: ['ed25519'],
      requiredComponents: ['@status', 'content-type'],
      requiredParameters: ['created', 'keyid'],
    }
    const { parameters } = await verifySignature(message, {
      label,
      policy,
      resolveVerifier: () => webcrypto.verifier(key),
    })
    expect(parameters).toMatchObject({ keyid: 'bank', tag: 'bank-receipt' })
    const inputs = message.fields.find(({ name }) => name === 'signature-input')?.value
    expect(inputs).toMatch(new RegExp(`^sig=\\(.*tag="miniseal-response", ${label}=\\(`))
  })

  it('a malformed signature of a backend is dropped', async () => {
    const { fields } = await answered('/steady/malformed')
    expect(fields.find(({ name }) => name === 'signature')?.value).toMatch(/^sig=:[^:]*:$/)
  })

  it('the signature of a backend is part of the replayed response', async () => {
    const order = { method: 'POST', path: '/steady/signed/bank', body: {}, key: 'signed' }
    const [first, again] = [await session.send(order), await session.send(order)]
    const signature = (reply: ReceivedReply) =>
      /bank=:.*$/.exec(reply.fields.find(([name]) => name === 'signature')?.[1] ?? '')?.[0]
    expect(again.fields).toContainEqual(['idempotency-replayed', 'true'])
    expect(signature(first)).toBeDefined()
    expect(signature(again)).toBe(signature(first))
  })
})

describe('the routes file', () => {
  const route = { path: '/a', upstream: 'http://127.0.0.1:1' }

  it('the routes file is parsed with all its members, the longest path first', () => {
    const full = {
      path: '/a/b/',
      upstream: 'https://h/',
      methods: ['GET'],
      max_body: 0,
      timeout_ms: 100,
      idempotent: true,
    }
    expect(parseRoutes(JSON.stringify([route, full]))).toEqual([
      {
        prefix: '/a/b',
        origin: 'https://h',
        methods: ['GET'],
        maxBody: 0,
        timeoutMs: 100,
        isIdempotent: true,
      },
      { prefix: '/a', origin: 'http://127.0.0.1:1' },
    ])
  })

  it.each<[string, unknown, RegExp]>([
    ['is not a list', {}, /the file must be a list of routes/],
    ['is empty', [], /the file/],
    ['has a route without a path', [{ upstream: 'http://h' }], /route 1, path must be a path/],
    ['has a path without its slash', [{ ...route, path: 'a' }], /route 1, path must be/],
    ['has a path with a query', [{ ...route, path: '/a?b' }], /route 1, path must be/],
    ['has a path with an empty segment', [{ ...route, path: '/a//b' }], /route 1, path must be/],
    ['has a path with a dot segment', [{ ...route, path: '/a/../b' }], /route 1, path must be/],
    ['has a path with a needless escape', [{ ...route, path: '/%61' }], /route 1, path must be/],
    ['has a path with a parameter', [{ ...route, path: '/a;b' }], /route 1, path must be/],
    [
      'names a path in two spellings',
      [
        { ...route, path: '/a@' },
        { ...route, path: '/a%40' },
      ],
      /name \/a@ more/,
    ],
    [
      'has an upstream with a path',
      [route, { path: '/b', upstream: 'http://h/x' }],
      /route 2, upstream must be/,
    ],
    ['has an upstream of another scheme', [{ ...route, upstream: 'ftp://h' }], /route 1, upstream/],
    ['has an upstream with a password', [{ ...route, upstream: 'http://u:p@h' }], /route 1, upstream/],
    ['has a method in lower case', [{ ...route, methods: ['get'] }], /route 1, methods, 0 must be a method/],
    ['allows no method', [{ ...route, methods: [] }], /route 1, methods must name a method/],
    ['has a negative size', [{ ...route, max_body: -1 }], /route 1, max_body/],
    ['has a size over the frame', [{ ...route, max_body: 2_000_000 }], /route 1, max_body/],
    ['has a timeout above the limit', [{ ...route, timeout_ms: 30_001 }], /route 1, timeout_ms/],
    ['has a string for idempotent', [{ ...route, idempotent: 'yes' }], /route 1, idempotent/],
    ['has an unknown member', [{ ...route, timeout: 5 }], /route 1.*"timeout"/],
    ['names a path twice', [route, { ...route, path: '/a/' }], /name \/a more than once/],
  ])('the routes file is refused with the position of the error when it %s', (_title, routes, message) => {
    expect(() => parseRoutes(JSON.stringify(routes))).toThrow(message)
  })

  it('the routes file is refused when it is not JSON or cannot be read', () => {
    expect(() => parseRoutes('[')).toThrow(/MINISEAL_ROUTES_FILE is not JSON/)
    expect(() => readConfig({ MINISEAL_ROUTES_FILE: join(folder, 'nowhere') })).toThrow(/cannot be read/)
  })

  it('the routes file and the variable combine, unless both name one path', () => {
    const file = writeRoutes([route])
    expect(readRoutes('/a/b=http://h', file)?.map(({ prefix }) => prefix)).toEqual(['/a/b', '/a'])
    expect(() => readRoutes('/a=http://h', file)).toThrow(/more than once/)
  })

  it('production accepts the routes file without the variable', () => {
    const environment = {
      NODE_ENV: 'production',
      MINISEAL_ORIGIN: 'https://pay.example.com',
      MINISEAL_MASTER_KEY: randomBytes(32).toString('base64'),
      MINISEAL_WECHAT_APPS: 'wx1234:secret-of-the-app',
    }
    expect(() => readConfig(environment)).toThrow(/MINISEAL_ROUTES_FILE/)
    const file = writeRoutes([route])
    expect(readConfig({ ...environment, MINISEAL_ROUTES_FILE: file }).upstreams).toHaveLength(1)
  })
})
