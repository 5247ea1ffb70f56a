/** Prometheus metrics, and access to them. */
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { readConfig } from '../../../service/config/config.ts'
import { ConfigError } from '../../../service/config/environment.ts'
import { createMetrics } from '../../../service/observability/metrics.ts'
import { ownService, sharedService, sharedSession } from '../../support/hooks.ts'
import { logIn, post, prepareLogin, send } from '../../support/raw-client.ts'
import { production, sampleOf } from '../../support/service.ts'

const token = 'metrics-token-0123456789'

const service = sharedService()
const session = sharedSession(service)

async function scrape(from = service): Promise<string> {
  const response = await fetch(`${from.origin}/metrics`)
  expect(response.status).toBe(200)
  return await response.text()
}

it('exchanges are counted by kind, status, code and step', async () => {
  const before = await scrape()
  const prepared = session.prepare()
  await send(service, prepared)
  expect((await send(service, prepared)).json.code).toBe('replayed')
  await send(service, await prepareLogin(service, { code: 'made-up' }))
  await post(service, Uint8Array.of(1, 2, 3))
  const after = await scrape()
  const grown = (name: string, labels?: Record<string, string>): number =>
    sampleOf(after, name, labels) - sampleOf(before, name, labels)
  const total = 'miniseal_exchanges_total'
  expect(grown(total, { kind: 'request', status: '2xx', code: 'ok', step: '' })).toBe(1)
  expect(grown(total, { kind: 'request', status: '4xx', code: 'replayed', step: 'claim' })).toBe(1)
  expect(grown(total, { kind: 'login', status: '4xx', code: 'login_code_invalid', step: 'login' })).toBe(1)
  expect(grown(total, { kind: 'clear', status: '4xx', code: 'malformed_frame', step: 'frame' })).toBe(1)
  expect(grown('miniseal_exchange_duration_seconds_count', { kind: 'request' })).toBe(2)
})

it('every stage of an exchange is measured, including a stage that refused, and no other', async () => {
  const before = await scrape()
  await session.send()
  await session.send({ token: undefined })
  await logIn(service)
  const after = await scrape()
  const stages = ['open', 'verify', 'login', 'authorize', 'claim', 'execute', 'finalize', 'seal']
  const counts = stages.map((stage) => {
    const name = 'miniseal_exchange_stage_duration_seconds_count'
    return [stage, sampleOf(after, name, { stage }) - sampleOf(before, name, { stage })]
  })
  expect(Object.fromEntries(counts)).toEqual({
    open: 3,
    verify: 3,
    login: 1,
    authorize: 2,
    claim: 1,
    execute: 1,
    finalize: 1,
    seal: 3,
  })
})

it('stage durations do not overlap', async () => {
  const backend = {
    answer: async () => {
      await new Promise((resolve) => setTimeout(resolve, 120))
      return { status: 204, fields: [], content: new Uint8Array(0) }
    },
  }
  const slow = await ownService({ backend })
  await (await logIn(slow)).send()
  const text = await scrape(slow)
  const sum = (stage: string): number =>
    sampleOf(text, 'miniseal_exchange_stage_duration_seconds_sum', { stage })
  const whole = (kind: string): number => sampleOf(text, 'miniseal_exchange_duration_seconds_sum', { kind })
  expect(sum('execute')).toBeGreaterThan(0.1)
  // What is counted twice makes the parts more than the whole, however busy the machine is.
  const stages = ['open', 'verify', 'login', 'authorize', 'claim', 'execute', 'finalize', 'seal']
  const parts = stages.reduce((total, stage) => total + sum(stage), 0)
  // Each duration is rounded, so the sum may exceed the whole by microseconds; a stage counted twice adds 120 ms.
  expect(parts).toBeLessThan(whole('login') + whole('request') + 0.001)
})

it('commits and their batch sizes are counted', async () => {
  const before = await scrape()
  await Promise.all(Array.from({ length: 8 }, () => session.send()))
  const after = await scrape()
  const grown = (name: string, labels = {}): number =>
    sampleOf(after, name, labels) - sampleOf(before, name, labels)
  expect(grown('miniseal_commit_batch_size_sum')).toBeGreaterThanOrEqual(8)
  expect(grown('miniseal_commit_batch_size_count')).toBeGreaterThan(0)
  expect(grown('miniseal_commit_duration_seconds_count', { outcome: 'done' })).toBe(
    grown('miniseal_commit_batch_size_count'),
  )
})

it('WeChat calls are counted by errcode, with unknown errcodes as one label', async () => {
  const api = 'sns/jscode2session'
  for (const errcode of [45011, 123_456, 123_457]) {
    await service.sandbox('/sandbox/faults', { path: api, errcode })
    await send(service, await prepareLogin(service))
  }
  await service.sandbox('/sandbox/faults', { path: api, drop: true })
  await send(service, await prepareLogin(service))
  const text = await scrape()
  const calls = (outcome: string, errcode: string): number =>
    sampleOf(text, 'miniseal_wechat_calls_total', { api, outcome, errcode })
  expect([calls('refused', '45011'), calls('refused', 'other'), calls('failed', '')]).toEqual([1, 2, 1])
  expect(calls('ok', '')).toBeGreaterThan(0)
  expect(text).not.toMatch(/errcode="12345[67]"/)
})

it('docs/guides/operations.md lists exactly the metrics of the service', () => {
  const collectors = readFileSync(
    new URL('../../../service/observability/collectors.ts', import.meta.url),
    'utf8',
  )
  const defined = [...collectors.matchAll(/'(miniseal_[a-z_]+[a-z])'/g)].map(([, name]) => name)
  const statuses = [...collectors.matchAll(/statusGauge\(\s*'([a-z_]+)'/g)].map(
    ([, name]) => `miniseal_tlog_${name}`,
  )
  const guide = readFileSync(new URL('../../../docs/guides/operations.md', import.meta.url), 'utf8')
  const documented = [...guide.matchAll(/^\| `(miniseal_[a-z_]+)`/gm)].map(([, name]) => name)
  expect(documented.toSorted()).toEqual([...defined, ...statuses].toSorted())
})

it('metrics contain process data and no person, path, token or address', async () => {
  await session.send({ path: '/path-canary' })
  const text = await scrape()
  expect(text).toMatch(/^process_resident_memory_bytes \d/m)
  expect(text).toMatch(/^nodejs_eventloop_lag_seconds /m)
  for (const secret of ['canary', session.user, session.device.signer.keyid, session.token, '127.0.0.1'])
    expect(text).not.toContain(secret)
})

it('active sessions are counted', async () => {
  const own = await ownService()
  const first = await logIn(own)
  await logIn(own)
  await first.send({ method: 'DELETE', path: '/sessions/current' })
  expect(sampleOf(await scrape(own), 'miniseal_sessions_active')).toBe(1)
})

it('sessions are counted in the database at most every 15 seconds', async () => {
  let queries = 0
  const metrics = createMetrics(async () => {
    queries += 1
    return 3
  })
  for (let i = 0; i < 5; i++) expect((await metrics.read()).text).toMatch(/^miniseal_sessions_active 3$/m)
  expect(queries).toBe(1)
})

it('only the session count is absent when the database does not respond', async () => {
  const metrics = createMetrics(() => Promise.reject(new Error('down')))
  const { text } = await metrics.read()
  expect(text).not.toMatch(/^miniseal_sessions_active /m)
  expect(text).toMatch(/^process_cpu_seconds_total /m)
})

it('two services in one process have separate metrics', async () => {
  const own = await ownService()
  expect(sampleOf(await scrape(own), 'miniseal_exchanges_total')).toBe(0)
})

it('with a token configured, metrics require it and others get 401', async () => {
  const own = await ownService({ environment: { MINISEAL_METRICS_TOKEN: token } })
  const ask = (authorization?: string): Promise<Response> =>
    fetch(`${own.origin}/metrics`, { headers: authorization === undefined ? {} : { authorization } })
  const granted = await ask(`Bearer ${token}`)
  expect(granted.status).toBe(200)
  expect(granted.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/)
  expect(granted.headers.get('cache-control')).toBe('no-store')
  for (const wrong of [
    undefined,
    '',
    'Bearer',
    `Bearer ${token}x`,
    `Bearer x${token}`,
    token,
    `Basic ${token}`,
  ]) {
    const refused = await ask(wrong)
    expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([401, 'Bearer'])
    expect(await refused.text()).not.toContain('miniseal_')
  }
  expect(own.logText()).not.toContain(token)
})

it('without a token, metrics are off in production and open in development', async () => {
  const data = service.environment.MINISEAL_DATA
  expect(readConfig(production).metrics).toEqual({ kind: 'off' })
  expect(readConfig({ ...production, MINISEAL_METRICS_TOKEN: token }).metrics).toEqual({
    kind: 'token',
    token,
  })
  expect(readConfig({ MINISEAL_DATA: data }).metrics).toEqual({ kind: 'open' })
  const own = await ownService({ config: { metrics: readConfig(production).metrics } })
  expect((await fetch(`${own.origin}/metrics`)).status).toBe(404)
})

it.each(['short', 'with a space in it', 'x'.repeat(257), 'ünïcödeünïcödeü'])(
  'the metrics token %j is refused without being quoted',
  (bad) => {
    let message = ''
    try {
      readConfig({ MINISEAL_DATA: service.environment.MINISEAL_DATA, MINISEAL_METRICS_TOKEN: bad })
    } catch (error) {
      expect(error).toBeInstanceOf(ConfigError)
      message = error instanceof Error ? error.message : ''
    }
    expect(message).toContain('MINISEAL_METRICS_TOKEN must be')
    expect(message).not.toContain(bad)
  },
)
