/** An attacker who substitutes another request with the same body for one that was confirmed or answered. */

import { expect, it } from 'vitest'
import type { Field, RequestMessage } from '../../../crypto/frames/binary-http.ts'
import { confirmation } from '../../support/confirmation.ts'
import { sharedService, sharedSession, sharedUpstream } from '../../support/hooks.ts'
import type { ReceivedReply } from '../../support/raw-client.ts'

const openid = 'openid-same-request'
const upstream = sharedUpstream((_request, response) => response.end('done'))
const service = sharedService(() => ({
  routes: [
    { path: '/pay', upstream: upstream.origin, step_up: { always: true } },
    { path: '/orders', upstream: upstream.origin },
  ],
}))
const session = sharedSession(service, { openid })

/** Fields that replace those of the same name, or come to them. */
async function post(
  path: string,
  key: string,
  changed: readonly Field[],
  method = 'POST',
): Promise<ReceivedReply> {
  const names = changed.map(([name]) => name)
  return await session.send({
    method,
    path,
    key,
    body: { a: 'b=1&amount=5' },
    before: (message) => ({
      ...message,
      fields: [...message.fields.filter(([name]) => !names.includes(name)), ...changed],
    }),
  })
}

const others: readonly (readonly [string, readonly Field[]])[] = [
  ['as a form', [['content-type', 'application/x-www-form-urlencoded']]],
  ['with a parameter of its type', [['content-type', 'application/json; charset=utf-16']]],
  ['with a content coding', [['content-encoding', 'gzip']]],
  ['on a condition', [['if-none-match', '"x"']]],
]

it.each(others)('a request confirmed as JSON does not run %s', async (title, changed) => {
  const key = `confirmed ${title}`
  const challenged = await post('/pay', key, [])
  expect(challenged.json.code).toBe('step_up_required')
  const { challenge } = challenged.json
  const confirmed: Field = ['step-up', await confirmation(service, openid, challenge)]
  const before = upstream.arrived.length
  const reply = await post('/pay', key, [...changed, confirmed])
  expect(reply.json).toMatchObject({ code: 'step_up_invalid', step: 'step-up' })
  expect(upstream.arrived).toHaveLength(before)
  // The request that was confirmed still runs, also with another token: nothing was used up.
  expect((await session.send({ method: 'POST', path: '/sessions/current/token' })).status).toBe(201)
  expect((await post('/pay', key, [confirmed])).status).toBe(200)
  expect(upstream.last().headers['content-type']).toBe('application/json')
})

it.each(others)('a request sent %s is not a repetition of the first one', async (title, changed) => {
  const key = `repeated ${title}`
  expect((await post('/orders', key, [])).status).toBe(200)
  const before = upstream.arrived.length
  expect((await post('/orders', key, changed)).json.code).toBe('idempotency_mismatch')
  const again = await post('/orders', key, [['accept', 'text/plain']])
  expect(again.fields).toContainEqual(['idempotency-replayed', 'true'])
  expect(upstream.arrived).toHaveLength(before)
})

it('idempotency key and query are bound, for safe methods too', async () => {
  const challenged = await post('/pay?a', 'one', [])
  const { challenge } = challenged.json
  const confirmed: Field = ['step-up', await confirmation(service, openid, challenge)]
  for (const [path, key, method] of [
    ['/pay?b', 'one', 'POST'],
    ['/pay', 'one', 'POST'],
    ['/pay?a', 'other', 'POST'],
    ['/pay?a', 'one', 'PUT'],
    ['/pay?a', 'one', 'OPTIONS'],
  ] as const)
    expect((await post(path, key, [confirmed], method)).json.code).toBe('step_up_invalid')
  expect((await post('/pay?a', 'one', [confirmed])).status).toBe(200)
})

const uncovered: readonly Field[] = [
  ['if-match', '"another"'],
  ['if-unmodified-since', 'Wed, 21 Oct 2015 07:28:00 GMT'],
  ['prefer', 'return=minimal'],
]

it.each(uncovered)('neither a confirmation nor a repetition is bound to %s', async (name, value) => {
  const challenged = await post('/pay', `confirmed ${name}`, [])
  const { challenge } = challenged.json
  const confirmed: Field = ['step-up', await confirmation(service, openid, challenge)]
  expect((await post('/pay', `confirmed ${name}`, [[name, value], confirmed])).status).toBe(200)
  expect(upstream.last().headers[name]).toBe(value)
  const before = upstream.arrived.length
  const again = await post('/pay', `confirmed ${name}`, [])
  expect([again.status, upstream.arrived.length]).toEqual([200, before])
})

it('an attacker with session keys can change unsigned fields only', async () => {
  const withField = (field: Field) => ({
    method: 'POST',
    path: '/orders',
    body: { n: 1 },
    after: (message: RequestMessage): RequestMessage => ({ ...message, fields: [...message.fields, field] }),
  })
  for (const [name, value] of uncovered) {
    expect((await session.send(withField([name, value]))).status).toBe(200)
    expect(upstream.last().headers[name]).toBe(value)
  }
  const before = upstream.arrived.length
  expect((await session.send(withField(['if-none-match', '*']))).json.code).toBe('components_incomplete')
  expect(upstream.arrived).toHaveLength(before)
})
