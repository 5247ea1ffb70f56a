/** The policies of single routes hold for their exact method, path and query, and for no variant of them. */
import { beforeEach, expect, it } from 'vitest'
import { sharedService } from '../../support/hooks.ts'
import { logIn, outcomePath, type RawSession, type RequestParts } from '../../support/raw-client.ts'

const policy = '0=allow,1=allow,2=allow,3=step-up,4=refuse,unavailable=allow'
let seen: string[] = []

const backend = {
  answer: async ({ method, path }: { method: string; path: string }) => {
    seen.push(`${method} ${path}`)
    return { status: 200, fields: [], content: new Uint8Array(0) }
  },
}

const service = sharedService({ backend, environment: { MINISEAL_RISK_POLICY: policy } })

beforeEach(() => {
  seen = []
})

let number = 0

async function marked(): Promise<RawSession> {
  const openid = `marked-${number++}`
  await service.sandbox('/sandbox/risk-ranks', { appid: service.appid, openid, risk_rank: 3 })
  return await logIn(service, { openid })
}

const outcome = outcomePath('a key')

it.each([
  ['POST', '/sessions/current/token/'],
  ['POST', '/sessions/current/token?a'],
  ['POST', '/sessions/current/tokens'],
  ['POST', '/sessions/current/Token'],
  ['PUT', '/sessions/current/token'],
  ['GET', '/sessions/current/token'],
  ['HEAD', '/sessions/current/token'],
  ['OPTIONS', '/sessions/current/token'],
  ['DELETE', '/sessions/current'],
  ['DELETE', outcome],
  ['POST', '/events/subscription'],
  ['POST', '/sessions'],
  ['POST', '/tokens'],
])('%s %s accepts no expired token, unlike the renewal', async (method, path) => {
  const session = await logIn(service)
  service.advanceClock(601)
  const received = await session.send({ method, path })
  expect(received.json.code).toBe('token_expired')
  expect((await session.send({ method: 'POST', path: '/sessions/current/token' })).status).toBe(201)
  expect(seen).toEqual([])
})

it.each([
  ['DELETE', '/sessions/current/'],
  ['DELETE', '/sessions/current?a'],
  ['DELETE', '/sessions/Current'],
  ['PATCH', '/sessions/current'],
  ['POST', '/sessions/current/token/'],
  ['POST', '/sessions/current/token?a'],
  ['PUT', '/sessions/current/token'],
  ['POST', '/events/subscription/'],
  ['POST', '/events/subscription?a'],
  ['PUT', '/events/subscription'],
  ['POST', '/sessions'],
  ['DELETE', '/outcomes'],
  ['DELETE', `${outcome}?a`],
  ['POST', outcome],
  ['PUT', outcome],
  ['DELETE', `/outcomesX${outcome}`],
  ['DELETE', `/Outcomes${outcome}`],
])('%s %s needs a confirmation in a session that requires confirmations', async (method, path) => {
  const session = await marked()
  const received = await session.send({ method, path })
  expect(received.json).toMatchObject({ code: 'step_up_required', summary: expect.any(String) })
  expect((await session.send({ path: '/sessions/current' })).status).toBe(200)
  expect(seen).toEqual([])
})

it.each([
  ['POST', '/sessions/'],
  ['POST', '/sessions?a'],
  ['PUT', '/sessions'],
  ['POST', '/sessions/current'],
  ['POST', '/sessions/current/token'],
  ['POST', '/events/subscription/'],
  ['POST', '/events/subscription?a'],
  ['PUT', '/events/subscription'],
  ['DELETE', '/outcomes'],
  ['DELETE', `${outcome}?a`],
  ['PUT', outcome],
  ['DELETE', `/outcomesX${outcome}`],
])('%s %s needs an Idempotency-Key', async (method, path) => {
  const session = await logIn(service)
  const received = await session.send({ method, path, key: undefined })
  expect(received.json.code).toBe('idempotency_missing')
  expect(seen).toEqual([])
})

const own: readonly RequestParts[] = [
  { path: '/receipts' },
  { path: '/outcomes' },
  { path: '/outcomes?a' },
  { method: 'POST', path: '/phone-number/x' },
  { method: 'POST', path: '/encrypted-data/' },
  { path: '/devices/x/y' },
  { path: '/events/x' },
  { method: 'OPTIONS', path: '/sessions' },
  { method: 'HEAD', path: '/sessions/current' },
  { method: 'PROPFIND', path: '/sessions' },
  { path: '/sessions/x/y?q' },
  { path: '/devices/' },
  { path: '/devices?all=1' },
  { path: '/devices/x' },
  { method: 'POST', path: '/devices', body: {} },
  { path: '/events/' },
  { path: '/events/1' },
  { method: 'POST', path: '/events', body: {} },
  { method: 'DELETE', path: '/events' },
  { method: 'POST', path: '/events/subscription?after=1', body: { after: 1 } },
  { path: '/receipts/x/y' },
  { path: '/phone-number' },
  { method: 'POST', path: '/phone-number?x=1', body: { code: 'x' } },
  { path: '/encrypted-data' },
  { method: 'POST', path: '/encrypted-data?x=1', body: { code: 'x' } },
]
it.each(own.map((parts) => [parts.method ?? 'GET', parts.path, parts] as const))(
  '%s %s is not_found in the channel and does not reach the backend',
  async (method, _path, parts) => {
    const received = await (await logIn(service)).send(parts)
    expect(received.status).toBe(404)
    if (method !== 'HEAD') expect(received.json.code).toBe('not_found')
    expect(seen).toEqual([])
  },
)

it.each([
  '/sessionsX',
  '/Sessions',
  '/sessions-',
  '/api/sessions',
  '/outcomes.json',
  '/receipt',
  '/event',
  '/phone-numbers',
  '/x/devices',
])('%s reaches the backend', async (path) => {
  expect((await (await logIn(service)).send({ path })).status).toBe(200)
  expect(seen).toEqual([`GET ${path}`])
})
