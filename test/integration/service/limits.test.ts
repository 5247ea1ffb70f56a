/** Limits over real HTTP. Windows are short where a test waits for their end and long otherwise. */
import { setTimeout as sleep } from 'node:timers/promises'
import { parseList } from 'structured-headers'
import { afterEach, expect, it } from 'vitest'
import { findField } from '../../../crypto/frames/binary-http.ts'
import type { Backend } from '../../../service/gateway/backend.ts'
import { sandboxApp } from '../../../service/wechat/apps.ts'
import { advanceDate } from '../../support/clock.ts'
import { headOf, type Idler, idle } from '../../support/floods.ts'
import type { Prepared, ReceivedReply } from '../../support/raw-client.ts'
import { hear, logIn, newDevice, post, prepareLogin, send, transferOf } from '../../support/raw-client.ts'
import { startTestService, type TestService, type TestServiceOptions } from '../../support/service.ts'

const services: TestService[] = []

afterEach(async () => {
  await Promise.all(services.splice(0).map((service) => service.close()))
})

async function limited(
  limits: string,
  environment: Readonly<Record<string, string>> = {},
  options: TestServiceOptions = {},
): Promise<TestService> {
  const all = { MINISEAL_LIMITS: limits, ...environment }
  const service = await startTestService({ ...options, environment: all })
  services.push(service)
  return service
}

/** Sends a frame as a proxy does, with X-Forwarded-For. */
async function sendFrom(
  service: TestService,
  forwardedFor: string,
  prepared: Prepared,
): Promise<ReceivedReply> {
  const headers = { 'content-type': 'application/vnd.miniseal', 'x-forwarded-for': forwardedFor }
  const body = new Uint8Array(prepared.frame)
  return await hear(await fetch(`${service.origin}/seal`, { method: 'POST', headers, body }), prepared.open)
}

function retryAfter(reply: ReceivedReply): number {
  return Number(findField(reply.fields, 'retry-after'))
}

/** Moves the clock by Retry-After. */
function obey(reply: ReceivedReply): void {
  expect(retryAfter(reply)).toBeGreaterThan(0)
  advanceDate(retryAfter(reply) * 1_000)
}

const transfer = transferOf(100)

const largeRequest = { ...transfer, body: { text: 'x'.repeat(1_000_000) } }

it('handshakes over the limit of an address are refused in the clear until the window ends', async () => {
  const service = await limited('handshake_ip=2/3')
  const session = await logIn(service)
  expect((await send(service, await prepareLogin(service))).status).toBe(201)
  const refused = await send(service, await prepareLogin(service))
  expect(refused).toMatchObject({ kind: 'clear', status: 429 })
  expect(refused.json).toMatchObject({ code: 'overloaded', step: 'limits', status: 429, retryable: true })
  expect(retryAfter(refused)).toBeLessThanOrEqual(3)
  expect((await session.send()).status).toBe(200)
  obey(refused)
  expect((await send(service, await prepareLogin(service))).status).toBe(201)
})

it('a handshake over the limit is refused before its agreement key is looked up', async () => {
  const service = await limited('handshake_ip=1/60')
  const nobodys = async (): Promise<ReceivedReply> => {
    const { frame, open } = await prepareLogin(service)
    const changed = frame.slice()
    changed[2] = (changed[2] ?? 0) ^ 1
    return await send(service, { frame: changed, open })
  }
  expect((await nobodys()).json).toMatchObject({ code: 'unknown_agreement_key', step: 'session' })
  expect((await nobodys()).json).toMatchObject({ code: 'overloaded', step: 'limits' })
})

it('any frame over the frame limit of an address is refused, malformed ones included', async () => {
  const service = await limited('frame_ip=3/60')
  const session = await logIn(service)
  const garbage = { frame: new Uint8Array(3), open: (): never => expect.unreachable() }
  expect((await send(service, garbage)).json.code).toBe('malformed_frame')
  expect((await session.send()).status).toBe(200)
  for (const prepared of [garbage, session.prepare(), await prepareLogin(service)]) {
    const refused = await send(service, prepared)
    expect(refused).toMatchObject({ kind: 'clear', status: 429, json: { code: 'overloaded' } })
    expect(retryAfter(refused)).toBeGreaterThan(0)
  }
})

it('X-Forwarded-For is ignored without trusted proxies', async () => {
  const service = await limited('handshake_ip=1/60')
  expect((await sendFrom(service, '203.0.113.1', await prepareLogin(service))).status).toBe(201)
  expect((await sendFrom(service, '203.0.113.2', await prepareLogin(service))).status).toBe(429)
})

it('limits count for the address that trusted proxies append and not for a forged one', async () => {
  const service = await limited('handshake_ip=1/60', { MINISEAL_TRUSTED_PROXIES: '2' })
  const logInFrom = async (field: string): Promise<number> =>
    (await sendFrom(service, field, await prepareLogin(service))).status
  expect(await logInFrom('203.0.113.1, 10.0.0.1')).toBe(201)
  expect(await logInFrom('203.0.113.2, 10.0.0.1')).toBe(201)
  expect(await logInFrom('198.51.100.9, 203.0.113.2,10.0.0.1')).toBe(429)
  // An IPv6 subscriber has a /64.
  expect(await logInFrom('2001:db8:0:1::1, 10.0.0.1')).toBe(201)
  expect(await logInFrom('2001:0DB8::1:ffff:0:0:2, 10.0.0.1')).toBe(429)
  expect(await logInFrom('2001:db8:0:2::1, 10.0.0.1')).toBe(201)
  expect(await logInFrom('::ffff:203.0.113.1, 10.0.0.1')).toBe(429)
  // What cannot be read strictly shares the allowance of the connection.
  expect(await logInFrom('203.0.113.77')).toBe(201)
  for (const broken of [
    'not-an-address, 10.0.0.1',
    '203.0.113.8:80, 10.0.0.1',
    '203.0.113.9, x',
    'fe80::1%1, ::1',
  ])
    expect(await logInFrom(broken)).toBe(429)
})

it('a device over its limit gets an encrypted refusal, and neither its user nor others are affected', async () => {
  const service = await limited('device=2/60,user=4/60')
  const session = await logIn(service, { openid: 'alice' })
  const second = await logIn(service, { openid: 'alice', device: newDevice() })
  const bob = await logIn(service, { openid: 'bob' })
  expect(second.user).toBe(session.user)
  expect((await session.send()).status).toBe(200)
  expect((await session.send()).status).toBe(200)
  for (let i = 0; i < 4; i++) {
    // `open` has verified the service's signature over this answer to this request.
    const refused = await session.send()
    expect(refused).toMatchObject({ kind: 'sealed', outer: 200, status: 429 })
    expect(refused.json).toMatchObject({ code: 'rate_limited', step: 'limits', retryable: true })
    expect(retryAfter(refused)).toBeGreaterThan(0)
  }
  expect((await second.send()).status).toBe(200)
  expect((await bob.send()).status).toBe(200)
})

it('a user over the limit is refused on every device', async () => {
  const service = await limited('user=3/60')
  const first = await logIn(service, { openid: 'alice' })
  const second = await logIn(service, { openid: 'alice', device: newDevice() })
  expect((await first.send()).status).toBe(200)
  expect((await first.send()).status).toBe(200)
  expect((await second.send()).status).toBe(200)
  expect((await second.send()).json.code).toBe('rate_limited')
  expect((await first.send()).json.code).toBe('rate_limited')
  expect((await (await logIn(service, { openid: 'bob' })).send()).status).toBe(200)
})

it('an app over its limit is refused and other apps are not', async () => {
  const other = 'wxfedcba9876543210'
  const apps = `${sandboxApp.appid}:${sandboxApp.secret},${other}:${sandboxApp.secret}`
  const service = await limited('app=2/60', { MINISEAL_WECHAT_APPS: apps })
  expect((await (await logIn(service, { openid: 'alice' })).send()).status).toBe(200)
  const bob = await logIn(service, { openid: 'bob' })
  const last = await bob.send()
  expect(last.status).toBe(200)
  expect(findField(last.fields, 'ratelimit')).not.toContain('app')
  const refused = await bob.send()
  expect(refused.json.code).toBe('rate_limited')
  expect(findField(refused.fields, 'ratelimit')).toContain('"app";r=0')
  const { code } = (await service.sandbox('/sandbox/codes', { appid: other })) as { code: string }
  expect((await (await logIn(service, { appid: other, code })).send()).status).toBe(200)
})

it('every counted response states the remaining quota as structured fields', async () => {
  const service = await limited('device=2/30,user=5/60')
  const session = await logIn(service)
  const states = async (path: string): Promise<unknown[][]> => {
    const { fields } = await session.send({ path })
    return ['ratelimit-policy', 'ratelimit'].map((name) =>
      parseList(findField(fields, name) ?? '').map(([value, parameters]) => [
        value,
        ...[...parameters].filter(([key]) => key !== 't').flat(),
      ]),
    )
  }
  const policy = [
    ['device', 'q', 2, 'w', 30],
    ['user', 'q', 5, 'w', 60],
  ]
  const left = (device: number, user: number): unknown[] => [
    ['device', 'r', device],
    ['user', 'r', user],
  ]
  expect(await states('/wallet')).toEqual([policy, left(1, 4)])
  expect(await states('/sessions/nothing')).toEqual([policy, left(0, 3)])
  expect(await states('/wallet')).toEqual([[['device', 'q', 2, 'w', 30]], [['device', 'r', 0]]])
})

it('a request over the limit uses up neither nonce nor idempotency key', async () => {
  const service = await limited('device=1/3')
  const session = await logIn(service)
  const prepared = session.prepare(transfer)
  expect((await session.send()).status).toBe(200)
  const refused = await send(service, prepared)
  expect(refused.json.code).toBe('rate_limited')
  obey(refused)
  expect((await send(service, prepared)).status).toBe(201)
  expect((await send(service, session.prepare(transfer))).json.code).toBe('rate_limited')
})

it('a request with an invalid signature or token does not count', async () => {
  const service = await limited('device=1/60')
  const session = await logIn(service)
  expect((await session.send({ token: undefined })).json.code).toBe('token_missing')
  expect(
    (await session.send({ signer: { ...newDevice().signer, keyid: session.device.signer.keyid } })).json.code,
  ).toBe('signature_invalid')
  expect((await session.send()).status).toBe(200)
  expect((await session.send()).json.code).toBe('rate_limited')
})

/** A backend whose answers wait for {@link open}. */
function gate(): Backend & { readonly waiting: () => number; readonly open: () => void } {
  let waiting = 0
  let open = (): void => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return {
    async answer() {
      waiting += 1
      await opened
      return { status: 204, fields: [], content: new Uint8Array(0) }
    },
    close: async () => {},
    waiting: () => waiting,
    open,
  }
}

it('concurrent exchanges are limited, further ones are refused in the clear, and the service recovers', async () => {
  const backend = gate()
  const service = await limited('in_flight=2', {}, { backend })
  const session = await logIn(service)
  const running = [session.send(), session.send()]
  await expect.poll(backend.waiting).toBe(2)
  const refused = await session.send()
  expect(refused).toMatchObject({ kind: 'clear', status: 503, json: { code: 'overloaded', step: 'limits' } })
  expect(retryAfter(refused)).toBe(1)
  backend.open()
  expect((await Promise.all(running)).map(({ status }) => status)).toEqual([204, 204])
  expect((await session.send()).status).toBe(204)
  // Refusals release their slots too.
  for (let i = 0; i < 4; i++) expect((await post(service, new Uint8Array(3))).status).toBe(400)
  expect((await session.send()).status).toBe(204)
})

it('memory for bodies is limited and further bodies are not read', async () => {
  const backend = gate()
  const service = await limited('body_mib=2', {}, { backend, bodyGrace: 100 })
  const session = await logIn(service)
  const running = [session.send(largeRequest), session.send(largeRequest)]
  await expect.poll(backend.waiting).toBe(2)
  // Past the grace period of incomplete bodies.
  await sleep(150)
  const refused = await post(service, session.prepare(largeRequest).frame)
  expect(refused.status).toBe(503)
  expect(refused.headers.get('connection')).toBe('close')
  expect(await refused.json()).toMatchObject({ code: 'overloaded' })
  backend.open()
  expect((await Promise.all(running)).map(({ status }) => status)).toEqual([204, 204])
  expect((await session.send(largeRequest)).status).toBe(204)
})

/** Announces a large body, sends a part of it, and stalls. */
function slowBody(service: TestService, from: string): Idler {
  const port = Number(new URL(service.origin).port)
  return idle({ port, from }, `${headOf(1_300_000)}and then nothing`)
}

it('a slow body is evicted at once for a body of another address', async () => {
  const service = await limited('body_mib=2')
  const session = await logIn(service)
  const slow = slowBody(service, '127.0.0.2')
  await slow.settled
  expect((await session.send(largeRequest)).json.code).toBe('payload_invalid')
  expect(await slow.lifetime).toBeLessThan(5)
})

it('a slow body is evicted for another one of its address only after the grace period', async () => {
  const service = await limited('body_mib=2', {}, { bodyGrace: 1_000 })
  const session = await logIn(service)
  const slow = slowBody(service, '127.0.0.1')
  await slow.settled
  expect((await post(service, session.prepare(largeRequest).frame)).status).toBe(503)
  await sleep(1_000)
  expect((await session.send(largeRequest)).json.code).toBe('payload_invalid')
  expect(await slow.lifetime).toBeGreaterThan(1)
})

it('connections over the limit of an address are closed and others are accepted', async () => {
  const service = await limited('connections_ip=2')
  const port = Number(new URL(service.origin).port)
  const first = [0, 1].map(() => idle({ port, from: '127.0.0.2' }, ''))
  await Promise.all(first.map(({ settled }) => settled))
  expect(await idle({ port, from: '127.0.0.2' }, '').lifetime).toBeLessThan(5)
  expect((await (await logIn(service)).send()).status).toBe(200)
  // Closed connections release their slots.
  for (const { end } of first) end()
  await Promise.all(first.map(({ lifetime }) => lifetime))
  const stays = async (): Promise<unknown> => {
    const { lifetime, end } = idle({ port, from: '127.0.0.2' }, '')
    const state = await Promise.race([lifetime, sleep(500, 'open')])
    end()
    return state
  }
  await expect.poll(stays, { timeout: 60_000 }).toBe('open')
})

it.each(['0', '1'])(
  'connections over the total limit are closed with %s trusted proxies',
  async (proxies) => {
    const service = await limited('connections=3', { MINISEAL_TRUSTED_PROXIES: proxies })
    const port = Number(new URL(service.origin).port)
    const from = (last: number): Idler => idle({ port, from: `127.0.0.${last}` }, '')
    const first = [2, 3, 4].map(from)
    await Promise.all(first.map(({ settled }) => settled))
    expect(await from(5).lifetime).toBeLessThan(5)
    await expect(fetch(`${service.origin}/healthz`)).rejects.toThrow()
    // The first connections are served, and closed ones release their slots.
    expect(await Promise.race([first[0]?.lifetime, sleep(300, 'open')])).toBe('open')
    for (const { end } of first) end()
    await Promise.all(first.map(({ lifetime }) => lifetime))
    const status = (): Promise<unknown> =>
      fetch(`${service.origin}/healthz`, { headers: { connection: 'close' } }).then(
        (response) => response.status,
        () => 'refused',
      )
    await expect.poll(status, { timeout: 60_000 }).toBe(200)
  },
)
