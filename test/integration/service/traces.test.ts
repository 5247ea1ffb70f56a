/** OpenTelemetry traces over OTLP: what they contain, what they do not, and where they go. */
import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { ProtocolError } from '../../../crypto/errors.ts'
import { type CollectedSpan, type Collector, startCollector } from '../../support/collector.ts'
import { logIn, post, prepareLogin, withFields } from '../../support/raw-client.ts'
import { startTestService, type TestService } from '../../support/service.ts'
import { freePort, runMiniseal } from '../../support/service-process.ts'
import { startUpstream, type TestUpstream } from '../../support/upstream.ts'

let collector: Collector
let upstream: TestUpstream
let status = 200

beforeEach(async () => {
  status = 200
  collector = await startCollector()
  upstream = await startUpstream((_, response) => response.writeHead(status).end('done'))
})

afterEach(() => {
  collector.close()
  upstream.close()
})

/** Runs a service with traces until `work` is done. @returns the spans that it sent */
async function traced(
  work: (service: TestService) => Promise<unknown>,
  options: Parameters<typeof startTestService>[0] = {},
): Promise<readonly CollectedSpan[]> {
  const environment = {
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
    ...(options.backend === undefined ? { MINISEAL_UPSTREAMS: `/shop=${upstream.origin}` } : {}),
    ...options.environment,
  }
  const service = await startTestService({ ...options, environment })
  try {
    await work(service)
  } finally {
    await service.close()
  }
  return collector.spans
}

/** A span and, in brackets, its children in the order in which they ended. */
function picture(spans: readonly CollectedSpan[], of: CollectedSpan): string {
  const within = spans.filter(({ parent }) => parent === of.id).map((one) => picture(spans, one))
  return within.length === 0 ? of.name : `${of.name}[${within.join(' ')}]`
}

const requests = (spans: readonly CollectedSpan[]): readonly CollectedSpan[] =>
  spans.filter(({ name, parent }) => name === 'POST /seal' && parent === undefined)

function named(spans: readonly CollectedSpan[], name: string): CollectedSpan {
  const found = spans.find((span) => span.name === name)
  if (found === undefined) throw new Error(`no span ${name}`)
  return found
}

it('a trace shows the stages of a login and of a request with their calls', async () => {
  const spans = await traced(async (service) => {
    const session = await logIn(service)
    expect((await session.send({ method: 'POST', path: '/shop/orders', body: { n: 1 } })).status).toBe(200)
  })
  const [login, order] = requests(spans)
  if (login === undefined || order === undefined) throw new Error('no requests')
  expect(picture(spans, login)).toBe(
    'POST /seal[exchange[open verify login[commit wechat sns/jscode2session commit commit] seal]]',
  )
  expect(picture(spans, order)).toBe(
    'POST /seal[exchange[open verify authorize claim[commit] execute[backend /shop] finalize[commit] seal]]',
  )
  expect(new Set(spans.map(({ trace }) => trace)).size).toBeGreaterThanOrEqual(2)
  expect(order.attributes).toEqual({
    'http.request.method': 'POST',
    'http.response.status_code': 200,
    'http.route': '/seal',
  })
  const exchanges = spans.filter(({ name }) => name === 'exchange').map(({ attributes }) => attributes)
  expect(exchanges).toEqual([
    { 'http.request.method': 'POST', 'http.response.status_code': 201, 'miniseal.kind': 'login' },
    { 'http.request.method': 'POST', 'http.response.status_code': 200, 'miniseal.kind': 'request' },
  ])
  expect(named(spans, 'backend /shop').attributes).toEqual({
    'http.request.method': 'POST',
    'http.response.status_code': 200,
    'miniseal.route': '/shop',
  })
  expect(named(spans, 'wechat sns/jscode2session').attributes).toEqual({
    'miniseal.api': 'sns/jscode2session',
    'miniseal.outcome': 'ok',
  })
  expect(collector.resource()).toEqual({ 'service.name': 'miniseal' })
  expect(collector.text()).toMatch(/^POST \/v1\/traces application\/json /)
})

it('stage spans lie within their exchange span', async () => {
  const spans = await traced(async (service) => (await logIn(service)).send({ path: '/shop' }))
  const byId = new Map(spans.map((span) => [span.id, span]))
  for (const { name, parent, start, end } of spans) {
    expect(end, name).toBeGreaterThanOrEqual(start)
    const overrides = byId.get(parent ?? '')
    if (overrides === undefined) continue
    // Each span's clock starts at a whole millisecond.
    expect(start, name).toBeGreaterThanOrEqual(overrides.start - 2_000_000n)
    expect(end, name).toBeLessThanOrEqual(overrides.end + 2_000_000n)
  }
})

it('a trace shows code and step of a refusal', async () => {
  const spans = await traced(async (service) => {
    const session = await logIn(service)
    const prepared = session.prepare({ path: '/shop' })
    for (let copy = 0; copy < 2; copy++) await post(service, prepared.frame)
    await fetch(`${service.url}/seal`, { method: 'POST', body: 'nonsense' })
    await service.sandbox('/sandbox/faults', { path: 'sns/jscode2session', errcode: 40226 })
    const refused = await prepareLogin(service)
    // The second one meets the nonce of the first in the database.
    for (let copy = 0; copy < 2; copy++) await post(service, refused.frame)
  })
  const [, , replayed, , blocked] = requests(spans).map((span) => picture(spans, span))
  expect(replayed).toBe('POST /seal[exchange[open verify authorize claim[commit] seal]]')
  expect(blocked).toContain('wechat sns/jscode2session')
  const refusals = spans.map(({ attributes }) => attributes).filter((held) => 'miniseal.step' in held)
  expect(refusals.map((held) => [held['miniseal.code'], held['miniseal.step']])).toEqual([
    ['replayed', 'claim'],
    ['malformed_frame', 'frame'],
    ['login_blocked', 'login'],
    ['replayed', 'claim'],
  ])
  const commits = spans
    .filter(({ name }) => name === 'commit')
    .map((span) => span.attributes['miniseal.outcome'])
  expect(commits).toContain('refused')
  expect(
    spans.find((span) => span.attributes['miniseal.errcode'] === 40226)?.attributes['miniseal.api'],
  ).toBe('sns/jscode2session')
})

it('a failed span has an error status and only the code of the error', async () => {
  const secret = 'what-the-error-says'
  const spans = await traced(
    async (service) => {
      const session = await logIn(service)
      expect((await session.send({ path: '/a' })).status).toBe(500)
      expect((await session.send({ path: '/b' })).status).toBe(404)
    },
    {
      backend: {
        answer: async ({ path }) => {
          if (path === '/b') throw new ProtocolError('not_found', secret)
          throw new Error(secret)
        },
      },
    },
  )
  const states = spans
    .filter(({ name }) => name === 'exchange')
    .map((span) => [span.attributes['miniseal.code'], span.status])
  expect(states).toEqual([
    [undefined, 0],
    ['internal', 2],
    ['not_found', 0],
  ])
  expect(collector.text()).not.toContain(secret)
})

it('a trace shows a backend that fails and one that does not respond', async () => {
  status = 503
  const spans = await traced(async (service) => {
    const session = await logIn(service)
    expect((await session.send({ path: '/shop' })).status).toBe(503)
    upstream.close()
    expect((await session.send({ path: '/shop' })).json.code).toBe('upstream_unavailable')
  })
  const calls = spans.filter(({ name }) => name === 'backend /shop')
  expect(
    calls.map(({ attributes, status }) => [
      attributes['http.response.status_code'],
      attributes['miniseal.code'],
      status,
    ]),
  ).toEqual([
    [503, undefined, 2],
    [undefined, 'upstream_unavailable', 2],
  ])
})

it('backends get the trace context of the service and never one from outside', async () => {
  const theirs = '00-11111111111111111111111111111111-2222222222222222-01'
  const spans = await traced(async (service) => {
    const session = await logIn(service)
    const prepared = session.prepare({
      path: '/shop/orders/7',
      ...withFields(['traceparent', theirs], ['tracestate', 'a=b'], ['baggage', 'user=eve']),
    })
    const headers = { 'content-type': 'application/vnd.miniseal', traceparent: theirs, tracestate: 'a=b' }
    const body = new Uint8Array(prepared.frame)
    expect((await fetch(`${service.url}/seal`, { method: 'POST', headers, body })).status).toBe(200)
  })
  const call = named(spans, 'backend /shop')
  const { traceparent, tracestate, baggage } = upstream.last().headers
  expect(traceparent).toBe(`00-${call.trace}-${call.id}-01`)
  expect([tracestate, baggage]).toEqual([undefined, undefined])
  expect(collector.text()).not.toContain('11111111111111111111111111111111')
  expect(requests(spans)).toHaveLength(2)
})

it('traces contain no path, query, user, device, session, token, key, code or address', async () => {
  let known: readonly string[] = []
  await traced(async (service) => {
    const code = await service.code('openid-of-somebody')
    const session = await logIn(service, { code })
    await session.send({
      method: 'POST',
      path: '/shop/orders/order-4711?card=card-6222',
      body: { payee: 'bob' },
      key: 'key-0815',
    })
    await session.send({ method: 'EVIL', path: '/shop/x', key: 'key-0816' })
    await fetch(`${service.url}/docs/problems/secret-4712?q=secret-4713`)
    await fetch(`${service.url}/somewhere/secret-4714`, { headers: { 'user-agent': 'agent-4715' } })
    const id = Buffer.from(session.id).toString('base64url')
    known = [session.user, session.device.signer.keyid, id, session.token, code, service.appid]
  })
  const text = collector.text()
  for (const one of [
    ...known,
    'openid-of-somebody',
    'order-4711',
    'card-6222',
    'bob',
    'key-08',
    'EVIL',
    '127.0.0.1',
  ]) {
    expect(text, one).not.toContain(one)
  }
  expect(text).not.toMatch(/secret-471|agent-471|fetch|user_agent|url\./)
  expect(named(collector.spans, 'GET /docs/problems/:code').attributes['http.response.status_code']).toBe(404)
  const methods = collector.spans.map(({ attributes }) => attributes['http.request.method'])
  expect(methods).toContain('_OTHER')
  expect(collector.spans.every(({ events }) => events === 0)).toBe(true)
})

it('a collector that hangs or refuses does not delay responses or the stop', async () => {
  for (const state of ['hangs', 400] as const) {
    collector.close()
    collector = await startCollector(state)
    const service = await startTestService({
      environment: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint },
    })
    expect((await (await logIn(service)).send()).status).toBe(200)
    await service.close()
    if (state === 400) expect(service.logText()).toContain('"event":"traces.dropped"')
  }
})

it('a hanging collector does not keep the process alive', async () => {
  collector.close()
  collector = await startCollector('hangs')
  const folder = mkdtempSync(join(tmpdir(), 'miniseal-traces-'))
  const port = String(await freePort())
  const service = runMiniseal(['serve'], {
    PORT: port,
    MINISEAL_DATA: folder,
    MINISEAL_DATABASE: 'sqlite::memory:',
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
  })
  try {
    await service.waitFor('Ctrl+C')
    expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200)
    service.child.kill('SIGTERM')
    expect((await service.finished).code).toBe(0)
  } finally {
    service.child.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  }
})

it('traces go to the exact traces endpoint under the configured service name', async () => {
  await traced(logIn, {
    environment: {
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${collector.endpoint}/own/place`,
      OTEL_SERVICE_NAME: 'payments',
    },
  })
  expect(collector.text()).toMatch(/^POST \/own\/place /)
  expect(collector.resource()).toEqual({ 'service.name': 'payments' })
})

it('OpenTelemetry is loaded when tracing is enabled', async () => {
  await traced(logIn)
  const { cache } = createRequire(import.meta.url)
  expect(Object.keys(cache).some((path) => path.includes('@opentelemetry/sdk-trace-node'))).toBe(true)
})
