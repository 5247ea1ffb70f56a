/** `GET` and `DELETE /outcomes/{key}` (protocol, section 8): the outcome of a request, and the cancellation of a key. */

import { beforeEach, expect, it } from 'vitest'
import { ProtocolError } from '../../../crypto/errors.ts'
import { decodeBase64, decodeUtf8, encodeUtf8 } from '../../../crypto/text.ts'
import { stepUpRequired } from '../../../service/gateway/step-up.ts'
import { ownService, sharedService, sharedSession } from '../../support/hooks.ts'
import {
  logIn,
  outcomePath,
  type ReceivedReply,
  type RequestParts,
  send,
  withFields,
} from '../../support/raw-client.ts'
import { withStore } from '../../support/read-log.ts'

let runs: string[] = []
let answer: (content: Uint8Array) => Promise<Uint8Array>

const service = sharedService({
  backend: {
    answer: async ({ fields, content }) => {
      runs.push(new Map(fields).get('idempotency-key') ?? '')
      const fieldsOut = [['content-type', 'text/plain']] as const
      return { status: 201, fields: fieldsOut, content: await answer(content) }
    },
  },
})
const session = sharedSession(service, { openid: 'openid-of-outcomes' })

beforeEach(() => {
  runs = []
  answer = async () => encodeUtf8('made')
})

const order = (key: string): RequestParts => ({ method: 'POST', path: '/things', body: { size: 1 }, key })
const fetchOutcome = (key: string, by = session): Promise<ReceivedReply> =>
  by.send({ path: outcomePath(key) })
const cancel = (key: string, by = session): Promise<ReceivedReply> =>
  by.send({ method: 'DELETE', path: outcomePath(key), key: undefined })

it('a cancelled key that was not used never runs a request', async () => {
  expect((await fetchOutcome('given-up')).json).toEqual({ outcome: 'unclaimed' })
  const received = await cancel('given-up')
  expect(received).toMatchObject({ status: 200, json: { outcome: 'none', cancelled: true } })
  for (const body of [{ size: 1 }, { size: 2 }]) {
    expect((await session.send({ ...order('given-up'), body })).json).toMatchObject({
      code: 'request_cancelled',
      status: 409,
      outcome: 'none',
      step: 'idempotency',
    })
  }
  expect((await cancel('given-up')).json).toEqual({ outcome: 'none', cancelled: true })
  expect((await fetchOutcome('given-up')).json).toEqual({ outcome: 'none', cancelled: true })
  expect(runs).toEqual([])
})

it('the outcome of a request that ran includes its response, and a cancellation leaves it unchanged', async () => {
  await session.send(order('ran'))
  for (const received of [await fetchOutcome('ran'), await cancel('ran')]) {
    expect(received.json.outcome).toBe('done')
    expect(received.json.answer).toMatchObject({ status: 201, fields: [['content-type', 'text/plain']] })
    expect(decodeUtf8(decodeBase64(received.json.answer.content))).toBe('made')
  }
  expect((await session.send(order('ran'))).fields).toContainEqual(['idempotency-replayed', 'true'])
})

it('the outcome of a request without effect includes its refusal', async () => {
  answer = async () => {
    throw new ProtocolError('not_found', 'no such thing')
  }
  const refused = await session.send(order('refused'))
  expect(refused.json.outcome).toBe('none')
  const reply = await fetchOutcome('refused')
  expect(reply.json.outcome).toBe('none')
  expect(JSON.parse(decodeUtf8(decodeBase64(reply.json.answer.content)))).toEqual(refused.json)
  expect((await cancel('refused')).json).toEqual({ outcome: 'none', cancelled: false })
})

it('a running request and an unknown outcome are reported as such and cannot be cancelled', async () => {
  let fail: () => void = () => {}
  answer = () =>
    new Promise((_resolve, reject) => {
      fail = () => reject(new Error('died half-way'))
    })
  const running = session.send(order('runs'))
  await expect.poll(() => runs.length).toBe(1)
  expect((await fetchOutcome('runs')).json).toEqual({ outcome: 'running' })
  const refused = await cancel('runs')
  expect(refused.json).toMatchObject({ code: 'idempotency_in_progress', status: 409 })
  expect(refused.json).not.toHaveProperty('outcome')
  fail()
  expect((await running).json.outcome).toBe('unknown')
  expect((await fetchOutcome('runs')).json).toEqual({ outcome: 'unknown' })
  expect((await cancel('runs')).json).toMatchObject({
    code: 'idempotency_in_progress',
    status: 409,
    outcome: 'unknown',
  })
})

it('a key can be cancelled between a challenge and its confirmation', async () => {
  answer = async () => {
    throw stepUpRequired('pay')
  }
  const challenged = await session.send(order('asked'))
  expect(challenged.json.code).toBe('step_up_required')
  expect(challenged.json).not.toHaveProperty('outcome')
  expect((await fetchOutcome('asked')).json).toEqual({ outcome: 'unclaimed' })
  expect((await cancel('asked')).json).toEqual({ outcome: 'none', cancelled: true })
  expect((await session.send(order('asked'))).json.code).toBe('request_cancelled')
})

it('a failed step-up leaves the key unclaimed', async () => {
  const withStepUp = order('unconfirmed')
  const received = await session.send({
    ...withStepUp,
    ...withFields(['step-up', 'a=1']),
  })
  expect(received.json.code).toBe('step_up_invalid')
  expect(received.json).not.toHaveProperty('outcome')
  expect((await session.send(withStepUp)).status).toBe(201)
})

it('outcomes belong to a user: others see an unclaimed key', async () => {
  await session.send(order('mine'))
  const other = await logIn(service)
  expect((await fetchOutcome('mine', other)).json).toEqual({ outcome: 'unclaimed' })
  expect((await cancel('mine', other)).json).toEqual({ outcome: 'none', cancelled: true })
  expect((await fetchOutcome('mine')).json.outcome).toBe('done')
  const phone = await logIn(service, { openid: 'openid-of-outcomes' })
  expect((await fetchOutcome('mine', phone)).json.answer.status).toBe(201)
})

it.each([
  ['renews', { method: 'POST', path: '/sessions/current/token' }, 201],
  ['logs-out', { method: 'DELETE', path: '/sessions/current' }, 204],
])('the service returns no stored response of another session: %s', async (key, parts, status) => {
  const one = await logIn(service, { openid: 'openid-of-outcomes' })
  const other = await logIn(service, { openid: 'openid-of-outcomes' })
  const first = await one.send({ ...parts, key })
  expect(first.status).toBe(status)
  const received = await other.send({ ...parts, key })
  expect(received.json).toMatchObject({ code: 'idempotency_mismatch' })
  for (const reply of [await fetchOutcome(key, other), await cancel(key, other)])
    expect(reply.json).toEqual({ outcome: 'done' })
  if (status === 204) return
  expect((await one.send({ ...parts, key })).json.access_token).toBe(first.json.access_token)
  expect((await fetchOutcome(key, one)).json.answer.status).toBe(201)
})

it.each(['', 'a', 'YQ==', 'w6k', 'Cg', `${'YWFh'.repeat(86)}`])(
  '/outcomes/%s is not_found, because it names no key',
  async (name) => {
    for (const method of ['GET', 'DELETE'])
      expect((await session.send({ method, path: `/outcomes/${name}`, key: undefined })).json.code).toBe(
        'not_found',
      )
  },
)

it('keys of every form are accepted, and queries are not', async () => {
  const key = ` !#$%&'()*+,-./:;<=>?@[]^_\`{|}~ ${'x'.repeat(200)}`
  await session.send(order(key))
  expect((await fetchOutcome(key)).json.outcome).toBe('done')
  expect((await session.send({ path: `${outcomePath(key)}?x=1` })).json.code).toBe('not_found')
  expect((await session.send({ method: 'PUT', path: outcomePath(key) })).json.code).toBe('not_found')
})

it('a cancellation outlives every signed frame, also across a restart', async () => {
  const held = session.prepare(order('held'))
  await cancel('held')
  service.advanceClock(119)
  await withStore(service.environment, (store) => store.prune(service.now(), 10_000))
  expect((await send(service, held)).json.code).toBe('request_cancelled')
  expect(runs).toEqual([])
})

it('outcomes have a separate rate limit', async () => {
  const own = await ownService({ environment: { MINISEAL_LIMITS: 'user=2/60,outcome=3/60' } })
  const one = await logIn(own)
  await one.send({ method: 'POST', path: '/nothing', key: 'k' })
  await one.send()
  expect((await one.send()).json.code).toBe('rate_limited')
  expect((await fetchOutcome('k', one)).json.outcome).toBe('none')
  const fenced = await cancel('other', one)
  expect(fenced.json).toEqual({ outcome: 'none', cancelled: true })
  expect(new Map(fenced.fields).get('ratelimit-policy')).toBe('"outcome";q=3;w=60')
  expect((await fetchOutcome('k', one)).status).toBe(200)
  expect((await fetchOutcome('k', one)).json.code).toBe('rate_limited')
})

it('a cancellation needs no confirmation in a session that requires confirmations', async () => {
  const policy = '0=allow,1=allow,2=allow,3=step-up,4=refuse,unavailable=allow'
  const own = await ownService({ environment: { MINISEAL_RISK_POLICY: policy } })
  const openid = 'openid-of-risk'
  await own.sandbox('/sandbox/risk-ranks', { appid: own.appid, openid, risk_rank: 3 })
  const risky = await logIn(own, { openid })
  expect((await risky.send(order('asked'))).json.code).toBe('step_up_required')
  expect((await cancel('asked', risky)).json.cancelled).toBe(true)
})
