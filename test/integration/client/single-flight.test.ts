/** Concurrent requests: how many, in which order, and which ones share an answer. */
import { expect, it } from 'vitest'
import type { TransportAnswer } from '../../../miniprogram/client/index.ts'
import { countOf, idempotencyKeys, loggedIn, transfer, wallet } from './scripted-channel.ts'
import type { ScriptedService } from './scripted-service.ts'

const transfers = transfer.path

/** Holds every answer until the test releases it. */
function hold(service: ScriptedService): { readonly held: (() => void)[]; most(): number } {
  const held: (() => void)[] = []
  let under = 0
  let most = 0
  service.intercept = (_request, pass) => {
    most = Math.max(most, ++under)
    const answer = pass()
    return new Promise<TransportAnswer>((resolve) => {
      held.push(() => {
        under -= 1
        resolve(answer)
      })
    })
  }
  return { held, most: () => most }
}

/** Waits until only held answers are pending. */
async function rest(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
}

async function releaseAll(held: (() => void)[]): Promise<void> {
  for (await rest(); held.length > 0; await rest()) held.shift()?.()
}

it('the client sends at most ten requests concurrently', async () => {
  const { channel, service } = await loggedIn()
  const gate = hold(service)
  const all = Promise.all(
    Array.from({ length: 25 }, (_, index) => channel.request({ method: 'GET', path: `/orders/${index}` })),
  )
  await releaseAll(gate.held)
  expect(await all).toHaveLength(25)
  expect(gate.most()).toBe(10)
})

it('the client sends queued requests by priority, then in order', async () => {
  const { channel, service } = await loggedIn()
  const gate = hold(service)
  const ask = (path: string, priority: 'high' | 'normal' | 'low') =>
    channel.request({ method: 'GET', path, priority })
  const first = Array.from({ length: 10 }, (_, index) => ask(`/first/${index}`, 'normal'))
  await rest()
  const rest_ = [
    ask('/low', 'low'),
    ask('/normal/1', 'normal'),
    ask('/normal/2', 'normal'),
    ask('/high', 'high'),
  ]
  await rest()
  await releaseAll(gate.held)
  await Promise.all([...first, ...rest_])
  const paths = service.received.map(({ path }) => path).filter((path) => !/^\/(first|sessions)/.test(path))
  expect(paths).toEqual(['/high', '/normal/1', '/normal/2', '/low'])
})

it('the client signs a queued request when it is sent', async () => {
  const { channel, service } = await loggedIn()
  const gate = hold(service)
  const all = Array.from({ length: 11 }, (_, index) =>
    channel.request({ method: 'GET', path: `/orders/${index}` }),
  )
  await rest()
  service.time += 300
  await releaseAll(gate.held)
  expect((await Promise.all(all)).map(({ status }) => status)).toEqual(Array(11).fill(200))
  expect(countOf(service, '/orders/10')).toBe(1)
})

it('the client shares the response of identical concurrent GET requests', async () => {
  const { channel, service } = await loggedIn()
  const [one, other] = await Promise.all([channel.request(wallet), channel.request(wallet)])
  expect(one).toBe(other)
  expect(countOf(service, '/wallet')).toBe(1)
  await channel.request(wallet)
  expect(countOf(service, '/wallet')).toBe(2)
})

it('the client does not share responses between requests with different headers', async () => {
  const { channel, service } = await loggedIn()
  await Promise.all([
    channel.request(wallet),
    channel.request({ ...wallet, headers: { accept: 'text/csv' } }),
  ])
  expect(countOf(service, '/wallet')).toBe(2)
})

it('the client shares the response of concurrent requests with the same given key', async () => {
  const { channel, service } = await loggedIn()
  const tap = { ...transfer, idempotencyKey: 'tap-1' }
  const [one, other] = await Promise.all([channel.request(tap), channel.request(tap)])
  expect(one).toBe(other)
  expect(idempotencyKeys(service, transfers)).toEqual(['tap-1'])
})

it('the client does not share responses between requests with the same key and different content', async () => {
  const { channel, service } = await loggedIn()
  const tap = { ...transfer, idempotencyKey: 'tap-1' }
  await Promise.all([channel.request(tap), channel.request({ ...tap, body: { ...tap.body, amount: 2 } })])
  expect(idempotencyKeys(service, transfers)).toEqual(['tap-1', 'tap-1'])
})

it('the client shares the response of identical concurrent requests with `once` only', async () => {
  const { channel, service } = await loggedIn()
  await Promise.all([
    channel.request({ ...transfer, once: true }),
    channel.request({ ...transfer, once: true }),
  ])
  expect(idempotencyKeys(service, transfers)).toHaveLength(1)
  await Promise.all([channel.request(transfer), channel.request(transfer)])
  expect(new Set(idempotencyKeys(service, transfers)).size).toBe(3)
})

it('the client does not share a GET that was sent before an effect', async () => {
  const { channel, service } = await loggedIn()
  const gate = hold(service)
  const before = channel.request(wallet)
  await rest()
  const paid = channel.request(transfer)
  await rest()
  const after = channel.request(wallet)
  await releaseAll(gate.held)
  await Promise.all([before, paid, after])
  expect(countOf(service, '/wallet')).toBe(2)
})
