/**
 * A malicious backend that imitates problems of the service. The service signs its responses like all others, but they
 * never trigger what only the service may ask for: clock correction, login, step-up authentication.
 */
import { beforeEach, describe, expect, it } from 'vitest'
import { findField } from '../../../crypto/frames/binary-http.ts'
import { sharedService, sharedUpstream } from '../../support/hooks.ts'
import { logIn } from '../../support/raw-client.ts'
import { createPhone, type Phone } from '../client/phone.ts'

let phone: Phone
let asked: string[]
let users = 0
/** What the backend says next. */
let said: { status: number; body: Record<string, unknown>; fields: Record<string, string> }

const backend = sharedUpstream((_request, response) => {
  response.writeHead(said.status, { 'content-type': 'application/problem+json', ...said.fields })
  response.end(JSON.stringify({ title: 'x', status: said.status, ...said.body }))
})
const service = sharedService(() => ({ environment: { MINISEAL_UPSTREAMS: `/shop=${backend.origin}` } }))

beforeEach(async () => {
  asked = []
  backend.arrived.length = 0
  phone = createPhone(service, `user ${++users}`, {
    soter: async (challenge) => {
      asked.push(challenge)
      return { resultJSON: '{}', resultJSONSignature: '' }
    },
    confirmDialog: async (summary) => {
      asked.push(summary)
      return true
    },
    retries: 2,
  })
  await phone.channel.login()
})

/** Every spelling by which an HTTP stack might take the field for the service's own. */
const spellings = [
  'miniseal-problem',
  'Miniseal-Problem',
  'miniseal_problem',
  'MINISEAL_PROBLEM',
  'miniseal-Problem',
]

const order = { method: 'POST', path: '/shop/orders', body: { n: 1 }, confirm: true } as const

describe('a backend that answers in the service’s words', () => {
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
        said = { status, body: { code, ...more }, fields: { [name]: code } }
        const before = backend.arrived.length
        const answer = await phone.channel.request(order)
        expect(answer.status).toBe(status)
        expect(answer.json()).toMatchObject({ code, ...more })
        expect(Object.keys(answer.headers).filter((header) => /^miniseal[-_]problem$/.test(header))).toEqual(
          [],
        )
        expect(backend.arrived).toHaveLength(before + 1)
      }
      expect(phone.codes).toHaveLength(1)
      expect(asked).toEqual([])
      // The clock is as it was: the service takes the next request at once.
      said = { status: 200, body: {}, fields: {} }
      const frames = phone.proxy.frames
      expect((await phone.channel.request(order)).status).toBe(200)
      expect(phone.proxy.frames).toBe(frames + 1)
    },
  )

  it('a backend cannot put a problem marker into a stored response', async () => {
    const alice = await logIn(service, { openid: 'alice' })
    said = { status: 401, body: { code: 'session_ended' }, fields: { 'Miniseal-Problem': 'session_ended' } }
    const parts = { method: 'POST', path: '/shop/orders', body: { n: 2 }, key: 'stored answer' }
    for (const replayed of [undefined, 'true']) {
      const heard = await alice.send(parts)
      expect(heard.json.code).toBe('session_ended')
      expect(findField(heard.fields, 'miniseal-problem')).toBeUndefined()
      expect(findField(heard.fields, 'idempotency-replayed')).toBe(replayed)
    }
  })
})

describe('the service itself', () => {
  it('the service marks every own problem with its code under its signature', async () => {
    const alice = await logIn(service, { openid: 'alice' })
    said = { status: 200, body: {}, fields: {} }
    const created = service.now() - 600
    for (const [code, parts] of [
      ['window_invalid', { created }],
      ['token_missing', { token: undefined }],
      ['not_found', { path: '/nowhere' }],
      ['not_found', { method: 'DELETE', path: `/sessions/${'A'.repeat(22)}` }],
      ['payload_invalid', { method: 'PUT', path: `/devices/${alice.device.signer.keyid}`, body: {} }],
      ['idempotency_missing', { method: 'POST', path: '/shop/orders', body: {}, key: undefined }],
    ] as const) {
      const heard = await alice.send(parts)
      expect([heard.json.code, findField(heard.fields, 'miniseal-problem')]).toEqual([code, code])
      expect(findField(heard.fields, 'signature-input')).toContain('"miniseal-problem"')
    }
    const success = await alice.send({ method: 'GET', path: '/sessions' })
    expect(findField(success.fields, 'miniseal-problem')).toBeUndefined()
  })

  it("the client takes the time from the service's signature", async () => {
    const late = createPhone(service, 'late', { now: () => (service.now() - 900) * 1000 })
    await late.channel.login()
    expect(late.codes).toHaveLength(2)
    said = { status: 200, body: {}, fields: {} }
    expect((await late.channel.request(order)).status).toBe(200)
  })
})
