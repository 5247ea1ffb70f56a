/** How sockets end: with their session, with the service, without a sign of life, or because there are too many. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import type { Backend } from '../../../service/gateway/backend.ts'
import type { RawSession } from '../../support/raw-client.ts'
import { logIn } from '../../support/raw-client.ts'
import { openSocket, type RawSocket } from '../../support/raw-socket.ts'
import type { OwnService, TestServiceOptions } from '../../support/service.ts'
import { startTestService } from '../../support/service.ts'
import { runMiniseal } from '../../support/service-process.ts'
import { slowLine } from '../../support/slow-line.ts'
import { eventually, until } from '../../support/until.ts'

let answered = 0

const backend: Backend = {
  answer: async ({ path, content }) => {
    answered += 1
    if (path === '/slow') await sleep(700)
    return { status: 201, fields: [], content: path === '/large' ? new Uint8Array(900_000) : content }
  },
  close: async () => {},
}

let service: OwnService
const others: OwnService[] = []

beforeAll(async () => {
  service = await startTestService({ backend })
})

afterEach(async () => {
  for (const other of others.splice(0)) await other.close()
})

afterAll(() => service.close())

async function startOther(options: TestServiceOptions): Promise<OwnService> {
  const other = await startTestService({ backend, ...options })
  others.push(other)
  return other
}

async function bound(session: RawSession, on: OwnService = service): Promise<RawSocket> {
  const socket = await openSocket(on)
  expect((await socket.subscribe(session, 0)).status).toBe(200)
  return socket
}

/** A value of the service's metrics. */
async function sample(of: OwnService, name: string): Promise<number> {
  const text = await (await fetch(`${of.origin}/metrics`)).text()
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1])
}

const over = { code: 4401, reason: 'session over' }

it('answers the logout that came over it, and then ends: 4401', async () => {
  const session = await logIn(service)
  const socket = await bound(session)
  const heard = await socket.request(session, { method: 'DELETE', path: '/sessions/current' })
  expect(heard.status).toBe(204)
  expect(await eventually(socket.closed)).toEqual(over)
})

it('ends with 4401 when another session of the user ends its session, soon', async () => {
  const session = await logIn(service, { openid: 'ann' })
  const other = await logIn(service, { openid: 'ann' })
  const socket = await bound(session)
  const untouched = await bound(other)
  const id = Buffer.from(session.id).toString('base64url')
  expect((await other.send({ method: 'DELETE', path: `/sessions/${id}` })).status).toBe(204)
  expect(await eventually(socket.closed)).toEqual(over)
  expect((await untouched.request(other)).status).toBe(201)
})

it('ends with 4401 when its device is revoked', async () => {
  const session = await logIn(service, { openid: 'ben' })
  const other = await logIn(service, { openid: 'ben' })
  const socket = await bound(session)
  const path = `/devices/${session.device.signer.keyid}`
  expect((await other.send({ method: 'DELETE', path })).status).toBe(204)
  expect(await eventually(socket.closed)).toEqual(over)
})

it('ends with 4401 when an operator ends the sessions of its user, from another process', async () => {
  const session = await logIn(service)
  const socket = await bound(session)
  const command = runMiniseal(['sessions', 'revoke', session.user, '--all'], service.environment)
  expect(await eventually(socket.closed)).toEqual(over)
  expect((await command.finished).out).toBe('ended 1 sessions\n')
}, 90_000)

it('answers what is at work when its session ends, and takes nothing new', async () => {
  const session = await logIn(service, { openid: 'cid' })
  const other = await logIn(service, { openid: 'cid' })
  const socket = await bound(session)
  const slow = socket.request(session, { path: '/slow' })
  await sleep(200)
  await other.send({ method: 'DELETE', path: '/sessions' })
  await sleep(200)
  const late = socket.request(session).catch((error: Error) => error.message)
  expect((await eventually(slow)).status).toBe(201)
  expect(await eventually(socket.closed)).toEqual(over)
  expect(await late).toBe('closed with 4401')
})

it('sends the answers that are there, however slowly they are read, and only then ends: 4401', async () => {
  const session = await logIn(service, { openid: 'cyn' })
  const other = await logIn(service, { openid: 'cyn' })
  const line = await slowLine(service.origin, 5_000)
  try {
    const socket = await openSocket(line)
    await socket.request(session)
    const before = answered
    const answers = Array.from({ length: 16 }, () => socket.request(session, { path: '/large' }))
    await until(() => answered === before + 16)
    await sleep(300)
    await other.send({ method: 'DELETE', path: '/sessions' })
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual(answers.map(() => 201))
    expect(await eventually(socket.closed)).toEqual(over)
  } finally {
    line.close()
  }
}, 60_000)

it('sends nothing that was pushed after its session ended', async () => {
  for (let round = 0; round < 10; round++) {
    const session = await logIn(service, { openid: `dan-${round}` })
    const other = await logIn(service, { openid: `dan-${round}` })
    const socket = await bound(session)
    // The news of the other device comes first.
    await until(() => socket.events.length === 1)
    await other.send({ method: 'DELETE', path: '/sessions' })
    await service.push(session.user, { type: 'secret', data: {} })
    await eventually(socket.closed)
    expect(socket.events).toHaveLength(1)
  }
})

it('ends with 4401 when its session expires', async () => {
  const own = await startOther({})
  const session = await logIn(own)
  const socket = await bound(session, own)
  own.advanceClock(7_190)
  await sleep(1_500)
  expect(socket.ws.readyState).toBe(socket.ws.OPEN)
  own.advanceClock(20)
  expect(await eventually(socket.closed)).toEqual(over)
})

it('goes on when the access token expires: events come, requests are refused until there is a new one', async () => {
  const own = await startOther({})
  const session = await logIn(own)
  const socket = await bound(session, own)
  own.advanceClock(700)
  await own.push(session.user, { type: 'late', data: {} })
  await until(() => socket.events.length === 1)
  expect(await socket.request(session)).toMatchObject({ status: 401, json: { code: 'token_expired' } })
  const renewed = await socket.request(session, { method: 'POST', path: '/sessions/current/token' })
  expect(renewed.status).toBe(201)
  session.token = renewed.json.access_token
  expect((await socket.request(session)).status).toBe(201)
})

it('ends with 1001 when the service stops, once what is at work is answered; new ones are refused', async () => {
  const own = await startTestService({ backend })
  const session = await logIn(own)
  const [idle, busy, unbound] = [await bound(session, own), await bound(session, own), await openSocket(own)]
  const slow = busy.request(session, { path: '/slow' })
  await sleep(200)
  const stopped = own.close()
  for (const socket of [idle, unbound, busy]) {
    expect(await eventually(socket.closed)).toEqual({ code: 1001, reason: 'service stops' })
  }
  expect((await slow).status).toBe(201)
  await eventually(stopped)
  await expect(openSocket(own)).rejects.toThrow()
})

it('cuts a socket that gives no sign of life, and keeps one that answers pings', async () => {
  const own = await startOther({
    socketTimes: { ping: 200, silence: 1_000, checkInterval: 50 },
  })
  const session = await logIn(own)
  const alive = await bound(session, own)
  const dead = await openSocket(own, { client: { autoPong: false } })
  await dead.subscribe(session, 0)
  expect((await eventually(dead.closed)).code).toBe(1006)
  await sleep(1_500)
  expect((await alive.request(session)).status).toBe(201)
})

it('cuts a reader that stands still, holds little for it, and has everything for it when it is back', async () => {
  const own = await startOther({
    socketTimes: { ping: 500, silence: 5_000, checkInterval: 100 },
  })
  const session = await logIn(own)
  const text = 'x'.repeat(16_000)
  for (let n = 1; n <= 1_500; n++) await own.push(session.user, { type: 'large', data: { n, text } })
  const socket = await openSocket(own)
  await socket.request(session)
  const connection = Reflect.get(socket.ws, '_socket')
  socket.subscribe(session, 0).catch(() => undefined)
  connection.pause()
  await sleep(3_000)
  // Of 24 MB most is in the database still, and neither in memory nor in the system's buffers.
  const sent = await sample(own, 'miniseal_events_delivered_total')
  expect(sent).toBeGreaterThan(0)
  expect(sent).toBeLessThan(100)
  await sleep(4_000)
  expect(await sample(own, 'miniseal_sockets_open')).toBe(0)
  connection.resume()
  expect((await eventually(socket.closed)).code).toBe(1006)
  const seen = socket.events.length
  expect(seen).toBeLessThanOrEqual(sent)
  const again = await openSocket(own)
  expect((await again.subscribe(session, seen)).json.from).toBe(seen + 1)
  await until(() => again.events.length === 1_500 - seen, 30_000)
  const numbers = [...socket.events, ...again.events].map(({ sequence }) => sequence)
  expect(numbers).toEqual(Array.from({ length: 1_500 }, (_, i) => i + 1))
}, 90_000)

it('keeps a reader that is slow and goes on reading, however long a ping takes to get to it', async () => {
  const own = await startOther({
    socketTimes: { ping: 500, silence: 2_500, checkInterval: 100 },
  })
  const session = await logIn(own)
  const text = 'x'.repeat(16_000)
  for (let n = 1; n <= 600; n++) await own.push(session.user, { type: 'large', data: { n, text } })
  const line = await slowLine(own.origin, 500)
  try {
    const socket = await openSocket(line)
    await socket.subscribe(session, 0)
    await until(() => socket.events.length === 600, 60_000)
  } finally {
    line.close()
  }
}, 90_000)

it('takes up no request of a client that does not read its answers', async () => {
  const own = await startOther({})
  const session = await logIn(own)
  const socket = await bound(session, own)
  const connection = Reflect.get(socket.ws, '_socket')
  connection.pause()
  const before = answered
  const answers = Array.from({ length: 100 }, () => socket.request(session, { path: '/large' }))
  await sleep(3_000)
  // Of 90 MB of answers no more than those at work when the first ones were not read, and what the system holds.
  expect(answered - before).toBeLessThan(40)
  connection.resume()
  expect((await Promise.all(answers)).map(({ status }) => status)).toEqual(answers.map(() => 201))
}, 60_000)

it('ends the oldest socket of a session, and of a user, when there are too many: 4400', async () => {
  const own = await startOther({ environment: { MINISEAL_LIMITS: 'sockets_session=2,sockets_user=3' } })
  const session = await logIn(own, { openid: 'eve' })
  const other = await logIn(own, { openid: 'eve' })
  const sockets = [await bound(session, own), await bound(session, own), await bound(session, own)]
  const tooMany = { code: 4400, reason: 'too many sockets' }
  expect(await eventually(sockets[0]?.closed ?? Promise.reject())).toEqual(tooMany)
  await bound(other, own)
  await bound(other, own)
  expect(await eventually(sockets[1]?.closed ?? Promise.reject())).toEqual(tooMany)
  expect((await sockets[2]?.request(session))?.status).toBe(201)
})

it('refuses sockets over the limit of an address with 429, over that of all with 503, until others are gone', async () => {
  const own = await startOther({ environment: { MINISEAL_LIMITS: 'sockets_ip=3,sockets=5' } })
  const from = (localAddress: string) => openSocket(own, { client: { localAddress } })
  const sockets = [await from('127.0.0.1'), await from('127.0.0.1'), await from('127.0.0.1')]
  await expect(from('127.0.0.1')).rejects.toThrow('refused with 429')
  sockets.push(await from('127.0.0.2'), await from('127.0.0.2'))
  await expect(from('127.0.0.3')).rejects.toThrow('refused with 503')
  sockets[0]?.ws.close()
  await sockets[0]?.closed
  await sleep(100)
  await from('127.0.0.1')
})

it('stays bounded when sockets come in a flood: what is over the limit is refused, and the rest works', async () => {
  const own = await startOther({ environment: { MINISEAL_LIMITS: 'sockets_ip=50' } })
  const session = await logIn(own)
  const results = await Promise.allSettled(
    Array.from({ length: 300 }, () => openSocket(own, { client: { localAddress: '127.0.0.9' } })),
  )
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(50)
  const socket = await bound(session, own)
  await own.push(session.user, { type: 'through', data: {} })
  await until(() => socket.events.length === 1)
  expect(await sample(own, 'miniseal_sockets_open')).toBe(51)
})
