/**
 * A network that copies, delays and drops frames, against outcome queries (protocol, section 8). Only a response that was
 * decided under the claim of the key states that nothing happened, and then nothing ever does.
 */

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { ownService } from '../../support/hooks.ts'
import {
  hear,
  logIn,
  outcomePath,
  type Prepared,
  post,
  type RawSession,
  send,
} from '../../support/raw-client.ts'
import type { TestService } from '../../support/service.ts'

let service: TestService
let session: RawSession

async function start(environment: Readonly<Record<string, string>> = {}): Promise<void> {
  service = await ownService({ environment })
  session = await logIn(service, { openid: 'openid-of-the-victim' })
}

const transfer = (key: string, path = '/wallet/transfers'): Prepared =>
  session.prepare({ method: 'POST', path, body: { payee: 'bob', amount: 100, currency: 'CNY' }, key })

const cancel = (key: string) => session.send({ method: 'DELETE', path: outcomePath(key), key: undefined })

async function balance(): Promise<number> {
  return (await session.send()).json.balance
}

it('an attacker who sends each frame first causes `replayed`, which does not settle the key', async () => {
  await start()
  const before = await balance()
  for (const round of [1, 2, 3]) {
    const frame = transfer('stolen-march')
    // The network's copy comes first, and its response is dropped.
    await post(service, frame.frame)
    const reply = await send(service, frame)
    expect(reply.json).toMatchObject({ code: 'replayed', step: 'claim' })
    expect(reply.json, `round ${round}`).not.toHaveProperty('outcome')
  }
  // Signed again with the same key, the phone hears the first answer.
  const settled = await send(service, transfer('stolen-march'))
  expect(settled.status).toBe(201)
  expect(settled.fields).toContainEqual(['idempotency-replayed', 'true'])
  expect((await cancel('stolen-march')).json.outcome).toBe('done')
  expect(before - (await balance())).toBe(100)
})

it('a frame delayed past the cancellation gets request_cancelled, also from another session', async () => {
  await start()
  const before = await balance()
  const held = [transfer('held'), transfer('held')]
  const other = await logIn(service, { openid: 'openid-of-the-victim' })
  const body = { payee: 'bob', amount: 100, currency: 'CNY' }
  held.push(other.prepare({ method: 'POST', path: '/wallet/transfers', body, key: 'held' }))
  expect((await cancel('held')).json).toEqual({ outcome: 'none', cancelled: true })
  service.advanceClock(100)
  for (const frame of held)
    expect((await send(service, frame)).json).toMatchObject({ code: 'request_cancelled', outcome: 'none' })
  expect(await balance()).toBe(before)
})

it('in a race of request and cancellation, outcome none means no effect and done means one', async () => {
  await start()
  for (let round = 0; round < 12; round++) {
    const before = await balance()
    const key = `race-${round}`
    const frames = [transfer(key), transfer(key)]
    const [cancelled, ...reply] = await Promise.all([
      cancel(key),
      ...frames.map((frame) => send(service, frame)),
    ])
    const again = await cancel(key)
    const spent = before - (await balance())
    expect(spent).toBe(again.json.outcome === 'none' ? 0 : 100)
    if (cancelled.status === 200) expect(cancelled.json.outcome).toBe(again.json.outcome)
    for (const { status, json } of reply) {
      if (status === 201) expect(spent).toBe(100)
      if (json.outcome === 'none') expect(spent).toBe(0)
    }
  }
})

it('a request refused because the backend was down never reaches it later', async () => {
  const arrived: string[] = []
  const backend = createServer((request, response) => {
    arrived.push(String(request.headers['idempotency-key']))
    response.end()
  })
  await new Promise<void>((resolve) => backend.listen(0, '127.0.0.1', resolve))
  const { port } = backend.address() as AddressInfo
  await new Promise((resolve) => backend.close(resolve))
  await start({ MINISEAL_UPSTREAMS: `/orders=http://127.0.0.1:${port}` })
  const held = transfer('away', '/orders/1')
  const reply = await send(service, transfer('away', '/orders/1'))
  expect(reply.json).toMatchObject({ code: 'upstream_unavailable', outcome: 'none' })
  await new Promise<void>((resolve) => backend.listen(port, '127.0.0.1', resolve))
  onTestFinished(() => void backend.close())
  const late = await send(service, held)
  expect(late.json).toEqual(reply.json)
  expect(late.fields).toContainEqual(['idempotency-replayed', 'true'])
  expect((await cancel('away')).json).toEqual({ outcome: 'none', cancelled: false })
  expect((await send(service, transfer('at-last', '/orders/1'))).status).toBe(200)
  expect(arrived).toEqual(['"at-last"'])
})

it("60 copies of a frame count for the address and the user's own request is accepted", async () => {
  await start({ MINISEAL_LIMITS: 'device=60/60,user=60/60' })
  const copied = transfer('copied')
  const copies = (count: number) =>
    Promise.all(Array.from({ length: count }, () => post(service, copied.frame)))
  await copies(10)
  for (const answer of await copies(50))
    expect((await hear(answer, copied.open)).json).toMatchObject({ code: 'replayed', step: 'claim' })
  const own = await send(service, transfer('own'))
  expect(own.status).toBe(201)
  const left = new Map(own.fields).get('ratelimit')
  // Two requests were counted: the first of the copies and this one.
  expect(left).toMatch(/^"device";r=58;t=\d+, "user";r=58;t=\d+$/)
})

it('a user whose limits are used up can still query and cancel an outcome', async () => {
  await start({ MINISEAL_LIMITS: 'device=3/60,user=3/60' })
  expect((await send(service, transfer('paid'))).status).toBe(201)
  for (let more = 0; more < 3; more++) await session.send()
  const limited = await send(service, transfer('second'))
  expect(limited.json.code).toBe('rate_limited')
  expect(limited.json).not.toHaveProperty('outcome')
  expect((await session.send({ path: outcomePath('paid') })).json.outcome).toBe('done')
  expect((await cancel('second')).json).toEqual({ outcome: 'none', cancelled: true })
})
