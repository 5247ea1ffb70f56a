/** Events as users see them: listed, numbered, expiring, and emitted by the service itself. */
import { readFileSync } from 'node:fs'
import Database from 'better-sqlite3'
import { Hono } from 'hono'
import { expect, it } from 'vitest'
import { ProtocolError } from '../../../crypto/errors.ts'
import { type InnerApp, type InnerVariables, mountApp } from '../../../service/gateway/backend.ts'
import { createService } from '../../../service/index.ts'
import { ownService, sharedService } from '../../support/hooks.ts'
import { logIn, newDevice, prepareLogin, type RawSession, send } from '../../support/raw-client.ts'
import { openSocket } from '../../support/raw-socket.ts'
import { withStore } from '../../support/read-log.ts'
import { metricOf, type OwnService } from '../../support/service.ts'
import { eventually, until } from '../../support/until.ts'

const service = sharedService()

const upTo = (last: number): number[] => Array.from({ length: last }, (_, i) => i + 1)

async function pushMany(to: RawSession, count: number, on = service): Promise<void> {
  for (const n of upTo(count)) await on.push(to.user, { type: 'count', data: { n } })
}

async function list(session: RawSession, query = '') {
  const reply = await session.send({ path: `/events${query}` })
  expect(reply).toMatchObject({ kind: 'sealed', status: 200 })
  return reply.json
}

it("GET /events lists the user's events with sequence number, type, data and time", async () => {
  const session = await logIn(service)
  expect(await list(session)).toEqual({ events: [], from: 1, first: 1, last: 0 })
  const before = service.now()
  await service.push(session.user, { type: 'order.shipped', data: { order: '7', 备注: '慢走' } })
  await pushMany(session, 1)
  const page = await list(session)
  expect(page).toEqual({
    events: [
      { sequence: 1, type: 'order.shipped', data: { order: '7', 备注: '慢走' }, time: page.events[0].time },
      { sequence: 2, type: 'count', data: { n: 1 }, time: page.events[1].time },
    ],
    from: 1,
    first: 1,
    last: 2,
  })
  expect(page.events[0].time).toBeGreaterThanOrEqual(before)
})

it('GET /events?after= lists later events in pages', async () => {
  const session = await logIn(service)
  await pushMany(session, 130)
  const numbers: number[] = []
  for (let after = 0; ; after = numbers.at(-1) ?? 0) {
    const { events, from, last } = await list(session, `?after=${after}&limit=50`)
    expect(from).toBe(after + 1)
    numbers.push(...events.map(({ sequence }: { sequence: number }) => sequence))
    if (numbers.at(-1) === last) break
  }
  expect(numbers).toEqual(upTo(130))
  expect((await list(session)).events).toHaveLength(100)
  expect(await list(session, '?after=130')).toEqual({ events: [], from: 131, first: 1, last: 130 })
})

it('a page of events fits into one frame', async () => {
  const session = await logIn(service)
  const text = 'x'.repeat(16_000)
  for (const n of upTo(100)) await service.push(session.user, { type: 'large', data: { n, text } })
  const { events, last } = await list(session)
  expect(events.length).toBeGreaterThan(20)
  expect(events.length).toBeLessThan(40)
  const next = await list(session, `?after=${events.length}`)
  expect([next.from, last]).toEqual([events.length + 1, 100])
})

it.each([
  '?after=-1',
  '?after=01',
  '?after=1.0',
  '?after=1e3',
  '?after=9007199254740992',
  '?after=',
  '?after',
  '?after=1&after=2',
  '?limit=0',
  '?limit=101',
  '?limit=5&',
  '?before=5',
  '?after=1&other=2',
  '?After=1',
  '?after=%31',
])('GET /events refuses the query %s as payload_invalid', async (query) => {
  const session = await logIn(service)
  const reply = await session.send({ path: `/events${query}` })
  expect(reply).toMatchObject({ kind: 'sealed', status: 400, json: { code: 'payload_invalid' } })
})

it('a user sees no event of another user', async () => {
  const session = await logIn(service)
  const other = await logIn(service)
  await pushMany(session, 3)
  expect(await list(other)).toEqual({ events: [], from: 1, first: 1, last: 0 })
  const socket = await openSocket(service)
  await socket.subscribe(other, 0)
  await pushMany(session, 1)
  await pushMany(other, 1)
  await until(() => socket.events.length > 0)
  expect(socket.events.map(({ sequence }) => sequence)).toEqual([1])
})

it('events expire after MINISEAL_EVENT_DAYS and the list reports its new start', async () => {
  const own = await ownService({ environment: { MINISEAL_EVENT_DAYS: '2' } })
  const session = await logIn(own, { openid: 'ann' })
  await pushMany(session, 3, own)
  own.advanceClock(86_400)
  await pushMany(session, 2, own)
  own.advanceClock(86_400 + 60)
  await prune(own)
  const again = await logIn(own, { openid: 'ann', device: session.device })
  expect(await list(again, '?after=1')).toMatchObject({ from: 4, first: 4, last: 5 })
  const socket = await openSocket(own)
  expect((await socket.subscribe(again, 1)).json).toEqual({ from: 4, first: 4, last: 5 })
  await until(() => socket.events.length === 2)
  own.advanceClock(2 * 86_400)
  await prune(own)
  const last = await logIn(own, { openid: 'ann', device: session.device })
  expect(await list(last)).toEqual({ events: [], from: 6, first: 6, last: 5 })
})

/** What the maintenance job does every 15 seconds. */
async function prune(own: OwnService): Promise<void> {
  await withStore(own.environment, (store) => store.prune(own.now(), 1_000))
}

it('a client ahead of the service gets the position to continue from', async () => {
  const session = await logIn(service)
  await pushMany(session, 2)
  expect(await list(session, '?after=50')).toEqual({ events: [], from: 3, first: 1, last: 2 })
  const socket = await openSocket(service)
  expect((await socket.subscribe(session, 50)).json).toEqual({ from: 3, first: 1, last: 2 })
  await pushMany(session, 1)
  await until(() => socket.events.length === 1)
  expect(socket.events[0]?.sequence).toBe(3)
})

it('events are encrypted in the database', async () => {
  const own = await ownService()
  const session = await logIn(own)
  await own.push(session.user, { type: 'private', data: { text: 'nobody else reads this' } })
  const path = own.environment.MINISEAL_DATABASE?.slice('sqlite:'.length) ?? ''
  const files = [path, `${path}-wal`].map((name) => readFileSync(name).toString('latin1')).join('')
  expect(files).not.toContain('nobody else')
  // Moved to another user, or to another event, it does not open.
  const database = new Database(path)
  await own.push(session.user, { type: 'public', data: {} })
  database.exec(
    'update events set payload_wrapped = (select payload_wrapped from events where sequence = 2) where sequence = 1',
  )
  database.close()
  expect(await session.send({ path: '/events' })).toMatchObject({ status: 500, json: { code: 'internal' } })
})

it('a push with an id is stored once and another event with the same id is refused', async () => {
  const session = await logIn(service)
  const event = { type: 'paid', data: { order: 7 } }
  expect(await service.push(session.user, event, { id: 'order 7' })).toEqual({ sequence: 1, isNew: true })
  const again = await Promise.all(upTo(5).map(() => service.push(session.user, event, { id: 'order 7' })))
  expect(again).toEqual(upTo(5).map(() => ({ sequence: 1, isNew: false })))
  const other = service.push(session.user, { ...event, data: { order: 8 } }, { id: 'order 7' })
  await expect(other).rejects.toMatchObject({ code: 'idempotency_mismatch' })
  const elsewhere = await logIn(service)
  expect(await service.push(elsewhere.user, event, { id: 'order 7' })).toEqual({ sequence: 1, isNew: true })
})

it('invalid events and unknown users are refused', async () => {
  const session = await logIn(service)
  const loop: Record<string, unknown> = {}
  loop.loop = loop
  for (const event of [
    { type: 'UPPER', data: {} },
    { type: '', data: {} },
    { type: 'a'.repeat(65), data: {} },
    { type: 'fine', data: [] as never },
    { type: 'fine', data: { text: 'x'.repeat(16_400) } },
    { type: 'fine', data: loop },
    { type: 'fine', data: { big: 1n } },
  ]) {
    await expect(service.push(session.user, event)).rejects.toMatchObject({ code: 'payload_invalid' })
  }
  for (const nobody of ['u_nobody', '', 'u\u0000', 'x'.repeat(200)]) {
    const pushed = service.push(nobody, { type: 'fine', data: {} })
    await expect(pushed).rejects.toMatchObject({ code: 'not_found' })
  }
  expect((await list(session)).last).toBe(0)
})

it('new-device is stored with the first session of a device and not with later ones', async () => {
  const first = await logIn(service, { openid: 'bea' })
  expect((await list(first)).last).toBe(0)
  const socket = await openSocket(service)
  await socket.subscribe(first, 0)
  const device = newDevice()
  await logIn(service, { openid: 'bea', device })
  await until(() => socket.events.length === 1)
  const { events } = await list(first)
  const data = { device: device.signer.keyid, platform: 'test', name: null }
  expect(events).toEqual([{ sequence: 1, type: 'new-device', data, time: events[0].time }])
  await logIn(service, { openid: 'bea', device })
  expect((await list(first)).last).toBe(1)
})

it('new-device is not emitted for a refused device or a user without another device', async () => {
  const own = await ownService({ environment: { MINISEAL_MAX_DEVICES: '1' } })
  const only = await logIn(own, { openid: 'cid' })
  const refused = await send(own, await prepareLogin(own, { openid: 'cid' }))
  expect(refused.json.code).toBe('device_key_refused')
  expect((await list(only)).last).toBe(0)
  await only.send({ method: 'DELETE', path: `/devices/${only.device.signer.keyid}` })
  const next = await logIn(own, { openid: 'cid' })
  const { events } = await list(next)
  expect(events.map(({ type }: { type: string }) => type)).toEqual(['device-revoked'])
})

it('device-revoked reaches the remaining devices', async () => {
  const sessions = []
  for (const _ of upTo(4)) sessions.push(await logIn(service, { openid: 'dan' }))
  const [one, two, three, four] = sessions.map(({ device }) => device.signer.keyid)
  await sessions[0]?.send({ method: 'DELETE', path: `/devices/${two}` })
  await sessions[0]?.send({ method: 'DELETE', path: '/devices' })
  const session = sessions[0]
  if (session === undefined) throw new Error('no session')
  const { events } = await list(session, '?after=3')
  const notices = events.map(
    ({ type, data }: { type: string; data: { device: string } }) => `${type} ${data.device}`,
  )
  expect(notices[0]).toBe(`device-revoked ${two}`)
  expect(notices.slice(1).sort()).toEqual([`device-revoked ${three}`, `device-revoked ${four}`].sort())
  expect(one).toBe(session.device.signer.keyid)
  const unknown = await session.send({ method: 'DELETE', path: `/devices/${two}` })
  expect(unknown).toMatchObject({ status: 404, json: { code: 'not_found' } })
  expect((await list(session)).last).toBe(6)
})

it('metrics count sockets, stored events and delivered events', async () => {
  const own = await ownService()
  const session = await logIn(own)
  const sample = (name: string, labels = {}) => metricOf(own, name, labels)
  const socket = await openSocket(own)
  await socket.subscribe(session, 0)
  await pushMany(session, 3, own)
  await own.push(session.user, { type: 'once', data: {} }, { id: 'a' })
  await own.push(session.user, { type: 'once', data: {} }, { id: 'a' })
  await until(() => socket.events.length === 4)
  expect(await sample('miniseal_sockets_open')).toBe(1)
  expect(await sample('miniseal_events_pushed_total')).toBe(4)
  expect(await sample('miniseal_events_delivered_total')).toBe(4)
  socket.ws.close(4999)
  await eventually(socket.closed)
  await until(() => socket.ws.readyState === socket.ws.CLOSED)
  await new Promise((resolve) => setTimeout(resolve, 100))
  expect(await sample('miniseal_sockets_open')).toBe(0)
  expect(await sample('miniseal_sockets_closed_total', { code: 'other' })).toBe(1)
})

it('a push that fails in a handler after its effect leaves the outcome unknown', async () => {
  let paid = 0
  const app: InnerApp = new Hono<{ Variables: InnerVariables }>()
  app.post('/pay/:payee', async (c) => {
    paid += 1
    await own.push(c.req.param('payee'), { type: 'paid', data: {} })
    return c.json({})
  })
  const own = await ownService({ backend: mountApp(app) })
  const session = await logIn(own)
  const pay = { method: 'POST', path: '/pay/u_nobody', body: {}, key: 'pay' }
  expect(await session.send(pay)).toMatchObject({
    status: 500,
    json: { code: 'internal', outcome: 'unknown' },
  })
  const again = await session.send(pay)
  expect(again.json).toMatchObject({ code: 'idempotency_in_progress', outcome: 'unknown' })
  expect(paid).toBe(1)
})

it('a protocol error that a library throws in a handler is no statement about its effect', async () => {
  const app: InnerApp = new Hono<{ Variables: InnerVariables }>()
  app.post('/pay', () => {
    throw new ProtocolError('not_found', 'from a library')
  })
  const own = await ownService({ backend: mountApp(app) })
  const answer = await (await logIn(own)).send({ method: 'POST', path: '/pay', body: {}, key: 'pay' })
  expect(answer).toMatchObject({ status: 500, json: { code: 'internal', outcome: 'unknown' } })
})

it('an embedding program can push events', async () => {
  const { environment } = service
  const own = await createService({
    environment: { ...environment, MINISEAL_DATABASE: 'sqlite::memory:', MINISEAL_LOG_LEVEL: 'silent' },
    app: new Hono(),
  })
  try {
    await expect(own.push('u_nobody', { type: 'hello', data: {} })).rejects.toMatchObject({
      code: 'not_found',
    })
  } finally {
    await own.stop()
  }
})
