/** Bulkheads: a hanging user, route or login does not affect others. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createConcurrencyLimits } from '../../../service/limits/concurrency.ts'
import { logIn, prepareLogin, type RawSession, type ReceivedReply, send } from '../../support/raw-client.ts'
import { openSocket } from '../../support/raw-socket.ts'
import { type OwnService, startTestService } from '../../support/service.ts'
import { until } from '../../support/until.ts'
import { startUpstream, type TestUpstream } from '../../support/upstream.ts'

/** 50 slots: 3 for a device, 6 for a user, 25 for a route, with the shares of production. */
const shares = 'device_share=6,user_share=12,route_share=50,login_share=25,wechat_share=12'
const limits = `in_flight=50,${shares},device=100000/60,user=100000/60`

const hanging = { method: 'POST', path: '/slow/orders', body: { amount: 1 } }
const quick = { method: 'POST', path: '/quick/orders', body: { amount: 1 } }

/** Sends requests concurrently and counts their responses by status. */
function sendMany(
  count: number,
  one: () => Promise<ReceivedReply>,
): { statuses: Record<string, number>; all: Promise<unknown> } {
  const statuses: Record<string, number> = {}
  const all = Promise.all(
    Array.from({ length: count }, () =>
      one().then(
        ({ status, json }) => {
          const name = `${status} ${json?.code ?? ''}`.trim()
          statuses[name] = (statuses[name] ?? 0) + 1
        },
        () => undefined,
      ),
    ),
  )
  return { statuses, all }
}

const held: (() => void)[] = []
const release = (): void => {
  for (const answer of held.splice(0)) answer()
}

/** A mounted handler: paths below /slow hang until they are released. */
const mounted = {
  async answer({ path }: { readonly path: string }) {
    if (path.startsWith('/slow')) await new Promise<void>((resolve) => held.push(resolve))
    return { status: 201, fields: [], content: new Uint8Array(0) }
  },
}

let upstream: TestUpstream
let service: OwnService

async function startGateway(): Promise<OwnService> {
  upstream = await startUpstream(({ url }, response) => {
    const answer = (): void => {
      response.statusCode = 201
      response.end('{}')
    }
    if (url?.startsWith('/slow') === true) held.push(answer)
    else answer()
  })
  // The maximum, so that no request times out before all were sent.
  const routes = ['/slow', '/quick'].map((path) => ({
    path,
    upstream: upstream.origin,
    timeout_ms: 30_000,
  }))
  return await startTestService({ environment: { MINISEAL_LIMITS: limits }, routes })
}

describe.each([
  ['a backend behind the gateway', startGateway],
  [
    'a mounted handler',
    () => startTestService({ backend: mounted, environment: { MINISEAL_LIMITS: limits } }),
  ],
] as const)('while %s hangs', (_, start) => {
  let attacker: RawSession
  let other: RawSession

  beforeAll(async () => {
    service = await start()
    attacker = await logIn(service)
    other = await logIn(service)
  })

  afterEach(release)

  afterAll(async () => {
    upstream?.close()
    await service.close()
  })

  it('40 requests of one account use up its own share only and are refused at once beyond it', async () => {
    const { statuses, all } = sendMany(40, () => attacker.send(hanging))
    await expect.poll(() => statuses).toEqual({ '429 rate_limited': 37 })
    await expect.poll(() => held.length).toBe(3)
    // A refusal at this step does not settle its idempotency key.
    const refused = await attacker.send(hanging)
    expect(refused.json).toMatchObject({ code: 'rate_limited', step: 'limits' })
    expect(refused.json.outcome).toBeUndefined()
    expect((await other.send(quick)).status).toBe(201)
    expect((await (await logIn(service)).send(quick)).status).toBe(201)
    // Outcome queries have their own limit.
    expect((await attacker.send({ path: '/outcomes/YQ' })).status).toBe(200)
    release()
    await all
    expect(statuses).toEqual({ '201': 3, '429 rate_limited': 37 })
    const again = sendMany(1, () => attacker.send(hanging))
    await expect.poll(() => held.length).toBe(1)
    release()
    await again.all
  }, 60_000)

  it('many accounts use up half of the slots for one route, and other routes are served', async () => {
    const accounts = await Promise.all(Array.from({ length: 10 }, () => logIn(service)))
    const sent = accounts.map((account) => sendMany(3, () => account.send(hanging)))
    await expect.poll(() => held.length).toBe(25)
    const refusals = (): number =>
      sent.reduce((sum, { statuses }) => sum + (statuses['429 rate_limited'] ?? 0), 0)
    await expect.poll(refusals).toBe(5)
    expect((await other.send(quick)).status).toBe(201)
    expect((await other.send({ path: '/sessions' })).status).toBe(200)
    release()
    await Promise.all(sent.map(({ all }) => all))
  }, 60_000)

  it('requests over sockets of one account share its limit', async () => {
    const sockets = await Promise.all([openSocket(service), openSocket(service)])
    await Promise.all(sockets.map((socket) => socket.request(attacker, { path: '/sessions' })))
    let turn = 0
    const { statuses, all } = sendMany(12, () => {
      turn += 1
      const socket = sockets[turn % 2]
      if (socket === undefined) throw new Error('no socket')
      return socket.request(attacker, hanging)
    })
    await expect.poll(() => statuses['429 rate_limited']).toBeGreaterThanOrEqual(1)
    expect(held.length).toBeLessThanOrEqual(3)
    expect((await other.send(quick)).status).toBe(201)
    for (const socket of sockets) socket.ws.terminate()
    release()
    await all
  }, 60_000)
})

describe('while WeChat hangs', () => {
  /** 8 logins and 3 waits for WeChat beside 32 requests. */
  const few = 'in_flight=32,login_share=25,wechat_share=12,device_share=50,user_share=50,route_share=100'

  beforeAll(async () => {
    service = await startTestService({ backend: mounted, environment: { MINISEAL_LIMITS: few } })
  })

  afterAll(() => service.close())

  it('users with a session can pay while logins exceed their slots', async () => {
    const session = await logIn(service)
    const prepared = await Promise.all(Array.from({ length: 60 }, () => prepareLogin(service)))
    await service.sandbox('/sandbox/faults', { path: '/sns/jscode2session', delay_ms: 500, times: 60 })
    const logins = prepared.map((login) => send(service, login))
    const paid = await Promise.all(Array.from({ length: 10 }, () => session.send(quick)))
    expect(new Set(paid.map(({ status }) => status))).toEqual(new Set([201]))
    const refused = (await Promise.all(logins)).filter(({ kind }) => kind === 'clear')
    expect(refused.length).toBeGreaterThan(0)
    for (const { status, json } of refused) expect([status, json.code]).toEqual([503, 'overloaded'])
  }, 60_000)

  it('users with a session can pay while phone number requests exceed their slots and are refused at once', async () => {
    const session = await logIn(service)
    const others = await Promise.all(Array.from({ length: 4 }, () => logIn(service)))
    const path = '/wxa/business/getuserphonenumber'
    await service.sandbox('/sandbox/faults', { path, delay_ms: 1_000, times: 60 })
    const asking = others.map((other) =>
      sendMany(10, () => other.send({ method: 'POST', path: '/phone-number', body: { code: 'x' } })),
    )
    const isAnswered = (): boolean =>
      asking.reduce((sum, { statuses }) => sum + Object.values(statuses).reduce((a, b) => a + b, 0), 0) >= 37
    await until(isAnswered)
    const paid = await Promise.all(Array.from({ length: 10 }, () => session.send(quick)))
    expect(new Set(paid.map(({ status }) => status))).toEqual(new Set([201]))
    await Promise.all(asking.map(({ all }) => all))
    const refused = asking.reduce((sum, { statuses }) => sum + (statuses['503 wechat_unavailable'] ?? 0), 0)
    expect(refused).toBeGreaterThan(0)
  }, 60_000)
})

const settings = {
  in_flight: 100,
  body_mib: 10,
  login_share: 3,
  device_share: 5,
  user_share: 8,
  route_share: 50,
}
const work = { device: 'd', user: 'u', route: '/r', bytes: 0 }

it('shares are checked for the device, the user and the route in this order and are released once', () => {
  const { acquireShare } = createConcurrencyLimits(settings)
  const leave = Array.from({ length: 5 }, () => acquireShare(work))
  expect(() => acquireShare(work)).toThrow('too many concurrent requests of this device')
  for (let i = 0; i < 3; i++) acquireShare({ ...work, device: 'e' })
  expect(() => acquireShare({ ...work, device: 'e' })).toThrow('too many concurrent requests of this user')
  for (let i = 0; i < 42; i++) acquireShare({ ...work, device: `${i}`, user: `${i}` })
  expect(() => acquireShare({ ...work, device: 'x', user: 'x' })).toThrow(
    'too many concurrent requests of this route',
  )
  leave[0]?.()
  leave[0]?.()
  acquireShare({ ...work, device: 'x', user: 'x' })
  expect(() => acquireShare({ ...work, device: 'y', user: 'y' })).toThrow(
    'too many concurrent requests of this route',
  )
})

it('shares limit bytes too, and admit one request of any size', () => {
  const { acquireShare } = createConcurrencyLimits(settings)
  const leave = acquireShare({ ...work, bytes: 5_000_000 })
  expect(() => acquireShare({ ...work, bytes: 1 })).toThrow('too many concurrent requests of this device')
  leave()
  acquireShare({ ...work, bytes: 1 })
})

it('logins have their own slots', () => {
  const { acquire } = createConcurrencyLimits({ ...settings, in_flight: 100 })
  const logins = Array.from({ length: 3 }, () => acquire('login'))
  expect(() => acquire('login')).toThrow('too many concurrent logins')
  for (let i = 0; i < 100; i++) acquire('request')
  expect(() => acquire('request')).toThrow('too many concurrent requests')
  logins[0]?.()
  acquire('login')
})
