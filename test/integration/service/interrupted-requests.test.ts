/** Interrupted requests: a repetition runs them again only when the backend declares them idempotent. */

import type { ServerResponse } from 'node:http'
import { expect, it } from 'vitest'
import { ProtocolError } from '../../../crypto/errors.ts'
import type { ResponseMessage } from '../../../crypto/frames/binary-http.ts'
import { encodeUtf8 } from '../../../crypto/text.ts'
import type { ExchangeContext } from '../../../service/channel/context.ts'
import { replayStoredResponse } from '../../../service/channel/idempotency.ts'
import { openStore } from '../../../service/store/open-store.ts'
import { ownService } from '../../support/hooks.ts'
import type { ReceivedReply } from '../../support/raw-client.ts'
import { logIn, outcomePath, type RawSession } from '../../support/raw-client.ts'
import type { TestService } from '../../support/service.ts'
import { startUpstream } from '../../support/upstream.ts'

let service: TestService
let session: RawSession
let runs: ((status: number) => void)[] = []

/** A backend whose answers the test releases; 404 means that it did nothing. */
async function start(isIdempotent: boolean): Promise<void> {
  runs = []
  const backend = {
    isIdempotent: () => isIdempotent,
    answer: () =>
      new Promise<ResponseMessage>((resolve, reject) => {
        runs.push((status) => {
          if (status === 404) reject(new ProtocolError('not_found', 'nothing was done'))
          else if (status === 500) reject(new Error('it broke in the middle'))
          else resolve({ status, fields: [], content: encodeUtf8('done') })
        })
      }),
  }
  service = await ownService({ backend })
  session = await logIn(service)
}

const order = { method: 'POST', path: '/things', body: { size: 1 }, key: 'one' }

async function running(count: number): Promise<void> {
  await expect.poll(() => runs.length).toBe(count)
}

/** Starts a service whose backend never answers the first `order`. @returns its response */
async function interrupted(isIdempotent = true): Promise<{ lost: Promise<ReceivedReply> }> {
  await start(isIdempotent)
  const lost = session.send(order)
  await running(1)
  service.advanceClock(61)
  return { lost }
}

it('one repetition of an interrupted request runs it again and answers all of them', async () => {
  await start(true)
  const lost = session.send(order)
  await running(1)
  expect((await session.send(order)).json).toMatchObject({ code: 'idempotency_in_progress' })
  service.advanceClock(61)
  const asking = Promise.all(Array.from({ length: 8 }, () => session.send(order)))
  await running(2)
  runs[1]?.(201)
  const answers = await asking
  for (const { status } of answers) expect([201, 409]).toContain(status)
  expect(answers.filter(({ status }) => status === 201).length).toBeGreaterThan(0)
  expect(runs).toHaveLength(2)
  expect((await session.send(order)).fields).toContainEqual(['idempotency-replayed', 'true'])
  // If the first request was only slow, its answer does not count.
  runs[0]?.(200)
  expect((await lost).json).toMatchObject({ code: 'internal', outcome: 'unknown' })
  expect((await session.send(order)).status).toBe(201)
})

it('an interrupted request that resumes does not release its key while another request works on it', async () => {
  const { lost } = await interrupted()
  const second = session.send(order)
  await running(2)
  runs[0]?.(404)
  // The other request still runs, so the outcome is not none.
  const { json } = await lost
  expect(json).toMatchObject({ code: 'idempotency_in_progress' })
  expect(json).not.toHaveProperty('outcome')
  expect((await session.send({ ...order, body: { size: 2 } })).json.code).toBe('idempotency_mismatch')
  runs[1]?.(201)
  expect((await second).status).toBe(201)
  expect((await session.send(order)).fields).toContainEqual(['idempotency-replayed', 'true'])
  expect(runs).toHaveLength(2)
})

it('a key is interrupted again when the request that took it over had no effect, because the first may have had one', async () => {
  const { lost } = await interrupted()
  const second = session.send(order)
  await running(2)
  runs[1]?.(404)
  expect((await second).json).toMatchObject({ code: 'not_found', outcome: 'unknown' })
  expect((await session.send({ path: outcomePath('one') })).json).toEqual({ outcome: 'unknown' })
  const cancelling = await session.send({ method: 'DELETE', path: outcomePath('one') })
  expect(cancelling.json).toMatchObject({ code: 'idempotency_in_progress', outcome: 'unknown' })
  // The next repetition takes it over at once.
  const third = session.send(order)
  await running(3)
  runs[2]?.(201)
  expect((await third).status).toBe(201)
  expect((await session.send({ path: outcomePath('one') })).json).toMatchObject({ outcome: 'done' })
  runs[0]?.(404)
  expect((await lost).json).not.toHaveProperty('outcome', 'none')
})

it('another request with the key of an interrupted request is refused', async () => {
  const { lost } = await interrupted()
  expect((await session.send({ ...order, body: { size: 2 } })).json.code).toBe('idempotency_mismatch')
  expect(runs).toHaveLength(1)
  runs[0]?.(201)
  expect((await lost).status).toBe(201)
})

it('a request that failed with an unknown outcome is never run again', async () => {
  await start(true)
  const failed = session.send(order)
  await running(1)
  runs[0]?.(500)
  expect((await failed).json).toMatchObject({ code: 'internal', outcome: 'unknown', step: 'handler' })
  // Operators see the route; the error text may contain anything.
  expect(service.logText()).toMatch(/"fault":\{"name":"Error","at":\["[^"]*interrupted-requests\.test/)
  expect(service.logText()).not.toContain('in the middle')
  service.advanceClock(61)
  expect((await session.send(order)).json).toMatchObject({
    code: 'idempotency_in_progress',
    outcome: 'unknown',
  })
  expect(runs).toHaveLength(1)
})

it('one of several simultaneous repetitions takes over, also when all read before the first write', async () => {
  const store = await openStore({ kind: 'sqlite', path: ':memory:' })
  try {
    const claim = {
      kind: 'claim-idempotency',
      user: 'u_1',
      key: 'one',
      fingerprint: new Uint8Array(32),
      now: 1_000,
      expiresAt: 100_000,
    } as const
    expect(await store.commit([claim])).toEqual({ kind: 'committed' })
    const backend = { isIdempotent: () => true }
    const message = {
      method: 'POST',
      scheme: 'https',
      authority: 'a',
      path: '/',
      fields: [],
      content: new Uint8Array(0),
    }
    const ask = (parts: { readonly key?: string; readonly now?: number } = {}) =>
      replayStoredResponse({ store, backend } as unknown as ExchangeContext, message, {
        ...claim,
        now: 1_061,
        ...parts,
      })
    const running = { code: 'idempotency_in_progress', outcome: undefined }
    // After the minute, not at its end.
    await expect(ask({ now: 1_060 })).rejects.toMatchObject(running)
    const attempts = await Promise.allSettled([ask(), ask(), ask()])
    expect(attempts.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected', 'rejected'])
    for (const one of attempts) {
      if (one.status === 'rejected') expect(one.reason).toMatchObject(running)
    }
    // Released in between: the next repetition claims it.
    await expect(ask({ key: 'freed' })).rejects.toMatchObject(running)
  } finally {
    await store.close()
  }
})

it('an interrupted request is executed again only if the backend is declared idempotent', async () => {
  const { lost } = await interrupted(false)
  expect((await session.send(order)).json).toMatchObject({
    code: 'idempotency_in_progress',
    outcome: 'unknown',
  })
  expect(runs).toHaveLength(1)
  runs[0]?.(201)
  expect((await lost).status).toBe(201)
})

it('an interrupted request behind the gateway is run again only when its route declares it idempotent', async () => {
  const held: ServerResponse[] = []
  const upstream = await startUpstream((_, response) => {
    held.push(response)
  })
  const route = (path: string, more = {}) => ({
    path,
    upstream: upstream.origin,
    timeout_ms: 30_000,
    ...more,
  })
  const routes = [
    route('/orders', { idempotent: true }),
    route('/orders/plain'),
    route('/orders/never', { idempotent: false }),
  ]
  service = await ownService({ routes })
  session = await logIn(service)
  const paths = ['/orders/plain', '/orders/never', '/orders?fast', '/orders/1']
  const orders = paths.map((path) => ({ method: 'POST', path, body: { size: 1 }, key: path }))
  const lost = orders.map((parts) => session.send(parts))
  await expect.poll(() => held.length).toBe(4)
  service.advanceClock(61)
  const again = orders.map((parts) => session.send(parts))
  for (const refused of await Promise.all(again.slice(0, 2))) {
    expect(refused.json).toMatchObject({ code: 'idempotency_in_progress', outcome: 'unknown' })
  }
  await expect.poll(() => held.length).toBe(6)
  const sent = upstream.arrived.slice(4).map(({ url, headers }) => [url, headers['idempotency-key']])
  expect(sent.sort()).toEqual([
    ['/orders/1', '"/orders/1"'],
    ['/orders?fast', '"/orders?fast"'],
  ])
  for (const response of held.slice(4)) response.writeHead(201).end('second')
  for (const answer of await Promise.all(again.slice(2))) expect(answer.status).toBe(201)
  for (const response of held.slice(0, 4)) response.writeHead(200).end('first')
  const late = (await Promise.all(lost)).map(({ status, json }) => json?.outcome ?? status)
  expect(late).toEqual([200, 200, 'unknown', 'unknown'])
  upstream.close()
})
