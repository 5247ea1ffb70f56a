/** Limits over real HTTP. Windows are short where a test waits for their end, and long where it must not come. */
import { setTimeout as sleep } from 'node:timers/promises'
import { parseList } from 'structured-headers'
import { afterEach, expect, it } from 'vitest'
import { findField } from '../../../crypto/frames/binary-http.ts'
import type { Backend } from '../../../service/gateway/backend.ts'
import { sandboxApp } from '../../../service/wechat/apps.ts'
import type { Idler } from '../../support/floods.ts'
import { headOf, idle } from '../../support/floods.ts'
import type { Prepared, ReceivedReply } from '../../support/raw-client.ts'
import { hear, logIn, newDevice, post, prepareLogin, send } from '../../support/raw-client.ts'
import type { TestService, TestServiceOptions } from '../../support/service.ts'
import { startTestService } from '../../support/service.ts'

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

/** Sends a frame as a proxy would that got it from `forwardedFor`. */
async function sendFrom(
  service: TestService,
  forwardedFor: string,
  prepared: Prepared,
): Promise<ReceivedReply> {
  const headers = { 'content-type': 'application/vnd.miniseal', 'x-forwarded-for': forwardedFor }
  const body = new Uint8Array(prepared.frame)
  return await hear(await fetch(`${service.origin}/seal`, { method: 'POST', headers, body }), prepared.open)
}

function retryAfter(heard: ReceivedReply): number {
  return Number(findField(heard.fields, 'retry-after'))
}

/** Waits as long as the service said. */
async function obey(heard: ReceivedReply): Promise<void> {
  expect(retryAfter(heard)).toBeGreaterThan(0)
  await sleep(retryAfter(heard) * 1_000 + 50)
}

const transfer = {
  method: 'POST',
  path: '/wallet/transfers',
  body: { payee: 'bob', amount: 100, currency: 'CNY' },
}

const largeRequest = { ...transfer, body: { text: 'x'.repeat(1_000_000) } }

it('refuses handshakes over the limit of an address in the clear, and takes them again after the window', async () => {
  const service = await limited('handshake_ip=2/3')
  const session = await logIn(service)
  expect((await send(service, await prepareLogin(service))).status).toBe(201)
  const refused = await send(service, await prepareLogin(service))
  expect(refused).toMatchObject({ kind: 'clear', status: 429 })
  expect(refused.json).toMatchObject({ code: 'overloaded', step: 'limits', status: 429, retryable: true })
  expect(retryAfter(refused)).toBeLessThanOrEqual(3)
  expect((await session.send()).status).toBe(200)
  await obey(refused)
  expect((await send(service, await prepareLogin(service))).status).toBe(201)
})

it('refuses a handshake over the limit before it looks for the agreement key', async () => {
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

it('refuses any frame over the wider limit of an address, garbage included', async () => {
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

it('does not believe X-Forwarded-For where no proxy is trusted', async () => {
  const service = await limited('handshake_ip=1/60')
  expect((await sendFrom(service, '203.0.113.1', await prepareLogin(service))).status).toBe(201)
  expect((await sendFrom(service, '203.0.113.2', await prepareLogin(service))).status).toBe(429)
})

it('counts for the address that the trusted proxies name, and for no other that a client made up', async () => {
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

it('refuses a device over its limit sealed and signed, and harms neither its user nor others', async () => {
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

it('refuses a user over the limit on every device', async () => {
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

it('refuses an app over its limit and leaves other apps alone', async () => {
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

it('says in every counted answer what is left, as structured fields', async () => {
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

it('uses up neither nonce nor idempotency key of a request over the limit', async () => {
  const service = await limited('device=1/3')
  const session = await logIn(service)
  const prepared = session.prepare(transfer)
  expect((await session.send()).status).toBe(200)
  const refused = await send(service, prepared)
  expect(refused.json.code).toBe('rate_limited')
  await obey(refused)
  expect((await send(service, prepared)).status).toBe(201)
  expect((await send(service, session.prepare(transfer))).json.code).toBe('rate_limited')
})

it('does not count a request whose signature or token is not good', async () => {
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

it('bounds the exchanges at work, refuses more in the clear, and recovers', async () => {
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
  // Refusals give their place back too.
  for (let i = 0; i < 4; i++) expect((await post(service, new Uint8Array(3))).status).toBe(400)
  expect((await session.send()).status).toBe(204)
})

it('bounds the bodies at work, and does not read more of them', async () => {
  const backend = gate()
  const service = await limited('body_mib=2', {}, { backend })
  const session = await logIn(service)
  const running = [session.send(largeRequest), session.send(largeRequest)]
  await expect.poll(backend.waiting).toBe(2)
  // Also past the time after which a body that is still arriving would be cut.
  await sleep(2_100)
  const refused = await post(service, session.prepare(largeRequest).frame)
  expect(refused.status).toBe(503)
  expect(refused.headers.get('connection')).toBe('close')
  expect(await refused.json()).toMatchObject({ code: 'overloaded' })
  backend.open()
  expect((await Promise.all(running)).map(({ status }) => status)).toEqual([204, 204])
  expect((await session.send(largeRequest)).status).toBe(204)
})

/** Announces a large body from an address, sends a part of it, and waits. */
function slowBody(service: TestService, from: string): Idler {
  const port = Number(new URL(service.origin).port)
  return idle({ port, from }, `${headOf(1_300_000)}and then nothing`)
}

it('cuts a slow body at once when the body of another address needs its room', async () => {
  const service = await limited('body_mib=2')
  const session = await logIn(service)
  const slow = slowBody(service, '127.0.0.2')
  await slow.settled
  expect((await session.send(largeRequest)).json.code).toBe('payload_invalid')
  expect(await slow.lifetime).toBeLessThan(5)
})

it('cuts a slow body for another one of its own address only when it has had two seconds', async () => {
  const service = await limited('body_mib=2')
  const session = await logIn(service)
  const slow = slowBody(service, '127.0.0.1')
  await slow.settled
  expect((await post(service, session.prepare(largeRequest).frame)).status).toBe(503)
  await sleep(2_000)
  expect((await session.send(largeRequest)).json.code).toBe('payload_invalid')
  expect(await slow.lifetime).toBeGreaterThan(2)
})

it('closes connections over the limit of an address, and takes those of others', async () => {
  const service = await limited('connections_ip=2')
  const port = Number(new URL(service.origin).port)
  const first = [0, 1].map(() => idle({ port, from: '127.0.0.2' }, ''))
  await Promise.all(first.map(({ settled }) => settled))
  expect(await idle({ port, from: '127.0.0.2' }, '').lifetime).toBeLessThan(5)
  expect((await (await logIn(service)).send()).status).toBe(200)
  // Room is given back.
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

it.each(['0', '1'])('closes connections over the bound of all, with %s trusted proxies', async (proxies) => {
  const service = await limited('connections=3', { MINISEAL_TRUSTED_PROXIES: proxies })
  const port = Number(new URL(service.origin).port)
  const from = (last: number): Idler => idle({ port, from: `127.0.0.${last}` }, '')
  const first = [2, 3, 4].map(from)
  await Promise.all(first.map(({ settled }) => settled))
  expect(await from(5).lifetime).toBeLessThan(5)
  await expect(fetch(`${service.origin}/healthz`)).rejects.toThrow()
  // Those that were there first are served; and room is given back.
  expect(await Promise.race([first[0]?.lifetime, sleep(300, 'open')])).toBe('open')
  for (const { end } of first) end()
  await Promise.all(first.map(({ lifetime }) => lifetime))
  const status = (): Promise<unknown> =>
    fetch(`${service.origin}/healthz`, { headers: { connection: 'close' } }).then(
      (response) => response.status,
      () => 'refused',
    )
  await expect.poll(status, { timeout: 60_000 }).toBe(200)
})
