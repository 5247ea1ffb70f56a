/** Limits of pushes, per key and per address, over real HTTP. */
import { afterEach, expect, it } from 'vitest'
import { advanceDate } from '../../support/clock.ts'
import { newBackend, type PushBackend, type PushParts, signedPush } from '../../support/push-request.ts'
import { logIn, type RawSession } from '../../support/raw-client.ts'
import { type OwnService, startTestService } from '../../support/service.ts'

const orders = newBackend('orders')
const support = newBackend('support')
const stranger = newBackend('orders')

let service: OwnService
let session: RawSession

afterEach(() => service.close())

async function start(limits: string, more: Readonly<Record<string, string>> = {}): Promise<void> {
  const keys = { MINISEAL_PUSH_KEYS: `${orders.entry},${support.entry}` }
  service = await startTestService({ environment: { ...keys, MINISEAL_LIMITS: limits, ...more } })
  session = await logIn(service)
}

type Signed = ReturnType<typeof signedPush>

function signed(backend: PushBackend, parts: PushParts = {}): Signed {
  const event = { user: session.user, type: 'order-paid', data: { n: 1 } }
  return signedPush(backend, service.origin, { event, ...parts })
}

async function post({ headers, body }: Signed, more: Readonly<Record<string, string>> = {}) {
  const options = { method: 'POST', headers: { ...headers, ...more }, body }
  const response = await fetch(`${service.url}/push`, options)
  // biome-ignore lint/suspicious/noExplicitAny: tests read whatever members they expect
  return { status: response.status, headers: response.headers, json: (await response.json()) as any }
}

async function stored(): Promise<number> {
  return (await session.send({ path: '/events?limit=1' })).json.last
}

it('a push key over its limit is refused with Retry-After, and no other key is affected', async () => {
  await start('push_key=2/60')
  const first = await post(signed(orders))
  expect(first.headers.get('ratelimit-policy')).toBe('"key";q=2;w=60')
  expect(first.headers.get('ratelimit')).toMatch(/^"key";r=1;t=\d+$/)
  expect((await post(signed(orders))).status).toBe(201)
  const before = await stored()
  const refused = await post(signed(orders))
  expect([refused.status, refused.json.code, refused.json.step]).toEqual([429, 'rate_limited', 'limits'])
  expect(refused.json.retryable).toBe(true)
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
  expect(refused.headers.get('ratelimit')).toMatch(/^"key";r=0;t=\d+$/)
  expect(await stored()).toBe(before)
  expect((await post(signed(support))).status).toBe(201)
})

it('a push over the limit uses up neither nonce nor Idempotency-Key', async () => {
  await start('push_key=1/3')
  const request = signed(orders, { id: 'paid 7' })
  expect((await post(signed(orders))).status).toBe(201)
  const refused = await post(request)
  expect(refused.json.code).toBe('rate_limited')
  advanceDate(Number(refused.headers.get('retry-after')) * 1_000)
  expect((await post(request)).status).toBe(201)
})

it('a push with a forged signature does not count for its key', async () => {
  await start('push_key=1/60')
  for (let i = 0; i < 3; i++) expect((await post(signed(stranger))).json.code).toBe('signature_invalid')
  expect((await post(signed(orders))).status).toBe(201)
})

it('an address over its push limit is refused before signature verification, and no other address is', async () => {
  await start('push_ip=2/60', { MINISEAL_TRUSTED_PROXIES: '1' })
  const from = (address: string) => ({ 'x-forwarded-for': address })
  for (let i = 0; i < 2; i++)
    expect((await post(signed(stranger), from('203.0.113.1'))).json.code).toBe('signature_invalid')
  const refused = await post(signed(stranger), from('203.0.113.1'))
  expect([refused.status, refused.json.code, refused.json.step]).toEqual([429, 'overloaded', 'limits'])
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
  expect((await post(signed(orders), from('203.0.113.1'))).json.code).toBe('overloaded')
  expect((await post(signed(orders), from('203.0.113.2'))).status).toBe(201)
})

it('each push releases its slot, whatever its result', async () => {
  await start('in_flight=1')
  for (let i = 0; i < 3; i++) {
    expect((await post(signed(stranger))).json.code).toBe('signature_invalid')
    expect((await post(signed(orders))).status).toBe(201)
  }
  expect((await session.send()).status).toBe(200)
})
