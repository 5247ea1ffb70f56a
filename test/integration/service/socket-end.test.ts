/** How sockets close: with their session, with the service, on a dead or stalled peer, and over the limits. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { ownService, sharedService } from '../../support/hooks.ts'
import { logIn, type RawSession } from '../../support/raw-client.ts'
import { openSocket, type RawSocket } from '../../support/raw-socket.ts'
import {
  metricOf,
  type OwnService,
  startTestService,
  type TestServiceOptions,
} from '../../support/service.ts'
import { runMiniseal } from '../../support/service-process.ts'
import { slowLine } from '../../support/slow-line.ts'
import { eventually, until } from '../../support/until.ts'

let answered = 0

const backend: NonNullable<TestServiceOptions['backend']> = {
  answer: async ({ path, content }) => {
    answered += 1
    if (path === '/slow') await sleep(400)
    return { status: 201, fields: [], content: path === '/large' ? new Uint8Array(900_000) : content }
  },
}

const service = sharedService({ backend })
const startOther = (options: TestServiceOptions) => ownService({ backend, ...options })

async function bound(session: RawSession, on: OwnService = service): Promise<RawSocket> {
  const socket = await openSocket(on)
  expect((await socket.subscribe(session, 0)).status).toBe(200)
  return socket
}

const over = { code: 4401, reason: 'session over' }

it('a socket answers a logout and then closes with 4401', async () => {
  const session = await logIn(service)
  const socket = await bound(session)
  const reply = await socket.request(session, { method: 'DELETE', path: '/sessions/current' })
  expect(reply.status).toBe(204)
  expect(await eventually(socket.closed)).toEqual(over)
})

it('a socket closes with 4401 when another session of the user ends its session', async () => {
  const session = await logIn(service, { openid: 'ann' })
  const other = await logIn(service, { openid: 'ann' })
  const socket = await bound(session)
  const untouched = await bound(other)
  const id = Buffer.from(session.id).toString('base64url')
  expect((await other.send({ method: 'DELETE', path: `/sessions/${id}` })).status).toBe(204)
  expect(await eventually(socket.closed)).toEqual(over)
  expect((await untouched.request(other)).status).toBe(201)
})

it('a socket closes with 4401 when its device is revoked', async () => {
  const session = await logIn(service, { openid: 'ben' })
  const other = await logIn(service, { openid: 'ben' })
  const socket = await bound(session)
  const path = `/devices/${session.device.signer.keyid}`
  expect((await other.send({ method: 'DELETE', path })).status).toBe(204)
  expect(await eventually(socket.closed)).toEqual(over)
})

it('a socket closes with 4401 when an operator ends the sessions of its user in another process', async () => {
  const session = await logIn(service)
  const socket = await bound(session)
  const command = runMiniseal(['sessions', 'revoke', session.user, '--all'], service.environment)
  expect(await eventually(socket.closed)).toEqual(over)
  expect((await command.finished).out).toBe('ended 1 sessions\n')
}, 90_000)

it('a socket finishes requests in process when its session ends and accepts no new ones', async () => {
  const session = await logIn(service, { openid: 'cid' })
  const other = await logIn(service, { openid: 'cid' })
  const socket = await bound(session)
  const slow = socket.request(session, { path: '/slow' })
  await sleep(100)
  await other.send({ method: 'DELETE', path: '/sessions' })
  await sleep(100)
  const late = socket.request(session).catch((error: Error) => error.message)
  expect((await eventually(slow)).status).toBe(201)
  expect(await eventually(socket.closed)).toEqual(over)
  expect(await late).toBe('closed with 4401')
})

it('a socket sends pending responses to a slow reader before it closes with 4401', async () => {
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

it('a socket delivers no event that was pushed after its session ended', async () => {
  for (let round = 0; round < 10; round++) {
    const session = await logIn(service, { openid: `dan-${round}` })
    const other = await logIn(service, { openid: `dan-${round}` })
    const socket = await bound(session)
    // new-device of the other session.
    await until(() => socket.events.length === 1)
    await other.send({ method: 'DELETE', path: '/sessions' })
    await service.push(session.user, { type: 'secret', data: {} })
    await eventually(socket.closed)
    expect(socket.events).toHaveLength(1)
  }
})

it('a socket closes with 4401 when its session expires', async () => {
  const own = await startOther({ socketTimes: { checkInterval: 20 } })
  const session = await logIn(own)
  const socket = await bound(session, own)
  own.advanceClock(7_190)
  await sleep(100)
  expect(socket.ws.readyState).toBe(socket.ws.OPEN)
  own.advanceClock(20)
  expect(await eventually(socket.closed)).toEqual(over)
})

it('a socket stays open when the access token expires: events arrive, requests need a new token', async () => {
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

it('sockets close with 1001 when the service stops, after requests in process, and new ones are refused', async () => {
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

it('a socket without pongs is terminated and one that answers pings stays open', async () => {
  const own = await startOther({
    socketTimes: { ping: 100, silence: 600, checkInterval: 25 },
  })
  const session = await logIn(own)
  const alive = await bound(session, own)
  const dead = await openSocket(own, { client: { autoPong: false } })
  await dead.subscribe(session, 0)
  expect((await eventually(dead.closed)).code).toBe(1006)
  expect((await alive.request(session)).status).toBe(201)
})

it('a stalled reader is terminated with little buffered and receives every event after it reconnects', async () => {
  const own = await startOther({
    socketTimes: { ping: 250, silence: 2_000, checkInterval: 50 },
  })
  const session = await logIn(own)
  const text = 'x'.repeat(16_000)
  for (let n = 1; n <= 400; n++) await own.push(session.user, { type: 'large', data: { n, text } })
  const socket = await openSocket(own)
  await socket.request(session)
  const connection = Reflect.get(socket.ws, '_socket')
  socket.subscribe(session, 0).catch(() => undefined)
  connection.pause()
  await sleep(1_000)
  // Most of the 6 MB is still in the database, neither in memory nor in buffers of the operating system.
  const sent = await metricOf(own, 'miniseal_events_delivered_total')
  expect(sent).toBeGreaterThan(0)
  expect(sent).toBeLessThan(100)
  await expect.poll(() => metricOf(own, 'miniseal_sockets_open')).toBe(0)
  connection.resume()
  expect((await eventually(socket.closed)).code).toBe(1006)
  const seen = socket.events.length
  expect(seen).toBeLessThanOrEqual(sent)
  const again = await openSocket(own)
  expect((await again.subscribe(session, seen)).json.from).toBe(seen + 1)
  await until(() => again.events.length === 400 - seen, 30_000)
  const numbers = [...socket.events, ...again.events].map(({ sequence }) => sequence)
  expect(numbers).toEqual(Array.from({ length: 400 }, (_, i) => i + 1))
}, 90_000)

it('a slow reader stays connected while it makes progress', async () => {
  const own = await startOther({
    socketTimes: { ping: 250, silence: 1_500, checkInterval: 50 },
  })
  const session = await logIn(own)
  const text = 'x'.repeat(16_000)
  for (let n = 1; n <= 150; n++) await own.push(session.user, { type: 'large', data: { n, text } })
  const line = await slowLine(own.origin, 500)
  try {
    const socket = await openSocket(line)
    await socket.subscribe(session, 0)
    await until(() => socket.events.length === 150, 60_000)
  } finally {
    line.close()
  }
}, 90_000)

it('requests of a client that does not read responses are not processed', async () => {
  const own = await startOther({})
  const session = await logIn(own)
  const socket = await bound(session, own)
  const connection = Reflect.get(socket.ws, '_socket')
  connection.pause()
  const before = answered
  const answers = Array.from({ length: 100 }, () => socket.request(session, { path: '/large' }))
  await sleep(1_500)
  // Of 90 MB of responses, only those in process when reading stopped and what the operating system buffers.
  expect(answered - before).toBeLessThan(40)
  connection.resume()
  expect((await Promise.all(answers)).map(({ status }) => status)).toEqual(answers.map(() => 201))
}, 60_000)

it('the oldest socket of a session or user over its limit closes with 4400', async () => {
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

it('sockets over the limit of an address get 429 and over the total limit 503 until others close', async () => {
  const own = await startOther({ environment: { MINISEAL_LIMITS: 'sockets_ip=3,sockets=5' } })
  const from = (localAddress: string) => openSocket(own, { client: { localAddress } })
  const sockets = [await from('127.0.0.1'), await from('127.0.0.1'), await from('127.0.0.1')]
  await expect(from('127.0.0.1')).rejects.toThrow('refused with 429')
  sockets.push(await from('127.0.0.2'), await from('127.0.0.2'))
  await expect(from('127.0.0.3')).rejects.toThrow('refused with 503')
  sockets[0]?.ws.close()
  await sockets[0]?.closed
  await expect
    .poll(() =>
      from('127.0.0.1').then(
        () => 'open',
        () => 'refused',
      ),
    )
    .toBe('open')
})

it('a flood of sockets is refused beyond the limit and the rest work', async () => {
  const own = await startOther({ environment: { MINISEAL_LIMITS: 'sockets_ip=50' } })
  const session = await logIn(own)
  const results = await Promise.allSettled(
    Array.from({ length: 300 }, () => openSocket(own, { client: { localAddress: '127.0.0.9' } })),
  )
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(50)
  const socket = await bound(session, own)
  await own.push(session.user, { type: 'through', data: {} })
  await until(() => socket.events.length === 1)
  expect(await metricOf(own, 'miniseal_sockets_open')).toBe(51)
})
