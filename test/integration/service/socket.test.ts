/** The channel over a WebSocket: the same frames and checks as over HTTP, bound to one session. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import type { Backend } from '../../../service/gateway/backend.ts'
import { ownService, sharedService } from '../../support/hooks.ts'
import { logIn, prepareLogin, RawSession, random, send } from '../../support/raw-client.ts'
import { eventJson, openSocket } from '../../support/raw-socket.ts'
import { slowLine } from '../../support/slow-line.ts'
import { eventually, until } from '../../support/until.ts'

const work = { now: 0, most: 0, done: 0, pause: 0 }

const backend: Backend = {
  answer: async ({ path, content }) => {
    work.now += 1
    work.most = Math.max(work.most, work.now)
    await sleep(work.pause)
    work.now -= 1
    work.done += 1
    const answer = path === '/large' ? new Uint8Array(900_000) : content
    return { status: 201, fields: [['x-path', path]], content: answer }
  },
  close: async () => {},
}

const service = sharedService({ backend })

const upTo = (last: number): number[] => Array.from({ length: last }, (_, i) => i + 1)

/** What the service says to bytes on a new connection, until it ends. */
async function output(bytes: string): Promise<string> {
  const socket = connect(Number(new URL(service.origin).port), '127.0.0.1')
  await once(socket, 'connect')
  socket.write(bytes)
  let text = ''
  for await (const chunk of socket) text += String(chunk)
  return text
}

it('a socket answers concurrent requests and pairs each response with its request', async () => {
  const session = await logIn(service)
  const socket = await openSocket(service)
  const answers = await Promise.all(upTo(40).map((i) => socket.request(session, { path: `/n/${i}` })))
  expect(answers.map(({ status }) => status)).toEqual(upTo(40).map(() => 201))
  expect(answers.map(({ fields }) => fields.find(([name]) => name === 'x-path')?.[1])).toEqual(
    upTo(40).map((i) => `/n/${i}`),
  )
})

it('a socket negotiates miniseal.v1 and no compression', async () => {
  const client = { perMessageDeflate: true }
  const socket = await openSocket(service, { protocols: ['chat', 'miniseal.v1'], client })
  expect([socket.ws.protocol, socket.ws.extensions]).toEqual(['miniseal.v1', ''])
})

it('an upgrade without the subprotocol gets 400 and GET /seal without an upgrade gets 426', async () => {
  await expect(openSocket(service, { protocols: [] })).rejects.toThrow('refused with 400')
  await expect(openSocket(service, { protocols: ['miniseal.v2'] })).rejects.toThrow('refused with 400')
  const plain = await fetch(`${service.origin}/seal`)
  expect([plain.status, plain.headers.get('upgrade')]).toEqual([426, 'websocket'])
})

it('upgrades to other protocols and at other paths are refused and the connection is closed', async () => {
  const upgrade = (path: string, to: string) =>
    `GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: ${to}\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\nsec-websocket-protocol: miniseal.v1\r\n\r\n`
  expect(await eventually(output(upgrade('/seal', 'h2c')))).toMatch(/^HTTP\/1\.1 400 /)
  expect(await eventually(output(upgrade('/healthz', 'websocket')))).not.toMatch(/^HTTP\/1\.1 101 /)
})

it('a login over a socket binds it to the new session and its events are delivered', async () => {
  const socket = await openSocket(service)
  const login = await prepareLogin(service)
  const reply = await socket.send(login)
  expect(reply.status).toBe(201)
  const session = login.session(reply)
  expect((await socket.subscribe(session, 0)).json).toEqual({ from: 1, first: 1, last: 0 })
  await service.push(session.user, { type: 'greeting', data: { text: '你好' } })
  await until(() => socket.events.length > 0)
  const [event] = socket.events
  expect(event?.sequence).toBe(1)
  const json = event && eventJson(event)
  expect(json).toEqual({ type: 'greeting', data: { text: '你好' }, time: json.time })
  expect(Math.abs(json.time - service.now())).toBeLessThan(5)
})

it('a bound socket without a subscription receives no events', async () => {
  const session = await logIn(service)
  const socket = await openSocket(service)
  await socket.request(session)
  await service.push(session.user, { type: 'greeting', data: {} })
  await sleep(300)
  expect(socket.kinds).toEqual(['response'])
})

it('a subscription delivers stored events, then new ones, without a gap and after its response', async () => {
  const session = await logIn(service)
  for (const n of upTo(150)) await service.push(session.user, { type: 'count', data: { n } })
  const socket = await openSocket(service)
  const pushed = (async () => {
    for (const n of upTo(50)) await service.push(session.user, { type: 'count', data: { n: 150 + n } })
  })()
  const { json } = await socket.subscribe(session, 20)
  expect(json).toMatchObject({ from: 21, first: 1 })
  await pushed
  await until(() => socket.events.length === 180)
  expect(socket.kinds[0]).toBe('response')
  expect(socket.events.map(({ sequence }) => sequence)).toEqual(upTo(200).slice(20))
  expect(socket.events.map((event) => eventJson(event).data.n)).toEqual(upTo(200).slice(20))
})

it('a second subscription replaces the first: after its response only its events arrive', async () => {
  const session = await logIn(service)
  const text = 'x'.repeat(16_000)
  for (const n of upTo(700)) await service.push(session.user, { type: 'large', data: { n, text } })
  const line = await slowLine(service.origin, 4_000)
  const socket = await openSocket(line)
  await socket.subscribe(session, 0)
  await until(() => socket.events.length > 10)
  const { json } = await socket.subscribe(session, 690)
  expect(json.from).toBe(691)
  const before = socket.kinds.slice(0, socket.kinds.lastIndexOf('response'))
  const first = before.filter((kind) => kind === 'event').length
  // The first one was at work still.
  expect(first).toBeLessThan(690)
  await until(() => socket.events.length - first >= 10)
  await sleep(300)
  expect(socket.events.slice(first).map(({ sequence }) => sequence)).toEqual(upTo(700).slice(690))
  line.close()
})

it('a subscription over HTTP or in another form is payload_invalid', async () => {
  const session = await logIn(service)
  const subscription = { method: 'POST', path: '/events/subscription', key: undefined }
  const overHttp = await session.send({ ...subscription, body: { after: 0 } })
  expect(overHttp).toMatchObject({ kind: 'sealed', status: 400, json: { code: 'payload_invalid' } })
  const socket = await openSocket(service)
  for (const body of [
    {},
    { after: -1 },
    { after: 1.5 },
    { after: '1' },
    { after: 2 ** 53 },
    { after: 1, a: 1 },
    1,
  ]) {
    const reply = await socket.request(session, { ...subscription, body })
    expect(reply).toMatchObject({ kind: 'sealed', status: 400, json: { code: 'payload_invalid' } })
  }
  expect((await socket.request(session, { path: '/events/subscription' })).status).toBe(404)
})

it('an unsealable problem is sent as frame 0x0f that names its request', async () => {
  const session = await logIn(service)
  const socket = await openSocket(service)
  const stranger = new RawSession({ ...session, id: random(16) })
  expect(await socket.send(stranger.prepare())).toMatchObject({
    status: 401,
    json: { code: 'unknown_session' },
  })
  const spoiled = session.prepare()
  spoiled.frame[100] = (spoiled.frame[100] ?? 0) ^ 1
  expect(await socket.send(spoiled)).toMatchObject({ status: 400, json: { code: 'cannot_open' } })
  for (const { request_nonce } of socket.refusals) expect(request_nonce).toMatch(/^[A-Za-z0-9_-]{32}$/)
  // Neither of them bound it, nor ended it.
  expect((await socket.request(session)).status).toBe(201)
})

it.each([
  ['bytes that are no frame', new Uint8Array([1, 2, 3])],
  ['an empty message', new Uint8Array(0)],
  ['another version', new Uint8Array(100).fill(2)],
  ['a frame that only a service sends', new Uint8Array(100).fill(1, 0, 1).fill(4, 1, 2)],
])('%s gets malformed_frame and the socket closes with 4400', async (_name, bytes) => {
  const socket = await openSocket(service)
  socket.ws.send(bytes)
  expect(await eventually(socket.closed)).toEqual({ code: 4400, reason: 'protocol error' })
  expect(socket.refusals).toMatchObject([{ code: 'malformed_frame', status: 400 }])
})

it('a text message closes the socket with 4400', async () => {
  const socket = await openSocket(service)
  socket.ws.send('hello')
  expect(await eventually(socket.closed)).toEqual({ code: 4400, reason: 'protocol error' })
  expect(socket.kinds).toEqual([])
})

it('a frame of another session has no effect and closes a bound socket with 4400', async () => {
  const session = await logIn(service)
  const other = await logIn(service)
  const socket = await openSocket(service)
  await socket.request(session)
  const { done } = work
  socket.request(other, { method: 'POST', path: '/effect', body: {} }).catch(() => undefined)
  expect(await eventually(socket.closed)).toEqual({ code: 4400, reason: 'another session' })
  expect(work.done).toBe(done)
  expect((await other.send()).status).toBe(201)
})

it('another login closes a bound socket with 4400 and does not use up its code', async () => {
  const session = await logIn(service)
  const socket = await openSocket(service)
  await socket.request(session)
  const login = await prepareLogin(service)
  socket.send(login).catch(() => undefined)
  expect(await eventually(socket.closed)).toEqual({ code: 4400, reason: 'another session' })
  expect((await send(service, login)).status).toBe(201)
})

it('a refused request does not bind its socket', async () => {
  const session = await logIn(service)
  const other = await logIn(service)
  const socket = await openSocket(service)
  const refused = await socket.request(session, { token: 'nonsense' })
  expect(refused).toMatchObject({ kind: 'sealed', json: { code: 'token_invalid' } })
  socket.keys = undefined
  expect((await socket.request(other)).status).toBe(201)
  expect((await socket.subscribe(other, 0)).status).toBe(200)
})

it('a frame sent over HTTP and over a socket is refused the second time as replayed', async () => {
  const session = await logIn(service)
  const socket = await openSocket(service)
  const first = session.prepare({ path: '/first' })
  expect((await send(service, first)).status).toBe(201)
  expect(await socket.send(first)).toMatchObject({ status: 409, json: { code: 'replayed' } })
  const second = session.prepare({ path: '/second' })
  expect((await socket.send(second)).status).toBe(201)
  expect(await send(service, second)).toMatchObject({ status: 409, json: { code: 'replayed' } })
})

it('a stored response is replayed over HTTP and sockets alike', async () => {
  const session = await logIn(service)
  const socket = await openSocket(service)
  const parts = { method: 'POST', path: '/once', body: { size: 1 }, key: 'over both' }
  const { done } = work
  expect((await session.send(parts)).status).toBe(201)
  const again = await socket.request(session, parts)
  expect([again.status, again.json]).toEqual([201, undefined])
  expect(again.fields).toContainEqual(['idempotency-replayed', 'true'])
  expect(work.done).toBe(done + 1)
})

it('16 messages of a socket are processed at a time and further ones wait', async () => {
  const session = await logIn(service)
  const socket = await openSocket(service)
  await socket.request(session)
  work.most = 0
  work.pause = 100
  try {
    const answers = await Promise.all(upTo(60).map(() => socket.request(session)))
    expect(answers.map(({ status }) => status)).toEqual(upTo(60).map(() => 201))
    expect(work.most).toBe(16)
  } finally {
    work.pause = 0
  }
})

it('a bound socket may send large messages and an unbound one may not', async () => {
  const session = await logIn(service)
  const socket = await openSocket(service)
  const body = { text: 'x'.repeat(700_000) }
  const stranger = await openSocket(service)
  stranger.request(session, { method: 'POST', path: '/large', body }).catch(() => undefined)
  expect((await eventually(stranger.closed)).code).toBe(1006)
  await socket.request(session)
  const answers = await Promise.all(
    upTo(5).map(() => socket.request(session, { method: 'POST', path: '/large', body })),
  )
  expect(answers.map(({ status }) => status)).toEqual(upTo(5).map(() => 201))
})

it('a message over the frame limit closes its socket with 1009 without being read', async () => {
  const session = await logIn(service)
  const socket = await openSocket(service)
  await socket.request(session)
  socket.ws.send(new Uint8Array(1_048_577))
  expect((await eventually(socket.closed)).code).toBe(1009)
})

it('incoming messages share body_mib, and those of the largest source are evicted', async () => {
  const environment = { MINISEAL_LIMITS: 'body_mib=2' }
  const own = await ownService({ backend, environment, bodyGrace: 300 })
  const session = await logIn(own)
  const sockets = await Promise.all(upTo(2).map(() => openSocket(own)))
  for (const socket of sockets) {
    await socket.request(session)
    // An incomplete message of 1 MiB, framed by hand (RFC 6455): `ws` sends whole frames only.
    const head = Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0])
    const connection = Reflect.get(socket.ws, '_socket')
    connection.write(Buffer.concat([head, Buffer.alloc(500_000)]))
  }
  await sleep(400)
  const other = await logIn(own)
  const third = await openSocket(own)
  await third.request(other)
  const reply = await third.request(other, { method: 'POST', body: { text: 'x'.repeat(300_000) } })
  expect(reply.status).toBe(201)
  expect((await eventually(Promise.race(sockets.map(({ closed }) => closed)))).code).toBe(1006)
})

it('a socket that stays unbound closes with 4400', async () => {
  const times = { bind: 200, checkInterval: 50 }
  const own = await ownService({ backend, socketTimes: times })
  const session = await logIn(own)
  const [silent, refused, bound] = await Promise.all([openSocket(own), openSocket(own), openSocket(own)])
  await refused.request(session, { token: 'nonsense' })
  await bound.request(session)
  for (const socket of [silent, refused]) {
    expect(await eventually(socket.closed)).toEqual({ code: 4400, reason: 'not bound' })
  }
  expect((await bound.request(session)).status).toBe(201)
})

it('frames over sockets count towards the limits of HTTP and are refused with their nonce', async () => {
  const own = await ownService({
    backend,
    environment: { MINISEAL_LIMITS: 'frame_ip=4/60,device=3/60' },
  })
  const session = await logIn(own)
  const socket = await openSocket(own)
  const reply = []
  for (const _ of upTo(4)) reply.push(await socket.request(session))
  expect(reply.map(({ status, json }) => [status, json?.code])).toEqual([
    [201, undefined],
    [201, undefined],
    [201, undefined],
    [429, 'overloaded'],
  ])
  expect(socket.refusals).toHaveLength(1)
  expect(reply[0]?.fields.map(([name]) => name)).toContain('ratelimit')
})
