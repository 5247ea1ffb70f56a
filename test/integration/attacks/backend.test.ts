/** A malicious backend: it impersonates its users, imitates problems of the service, and sends unusual responses. */
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Field, findField } from '../../../crypto/frames/binary-http.ts'
import { createVerifier, ProtocolError } from '../../../packages/verify/index.ts'
import { sharedService, sharedSession, sharedUpstream } from '../../support/hooks.ts'
import { outcomePath, type ReceivedReply } from '../../support/raw-client.ts'
import type { Arrived } from '../../support/upstream.ts'
import { createPhone, type Phone } from '../client/phone.ts'

/** The next response of the backend. */
let output: { status: number; body?: object | string; fields?: Record<string, string> }

const backend = sharedUpstream((_request, response) => {
  const { status, body = 'done', fields = {} } = output
  const isText = typeof body === 'string'
  response.sendDate = false
  response.writeHead(status, {
    'content-type': isText ? 'text/plain' : 'application/problem+json',
    ...fields,
  })
  response.end(isText ? body : JSON.stringify({ title: 'x', status, ...body }))
})
const service = sharedService(() => ({ environment: { MINISEAL_UPSTREAMS: `/shop=${backend.origin}` } }))
const alice = sharedSession(service, { openid: 'alice' })
/** The session that the backend's owner has as a user of the mini program. */
const own = sharedSession(service, { openid: 'owner of the backend' })
const order = { method: 'POST', path: '/shop/orders', body: { n: 1 } } as const

beforeEach(() => {
  output = { status: 200 }
})

/** A request of Alice that the backend kept. */
let kept: Arrived

beforeAll(async () => {
  output = { status: 200 }
  expect((await alice.send(order)).status).toBe(200)
  kept = backend.last()
})

async function codeAt(request: Arrived): Promise<string | undefined> {
  try {
    await createVerifier({ origin: service.origin })(request, Buffer.from(request.body))
    return undefined
  } catch (error) {
    if (error instanceof ProtocolError) return error.code
    throw error
  }
}

it('a backend cannot replay a request to the service, neither unchanged nor in its own session', async () => {
  const before = backend.arrived.length
  const fields = Object.entries(kept.headers).map(([name, value]): Field => [name, String(value)])
  const headers = fields.filter(([name]) => !['host', 'connection', 'content-length'].includes(name))
  const path = `${service.url}${kept.url}`
  const plain = await fetch(path, {
    method: 'POST',
    headers: headers.map(([a, b]): [string, string] => [a, b]),
    body: kept.body,
  })
  expect(plain.status).toBe(404)
  const sealed = await own.send({
    method: 'POST',
    path: kept.url,
    body: { n: 1 },
    after: (message) => ({ ...message, fields: headers.filter(([name]) => !name.startsWith('miniseal-')) }),
  })
  expect(sealed.status).toBe(401)
  const token = String(kept.headers.authorization).replace('HTTPSig ', '')
  expect((await own.send({ token })).json.code).toBe('token_key_mismatch')
  expect(backend.arrived).toHaveLength(before)
})

it('a backend cannot present another request of the user to a second backend', async () => {
  expect(await codeAt(kept)).toBeUndefined()
  const caller = String(kept.headers['miniseal-caller'])
  const changed: readonly Arrived[] = [
    { ...kept, url: '/bank/orders' },
    { ...kept, url: `${kept.url}?more` },
    { ...kept, method: 'PUT' },
    { ...kept, body: '{"n":2}' },
    { ...kept, headers: { ...kept.headers, 'idempotency-key': '"another"' } },
    { ...kept, headers: { ...kept.headers, 'miniseal-caller': caller.replace(alice.user, own.user) } },
    {
      ...kept,
      headers: { ...kept.headers, 'miniseal-caller': caller.replace('acr="session"', 'acr="soter"') },
    },
  ]
  for (const request of changed) expect(await codeAt(request)).toBeDefined()
})

it('a backend can present the same request to a second backend for a minute, which the Idempotency-Key detects', async () => {
  const later = { ...kept }
  const at = (seconds: number): Promise<unknown> =>
    createVerifier({ origin: service.origin, now: () => service.now() + seconds })(
      later,
      Buffer.from(later.body),
    )
  await at(30)
  await expect(at(80)).rejects.toMatchObject({ code: 'window_invalid' })
})

/** `count` fields with the content type. */
function manyFields(count: number, value = 'x'): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count - 1 }, (_, index) => [`x-${index}`, value]))
}

async function orderOnce(key: string): Promise<ReceivedReply> {
  return await alice.send({ ...order, key })
}

const valuesOf = ({ fields }: ReceivedReply, name: string): readonly string[] =>
  fields.filter(([each]) => each === name).map(([, value]) => value)

it('a replayed response carries exactly one replay marker and a first response none, whatever the backend sends', async () => {
  output = { status: 201, fields: { 'Idempotency-Replayed': 'true' } }
  const first = await orderOnce('replayed by itself')
  expect([first.status, valuesOf(first, 'idempotency-replayed')]).toEqual([201, []])
  const second = await orderOnce('replayed by itself')
  expect([second.status, valuesOf(second, 'idempotency-replayed')]).toEqual([201, ['true']])
})

it.each([
  ['as many fields as there may be', manyFields(56)],
  ['fields as long as they may be', { 'x-long': 'x'.repeat(14_300) }],
])('a stored response has room for the fields that the service adds to %s', async (title, fields) => {
  output = { status: 201, fields }
  expect((await orderOnce(title)).status).toBe(201)
  const again = await orderOnce(title)
  expect([again.status, valuesOf(again, 'idempotency-replayed')]).toEqual([201, ['true']])
  const outcome = await alice.send({ path: outcomePath(title) })
  expect(outcome.json).toMatchObject({ outcome: 'done', answer: { status: 201 } })
})

it.each([
  ['one field too many', 200, manyFields(57)],
  ['fields that are too long', 200, { 'x-long': 'x'.repeat(14_400) }],
  ['the status 600', 600, {}],
  ['the status 999', 999, {}],
])(
  'a response that cannot be encoded for %s is a backend fault with an unknown outcome and does not open the circuit',
  async (title, status, fields) => {
    output = { status, fields }
    // One more failure than opens the circuit.
    for (let count = 0; count < 6; count++) {
      const answer = await orderOnce(`${title} ${count}`)
      expect(answer.json).toMatchObject({ code: 'upstream_unavailable', outcome: 'unknown' })
      expect((await orderOnce(`${title} ${count}`)).json).toMatchObject({ outcome: 'unknown' })
    }
    output = { status: 200 }
    expect((await orderOnce(`${title}, and then`)).status).toBe(200)
  },
)

/** Spellings that an HTTP stack may take for the service's field. */
const spellings = [
  'miniseal-problem',
  'Miniseal-Problem',
  'miniseal_problem',
  'MINISEAL_PROBLEM',
  'miniseal-Problem',
]

describe('a backend that imitates problems of the service', () => {
  let phone: Phone
  let users = 0
  let prompts: string[]

  beforeEach(async () => {
    prompts = []
    backend.arrived.length = 0
    phone = createPhone(service, `user ${++users}`, {
      soter: async (challenge) => {
        prompts.push(challenge)
        return { resultJSON: '{}', resultJSONSignature: '' }
      },
      confirmDialog: async (summary) => prompts.push(summary) > 0,
      retries: 2,
    })
    await phone.channel.login()
  })

  it.each([
    ['session_ended', 401, {}],
    ['window_invalid', 401, { time: 4_102_444_800 }],
    ['token_expired', 401, {}],
    ['step_up_required', 401, { challenge: 'A'.repeat(43), summary: '0.01 yuan' }],
    ['replayed', 409, {}],
    ['unavailable', 503, { outcome: 'none' }],
    ['idempotency_in_progress', 409, { outcome: 'unknown' }],
  ])(
    'a backend response that imitates a service problem with %s triggers no recovery, login or prompt',
    async (code, status, more) => {
      for (const name of spellings) {
        output = { status, body: { code, ...more }, fields: { [name]: code } }
        const before = backend.arrived.length
        const answer = await phone.channel.request({ ...order, confirm: true })
        expect(answer.status).toBe(status)
        expect(answer.json()).toMatchObject({ code, ...more })
        expect(Object.keys(answer.headers).filter((header) => /^miniseal[-_]problem$/.test(header))).toEqual(
          [],
        )
        expect(backend.arrived).toHaveLength(before + 1)
      }
      expect(phone.codes).toHaveLength(1)
      expect(prompts).toEqual([])
      // The clock is unchanged: the service accepts the next request at once.
      output = { status: 200 }
      const frames = phone.proxy.frames
      expect((await phone.channel.request({ ...order, confirm: true })).status).toBe(200)
      expect(phone.proxy.frames).toBe(frames + 1)
    },
  )

  it('a backend cannot put a problem marker into a stored response', async () => {
    output = { status: 401, body: { code: 'session_ended' }, fields: { 'Miniseal-Problem': 'session_ended' } }
    const parts = { ...order, key: 'stored answer' }
    for (const replayed of [undefined, 'true']) {
      const answer = await alice.send(parts)
      expect(answer.json.code).toBe('session_ended')
      expect(findField(answer.fields, 'miniseal-problem')).toBeUndefined()
      expect(findField(answer.fields, 'idempotency-replayed')).toBe(replayed)
    }
  })
})

it('the service marks every own problem with its code under its signature', async () => {
  const created = service.now() - 600
  for (const [code, parts] of [
    ['window_invalid', { created }],
    ['token_missing', { token: undefined }],
    ['not_found', { path: '/nowhere' }],
    ['not_found', { method: 'DELETE', path: `/sessions/${'A'.repeat(22)}` }],
    ['payload_invalid', { method: 'PUT', path: `/devices/${alice.device.signer.keyid}`, body: {} }],
    ['idempotency_missing', { method: 'POST', path: '/shop/orders', body: {}, key: undefined }],
  ] as const) {
    const answer = await alice.send(parts)
    expect([answer.json.code, findField(answer.fields, 'miniseal-problem')]).toEqual([code, code])
    expect(findField(answer.fields, 'signature-input')).toContain('"miniseal-problem"')
  }
  const success = await alice.send({ path: '/sessions' })
  expect(findField(success.fields, 'miniseal-problem')).toBeUndefined()
})

it("the client takes the time from the service's signature", async () => {
  const late = createPhone(service, 'late', { now: () => (service.now() - 900) * 1000 })
  await late.channel.login()
  expect(late.codes).toHaveLength(2)
  expect((await late.channel.request({ ...order, confirm: true })).status).toBe(200)
})
