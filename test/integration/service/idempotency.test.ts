/** Protocol section 8: one effect for one key, and the same answer to every repetition. */
import Database from 'better-sqlite3'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { ProtocolError } from '../../../crypto/errors.ts'
import type { ResponseMessage } from '../../../crypto/frames/binary-http.ts'
import { encodeUtf8 } from '../../../crypto/text.ts'
import { ownService } from '../../support/hooks.ts'
import type { RequestParts } from '../../support/raw-client.ts'
import { logIn, outcomePath, type RawSession, random, send } from '../../support/raw-client.ts'
import { withStore } from '../../support/read-log.ts'
import { startTestService, type TestService } from '../../support/service.ts'

let service: TestService
let session: RawSession
let effects: string[] = []
let answer: () => Promise<ResponseMessage>

const text = (status: number, body: string): ResponseMessage => ({
  status,
  fields: [
    ['content-type', 'text/plain'],
    ['x-effect', String(effects.length)],
  ],
  content: encodeUtf8(body),
})

beforeAll(async () => {
  const backend = {
    answer: async ({ path }: { path: string }) => {
      effects.push(path)
      return await answer()
    },
  }
  service = await startTestService({ backend })
  session = await logIn(service)
})

afterAll(() => service.close())

beforeEach(() => {
  effects = []
  answer = async () => text(201, 'made')
})

const posting = (key: string, parts: RequestParts = {}): RequestParts => ({
  method: 'POST',
  path: '/things',
  body: { size: 1 },
  key,
  ...parts,
})

it('a repeated request gets the stored status, fields and body, marked as replayed, without a second effect', async () => {
  const first = await session.send(posting('a'))
  const again = await session.send(posting('a'))
  expect(effects).toEqual(['/things'])
  expect(first.fields.map(([name]) => name)).not.toContain('idempotency-replayed')
  expect(again.fields).toContainEqual(['idempotency-replayed', 'true'])
  expect(again.fields).toContainEqual(['x-effect', '1'])
  expect([again.kind, again.status, first.status]).toEqual(['sealed', 201, 201])
})

it('a stored response is kept for a day', async () => {
  const own = await ownService({
    backend: { answer: async () => text(200, 'x'), close: async () => {} },
  })
  const openid = 'openid-of-a-day'
  const first = await logIn(own, { openid })
  await first.send(posting('day'))
  own.advanceClock(86_400)
  const next = await logIn(own, { openid, device: first.device })
  const prune = () => withStore(own.environment, (store) => store.prune(own.now(), 1_000))
  await prune()
  expect((await next.send(posting('day'))).fields).toContainEqual(['idempotency-replayed', 'true'])
  own.advanceClock(3_700)
  await prune()
  const last = await logIn(own, { openid, device: first.device })
  const anew = await last.send(posting('day'))
  expect(anew.status).toBe(200)
  expect(anew.fields.map(([name]) => name)).not.toContain('idempotency-replayed')
})

it('a stored response that was moved to another key in the database is not decrypted', async () => {
  await session.send(posting('mine'))
  await session.send(posting('moved'))
  const path = service.environment.MINISEAL_DATABASE?.replace('sqlite:', '')
  const database = new Database(path)
  const answer = `(select response_wrapped from idempotency_keys where key = 'mine')`
  expect(
    database.prepare(`update idempotency_keys set response_wrapped = ${answer} where key = 'moved'`).run()
      .changes,
  ).toBe(1)
  database.close()
  const code = 'internal'
  expect((await session.send(posting('moved'))).json).toMatchObject({ code, status: 500, outcome: 'unknown' })
  expect((await session.send({ path: outcomePath('moved') })).json).toMatchObject({ code })
  expect((await session.send({ method: 'DELETE', path: outcomePath('moved') })).json).toMatchObject({ code })
  expect((await session.send(posting('mine'))).fields).toContainEqual(['idempotency-replayed', 'true'])
})

it('an error status of a backend is stored and repeated', async () => {
  answer = async () => text(422, 'no')
  expect((await session.send(posting('b'))).status).toBe(422)
  answer = async () => text(201, 'made')
  expect((await session.send(posting('b'))).status).toBe(422)
  expect(effects).toHaveLength(1)
})

it.each([
  ['body', { body: { size: 2 } }],
  ['path', { path: '/others' }],
  ['query', { path: '/things?x=1' }],
  ['method', { method: 'PUT' }],
])('a key is refused for a request with another %s: idempotency_mismatch', async (title, parts) => {
  await session.send(posting(`c-${title}`))
  const received = await session.send(posting(`c-${title}`, parts))
  expect(received).toMatchObject({
    kind: 'sealed',
    status: 422,
    json: { code: 'idempotency_mismatch', step: 'idempotency' },
  })
  expect(effects).toHaveLength(1)
})

it('requests with different queries are different requests, wherever the question marks are', async () => {
  expect((await session.send(posting('c-marks', { path: '/things?a?b' }))).status).toBe(201)
  const received = await session.send(posting('c-marks', { path: '/things?ab' }))
  expect(received.json.code).toBe('idempotency_mismatch')
})

it('a key may have 255 characters', async () => {
  const long = posting('x'.repeat(255))
  expect((await session.send(long)).status).toBe(201)
  expect((await session.send(long)).fields).toContainEqual(['idempotency-replayed', 'true'])
})

it.each(['PUT', 'PATCH', 'DELETE'])(
  '%s needs a key, also on a path where POST needs none',
  async (method) => {
    const received = await session.send({ method, path: '/sessions', key: undefined })
    expect(received.json).toMatchObject({ code: 'idempotency_missing', step: 'idempotency' })
  },
)

it('a subscription needs no key', async () => {
  const received = await session.send({
    method: 'POST',
    path: '/events/subscription',
    key: undefined,
    body: { after: 0 },
  })
  // It lacks only the socket.
  expect(received.json).toMatchObject({ code: 'payload_invalid', step: 'handler' })
})

it('two users may use the same key', async () => {
  await session.send(posting('d'))
  const other = await logIn(service)
  expect((await other.send(posting('d'))).fields.map(([name]) => name)).not.toContain('idempotency-replayed')
  expect(effects).toHaveLength(2)
})

it('20 simultaneous requests with one key have one effect, and the others get 409 while it runs', async () => {
  let finish: () => void = () => {}
  const gate = new Promise<void>((resolve) => {
    finish = resolve
  })
  answer = async () => {
    await gate
    return text(201, 'made')
  }
  const first = session.send(posting('e'))
  while (effects.length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  const others = await Promise.all(Array.from({ length: 19 }, () => session.send(posting('e'))))
  for (const { status, json } of others) {
    expect(status).toBe(409)
    expect(json).toMatchObject({ code: 'idempotency_in_progress', retryable: true })
    expect(json).not.toHaveProperty('outcome')
  }
  finish()
  expect((await first).status).toBe(201)
  expect((await session.send(posting('e'))).status).toBe(201)
  expect(effects).toHaveLength(1)
})

it('the outcome is unknown after a failure of the backend, and the request is never retried', async () => {
  answer = async () => {
    throw new Error('died half-way')
  }
  expect((await session.send(posting('f'))).json).toMatchObject({
    code: 'internal',
    status: 500,
    detail: 'the service failed',
    outcome: 'unknown',
  })
  answer = async () => text(201, 'made')
  const again = await session.send(posting('f'))
  expect(again.json).toMatchObject({ code: 'idempotency_in_progress', status: 409, outcome: 'unknown' })
  expect(effects).toHaveLength(1)
})

it('the outcome is unknown when the first request has not finished within a minute', async () => {
  let finish: (() => void) | undefined
  const own = await ownService({
    backend: {
      answer: () =>
        new Promise((resolve) => {
          finish = () => resolve(text(201, 'late'))
        }),
    },
  })
  const someone = await logIn(own)
  const first = someone.send(posting('silent'))
  await expect.poll(() => finish).toBeDefined()
  expect((await someone.send(posting('silent'))).json).not.toHaveProperty('outcome')
  own.advanceClock(61)
  expect((await someone.send(posting('silent'))).json).toMatchObject({
    code: 'idempotency_in_progress',
    outcome: 'unknown',
  })
  finish?.()
  await first
})

it('a backend refusal that declares no effect settles the key with the outcome none', async () => {
  answer = async () => {
    throw new ProtocolError('payload_invalid', 'too small')
  }
  const first = await session.send(posting('g'))
  expect(first.json).toMatchObject({ code: 'payload_invalid', detail: 'too small', outcome: 'none' })
  answer = async () => text(201, 'made')
  const again = await session.send(posting('g'))
  expect(again.json).toEqual(first.json)
  expect([again.status, first.status]).toEqual([400, 400])
  expect(again.fields).toContainEqual(['idempotency-replayed', 'true'])
  expect(effects).toHaveLength(1)
  expect((await session.send(posting('g', { body: { size: 2 } }))).json).not.toHaveProperty('outcome')
})

it('a refusal before the key is looked up has no outcome', async () => {
  const frame = session.prepare(posting('no-outcome', { path: '/sessions/nothing' }))
  expect((await send(service, frame)).json).toMatchObject({ code: 'not_found', outcome: 'none' })
  expect((await send(service, frame)).json).not.toHaveProperty('outcome')
  expect((await session.send({ path: '/sessions/nothing' })).json).not.toHaveProperty('outcome')
  expect((await session.send(posting('late', { created: service.now() - 121 }))).json).not.toHaveProperty(
    'outcome',
  )
})

it('the outcome is unknown for a response over the frame limit, and the key keeps that response', async () => {
  answer = async () => ({ ...text(201, ''), content: new Uint8Array(1_100_000) })
  for (const _time of [1, 2]) {
    const received = await session.send(posting('too-large'))
    expect(received.json).toMatchObject({ code: 'upstream_unavailable', outcome: 'unknown' })
  }
  const reply = await session.send({ path: outcomePath('too-large') })
  expect(reply.json).toEqual({ outcome: 'done' })
  expect(effects).toHaveLength(1)
})

it.each(['', '""', 'token-form', '"a";b=1', '"a', `"${'x'.repeat(256)}"`])(
  'a key %s is refused, and its request still uses up the nonce',
  async (value) => {
    const nonce = random(16)
    const parts = posting('h', {
      nonce,
      before: (message) => ({
        ...message,
        fields: message.fields.map(
          ([name, old]) => [name, name === 'idempotency-key' ? value : old] as const,
        ),
      }),
    })
    expect((await session.send(parts)).json).toMatchObject({ code: 'idempotency_missing', status: 400 })
    expect((await session.send(parts)).json).toMatchObject({ code: 'replayed' })
    expect(effects).toHaveLength(0)
  },
)
