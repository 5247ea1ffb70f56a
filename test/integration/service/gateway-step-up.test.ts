/** Routes of the gateway that require a biometric confirmation, for backends without step-up. */

import { beforeEach, expect, it } from 'vitest'
import { parseRoutes } from '../../../service/gateway/routes.ts'
import { confirmation, withStepUp } from '../../support/confirmation.ts'
import { sharedService, sharedSession, sharedUpstream } from '../../support/hooks.ts'
import type { RequestParts } from '../../support/raw-client.ts'

const openid = 'openid-gateway-step-up'
let seen: string[] = []
const upstream = sharedUpstream((request, response) => {
  const [, acr] = /acr="(\w+)"/.exec(String(request.headers['miniseal-caller'])) ?? []
  seen.push(`${request.method} ${request.url} ${acr}`)
  response.end('done')
})
const above = { member: 'amount', value: 1000 }
const service = sharedService(() => ({
  routes: [
    { path: '/pay', upstream: upstream.origin, step_up: { above, summary: '{amount} 分给 {payee}' } },
    { path: '/limits', upstream: upstream.origin, step_up: { always: true } },
  ],
}))
const session = sharedSession(service, { openid })

beforeEach(() => {
  seen = []
})

let keys = 0
function paying(body: unknown, path = '/pay'): RequestParts {
  keys += 1
  return { method: 'POST', path, body, key: `pay-${keys}` }
}

/** A request with exactly this text as its body. */
function saying(text: string): RequestParts {
  const content = new TextEncoder().encode(text)
  return { ...paying({}), before: (message) => ({ ...message, content }) }
}

it('a request up to the value passes, and one above it only when it is confirmed', async () => {
  expect((await session.send(paying({ payee: 'bob', amount: 1000 }))).status).toBe(200)
  const large = paying({ payee: 'bob', amount: 1001 })
  const challenged = await session.send(large)
  expect(challenged).toMatchObject({
    status: 401,
    json: { code: 'step_up_required', summary: '1001 分给 bob' },
  })
  expect(seen).toEqual(['POST /pay session'])
  const { challenge } = challenged.json
  const value = await confirmation(service, openid, challenge)
  expect((await session.send(withStepUp(large, value))).status).toBe(200)
  expect(seen).toEqual(['POST /pay session', 'POST /pay soter'])
})

it('a route with `always` requires a confirmation for every request except reads', async () => {
  expect((await session.send({ path: '/limits' })).status).toBe(200)
  const parts: RequestParts = { method: 'DELETE', path: '/limits', key: 'limits' }
  expect((await session.send(parts)).json).toMatchObject({
    code: 'step_up_required',
    summary: 'DELETE /limits',
  })
  expect(seen).toEqual(['GET /limits session'])
})

it.each([
  ['lacks the member', '{"payee":"bob"}'],
  ['has a text for the number', '{"amount":"99999"}'],
  ['has the member twice', '{"amount":99999,"amount":1}'],
  ['has the member twice, once escaped', '{"amount":99999,"\\u0061mount":1}'],
  ['is a list', '[99999]'],
  ['is not JSON', 'amount=99999'],
])('a body that %s is refused and not taken for a small amount', async (_title, text) => {
  expect((await session.send(saying(text))).json).toMatchObject({ code: 'payload_invalid', status: 400 })
  expect(seen).toEqual([])
})

it.each([
  ['turns the text around', { payee: '\u202ebob' }],
  ['isolates a part of it', { payee: '\u2066bob\u2069' }],
  ['starts a new line', { payee: 'bob\n1 分' }],
  ['starts a new line as Unicode does', { payee: 'bob\u20281 分' }],
  ['contains an invisible character', { payee: 'b\u200bob' }],
  ['is too long for the prompt', { payee: 'b'.repeat(40) }],
  ['is empty', { payee: '' }],
  ['is blank', { payee: ' \u00a0\u3000\u2800' }],
  ['is missing', {}],
  ['is a list', { payee: ['bob'] }],
])(
  'the gateway requests no confirmation of an invisible payee: a payee that %s is payload_invalid',
  async (_title, more) => {
    const reply = await session.send(paying({ amount: 5000, ...more }))
    expect(reply.json).toMatchObject({ code: 'payload_invalid', status: 400 })
    expect(reply.json.summary).toBeUndefined()
    expect(seen).toEqual([])
  },
)

it('a route without a summary shows the beginning of a long path', async () => {
  const { json } = await session.send(paying({ n: 1 }, `/limits/${'x'.repeat(60)}`))
  expect(json.summary).toBe(`POST /limits/${'x'.repeat(28)}…`)
})

it.each([
  ['does not show the amount', '转账给 {payee}'],
  ['shows the payee first', '向 {payee} 转账 {amount} 分'],
  ['shows the amount far behind', '您正在向对方账户转账 {amount} 分'],
  ['cannot fit', `{amount} ${'长'.repeat(42)}`],
  ['holds a control character', '{amount}\u202e {payee}'],
  ['is empty', ''],
])('the service does not start with a step-up summary that %s', (_title, summary) => {
  const route = { path: '/a', upstream: 'http://127.0.0.1:1' }
  const above = { member: 'amount', value: 1 }
  const always = summary === '转账给 {payee}' ? '' : summary
  for (const step_up of [
    { above, summary },
    { always: true, summary: always },
  ])
    expect(() => parseRoutes(JSON.stringify([{ ...route, step_up }]))).toThrow(/route 1, step_up.*/)
  expect(() => parseRoutes(JSON.stringify([{ ...route, step_up: { above } }]))).toThrow(/step_up/)
})

it('the step-up policy of a route is parsed strictly', () => {
  const route = { path: '/a', upstream: 'http://127.0.0.1:1' }
  for (const step_up of [
    {},
    { always: false },
    { above: { member: 'amount' } },
    { always: true, extra: 1 },
    true,
  ]) {
    expect(() => parseRoutes(JSON.stringify([{ ...route, step_up }]))).toThrow(/route 1, step_up/)
  }
})
