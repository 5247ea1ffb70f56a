/** A full disk, and an account that tries to fill it: refused early, with a reason, with recovery. */
import { Hono } from 'hono'
import { afterEach, expect, it, vi } from 'vitest'
import { type InnerVariables, mountApp } from '../../../service/gateway/backend.ts'
import {
  createStorageQuota,
  type StorageOwner,
  type StorageQuota,
  storedPerRequest,
} from '../../../service/limits/rate-limits.ts'
import { logIn, prepareLogin, send } from '../../support/raw-client.ts'
import { type OwnService, startTestService } from '../../support/service.ts'

const mebibyte = 1_048_576

let service: OwnService

afterEach(() => service.close())

it('below the disk reserve the service refuses writes with a reason, serves reads, and recovers without a restart', async () => {
  let free = 400 * mebibyte
  service = await startTestService({
    environment: { MINISEAL_DISK_RESERVE: '300', MINISEAL_METRICS_TOKEN: 'metrics-of-the-disk' },
    disk: { period: 5, freeOf: async () => free },
  })
  const get = async (path: string): Promise<string> => {
    const headers = { authorization: 'Bearer metrics-of-the-disk' }
    return await (await fetch(`${service.url}${path}`, { headers })).text()
  }
  const session = await logIn(service)
  const pay = (key: string) =>
    session.send({
      method: 'POST',
      path: '/wallet/transfers',
      key,
      body: { payee: 'bob', amount: 1, currency: 'CNY' },
    })
  expect((await pay('before')).status).toBe(201)
  expect(JSON.parse(await get('/readyz'))).toMatchObject({ status: 'ready', disk: 'ok' })

  free = 299 * mebibyte
  await vi.waitFor(async () => expect(JSON.parse(await get('/readyz')).disk).toBe('low'))
  const refused = await pay('during')
  expect(refused).toMatchObject({
    status: 503,
    json: { code: 'unavailable', reason: 'storage_full', step: 'limits', retryable: true },
  })
  expect(refused.json).not.toHaveProperty('outcome')
  expect(refused.fields).toContainEqual(['retry-after', '30'])
  const login = await prepareLogin(service, { openid: 'openid-of-another' })
  expect(await send(service, login)).toMatchObject({
    status: 503,
    json: { code: 'unavailable', reason: 'storage_full', step: 'limits' },
  })
  expect((await session.send({ path: '/wallet' })).status).toBe(200)
  const metrics = await get('/metrics')
  expect(metrics).toContain('miniseal_disk_low 1')
  expect(metrics).toContain(`miniseal_disk_free_bytes ${299 * mebibyte}`)
  expect(service.logText()).toContain('free space is below MINISEAL_DISK_RESERVE')

  // A little more is not enough: the service would change its mind with every commit.
  free = 310 * mebibyte
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect((await pay('during')).status).toBe(503)
  free = 340 * mebibyte
  await vi.waitFor(async () => expect(JSON.parse(await get('/readyz')).disk).toBe('ok'))
  // Nothing was decided about the key, so it runs now, once.
  expect((await pay('during')).status).toBe(201)
  expect((await pay('during')).fields).toContainEqual(['idempotency-replayed', 'true'])
  expect(await get('/metrics')).toContain('miniseal_disk_low 0')
})

it('one account can store a bounded amount per day, per device and in total, without affecting others', async () => {
  const app = new Hono<{ Variables: InnerVariables }>()
  let effects = 0
  app.post('/big', (c) => {
    effects += 1
    return c.text('x'.repeat(700_000))
  })
  service = await startTestService({
    environment: { MINISEAL_LIMITS: 'stored_mib_device=2/86400,stored_mib_user=3/86400' },
    backend: mountApp(app, async () => {}),
  })
  const greedy = await logIn(service, { openid: 'openid-of-the-greedy' })
  const fill = async (session: typeof greedy): Promise<readonly number[]> => {
    const statuses: number[] = []
    for (let i = 0; i < 5; i++)
      statuses.push((await session.send({ method: 'POST', path: '/big', body: {} })).status)
    return statuses
  }
  expect(await fill(greedy)).toEqual([200, 200, 200, 429, 429])
  const refused = await greedy.send({ method: 'POST', path: '/big', body: {} })
  expect(refused.json).toMatchObject({ code: 'rate_limited', step: 'limits' })
  expect(refused.json).not.toHaveProperty('outcome')
  expect(refused.json.detail).toContain('device')
  // Another device of the same account has what is left of the account's.
  const second = await logIn(service, { openid: 'openid-of-the-greedy' })
  expect(await fill(second)).toEqual([200, 200, 429, 429, 429])
  expect(effects).toBe(5)
  const other = await logIn(service, { openid: 'openid-of-a-victim' })
  expect((await other.send({ method: 'POST', path: '/big', body: {} })).status).toBe(200)
})

it('a stored response is charged once, however often it is replayed', async () => {
  const app = new Hono<{ Variables: InnerVariables }>()
  app.post('/big', (c) => c.text('x'.repeat(700_000)))
  service = await startTestService({
    environment: { MINISEAL_LIMITS: 'stored_mib_device=2/86400,stored_mib_user=3/86400' },
    backend: mountApp(app, async () => {}),
  })
  const session = await logIn(service)
  const ask = async (key: string) =>
    (await session.send({ method: 'POST', path: '/big', body: {}, key })).status
  for (let i = 0; i < 6; i++) expect(await ask('the-same')).toBe(200)
  expect([await ask('a'), await ask('b'), await ask('c')]).toEqual([200, 200, 429])
})

it('the fields of a response are charged, even if the backend marks it as a replay', async () => {
  const app = new Hono<{ Variables: InnerVariables }>()
  app.post('/fields', (c) => c.body(null, 201, { 'x-long': 'x'.repeat(14_000) }))
  app.post('/big', (c) => c.text('x'.repeat(700_000), 201, { 'Idempotency-Replayed': 'true' }))
  service = await startTestService({
    environment: { MINISEAL_LIMITS: 'stored_mib_device=1/86400,stored_mib_user=1/86400' },
    backend: mountApp(app, async () => {}),
  })
  const takenBy = async (openid: string, path: string): Promise<number> => {
    const session = await logIn(service, { openid })
    let taken = 0
    while (taken < 100 && (await session.send({ method: 'POST', path, body: {} })).status === 201) taken += 1
    return taken
  }
  expect(await takenBy('openid-of-one-with-fields', '/fields')).toBeLessThan(70)
  expect(await takenBy('openid-of-one-with-marks', '/big')).toBe(2)
})

it('requests with empty responses are charged too', async () => {
  const day = { count: 1, seconds: 86_400 }
  const quota = createStorageQuota({ stored_mib_device: day, stored_mib_user: day })
  const storer = { user: 'u_greedy', device: 'device' }
  let taken = 0
  while (taken < 2_000 && (await isWithin(quota, storer))) {
    await quota.charge(storer, 0)
    taken += 1
  }
  expect(taken).toBe(mebibyte / storedPerRequest)
  expect(await isWithin(quota, { user: 'u_other', device: 'another' })).toBe(true)
})

async function isWithin(quota: StorageQuota, storer: StorageOwner): Promise<boolean> {
  return await quota.assertWithin(storer).then(
    () => true,
    () => false,
  )
}
