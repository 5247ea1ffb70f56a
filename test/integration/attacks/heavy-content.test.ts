/** Small requests that are expensive to parse, before and after login. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import {
  carrying,
  gzippedDepth,
  gzippedSpaces,
  heavyHeaders,
  heavyLogins,
} from '../../support/heavy-requests.ts'
import { logIn, prepareLogin, type RawSession, random, send, transferOf } from '../../support/raw-client.ts'
import { type MeasuredProcess, startMeasuredProcess } from '../../support/service-process.ts'

let child: MeasuredProcess
let session: RawSession

beforeAll(async () => {
  // Logins without end, and a proxy in front, so that X-Forwarded-For is read too.
  child = await startMeasuredProcess({ MINISEAL_TRUSTED_PROXIES: '1' })
  session = await logIn(child.service)
  for (let i = 0; i < 30; i++) expect((await session.send()).status).toBe(200)
}, 60_000)

afterAll(() => child.close())

const payment = transferOf(1)

/** CPU seconds of the service while `attack` runs; it answers others meanwhile and afterwards. */
async function costOf(attack: () => Promise<unknown>): Promise<number> {
  const before = await child.cpuSeconds()
  const [, health] = await Promise.all([attack(), fetch(`${child.service.origin}/healthz`)])
  expect(health.status).toBe(200)
  expect((await session.send(payment)).status).toBe(201)
  return (await child.cpuSeconds()) - before
}

it.each(Object.entries(heavyLogins))(
  'an unauthenticated login with %s is refused at no more cost than others',
  async (_, content) => {
    const cost = await costOf(async () => {
      for (let i = 0; i < 10; i++) {
        const reply = await send(
          child.service,
          await prepareLogin(child.service, { code: 'none', before: carrying(content) }),
        )
        expect(reply).toMatchObject({ kind: 'sealed', status: 400, json: { code: 'payload_invalid' } })
        expect(reply.json.outcome).toBeUndefined()
      }
    })
    // Each of the worst took seconds.
    expect(cost).toBeLessThan(5)
  },
)

it('a login over 64 KiB is refused before it is decrypted', async () => {
  const before = carrying({ content: new Uint8Array(60_000) })
  const { frame, open } = await prepareLogin(child.service, { code: 'none', before })
  expect(frame.length).toBeLessThan(65_536)
  expect((await send(child.service, { frame, open })).json).toMatchObject({ code: 'payload_invalid' })
  const larger = new Uint8Array(65_537)
  larger.set(frame)
  expect(await send(child.service, { frame: larger, open })).toMatchObject({
    kind: 'clear',
    status: 413,
    json: { code: 'frame_too_large' },
  })
})

it.each([
  ['POST', '/phone-number'],
  ['PUT', '/devices/x'],
  ['POST', '/events/subscription'],
  ['POST', '/sessions/current/token'],
  ['DELETE', '/sessions/current'],
  ['DELETE', '/outcomes/a'],
  ['POST', '/encrypted-data?a=b'],
])('%s %s refuses a content coding and content over 16 KiB', async (method, path) => {
  for (const content of [gzippedDepth, { content: random(16_385) }]) {
    const reply = await session.send({ method, path, body: {}, before: carrying(content) })
    expect(reply.json).toMatchObject({ code: 'payload_invalid', step: 'binary-http', status: 400 })
    expect(reply.json.outcome).toBeUndefined()
  }
  expect((await session.send()).status).toBe(200)
})

it('concurrent compressed requests are decompressed off the event loop and within bounds', async () => {
  const quiet = child.residentMemory()
  let most = quiet
  const cost = await costOf(async () => {
    for (let round = 0; round < 5; round++) {
      const sent = Array.from({ length: 40 }, () =>
        session.send({ ...payment, before: carrying(gzippedSpaces) }),
      )
      for (const { json } of await Promise.all(sent)) expect(json.code).toBe('payload_invalid')
      most = Math.max(most, child.residentMemory())
    }
  })
  // 200 times eight megabytes: unpacked to their end they would take more than 1.6 GB, and minutes to be parsed.
  expect(most - quiet).toBeLessThan(150 * 1_048_576)
  expect(cost).toBeLessThan(20)
})

it('header fields of any shape are parsed in linear time on every route', async () => {
  const doors = [
    ['GET', '/healthz'],
    ['GET', '/docs/problems'],
    ['GET', '/audit'],
    ['GET', '/audit/api/session'],
    ['POST', '/audit/api/session'],
    ['GET', '/log/entries'],
    ['POST', '/seal'],
    ['POST', '/push'],
    ['GET', '/metrics'],
  ] as const
  const cost = await costOf(async () => {
    for (const [method, path] of doors) {
      for (const [name, value] of heavyHeaders) {
        const answer = await fetch(`${child.service.origin}${path}`, {
          method,
          headers: { [name]: value },
          ...(method === 'POST' ? { body: '{}' } : {}),
        })
        await answer.arrayBuffer()
        expect(answer.status).toBeLessThan(504)
      }
    }
  })
  expect(cost).toBeLessThan(10)
})
