/** Every refusal of protocol section 7 that the channel can give, provoked over real HTTP. */
import Database from 'better-sqlite3'
import { expect, it } from 'vitest'
import type { ProtocolCode } from '../../../crypto/errors.ts'
import type { RequestMessage } from '../../../crypto/frames/binary-http.ts'
import { decodeBase64Url, encodeBase64Url, encodeUtf8 } from '../../../crypto/text.ts'
import { problemRow } from '../../../service/problems/catalogue.ts'
import { shortenDeadlines } from '../../support/clock.ts'
import { ownService, sharedService, sharedSession } from '../../support/hooks.ts'
import type { LoginParts, ReceivedReply, RequestParts } from '../../support/raw-client.ts'
import { hear, logIn, newDevice, post, prepareLogin, random, send } from '../../support/raw-client.ts'
import { sandboxCalls } from '../../support/service.ts'

const service = sharedService()
const session = sharedSession(service)

const transfer = { payee: 'bob', amount: 100, currency: 'CNY' }
const posting: RequestParts = { method: 'POST', path: '/wallet/transfers', body: transfer }

function withField(
  name: string,
  change: (value: string) => string | undefined,
): (m: RequestMessage) => RequestMessage {
  return (message) => ({
    ...message,
    fields: message.fields.flatMap(([field, value]) => {
      const changed = field === name ? change(value) : value
      return changed === undefined ? [] : [[field, changed] as const]
    }),
  })
}

function expectProblem(received: ReceivedReply, code: string, status: number, step: string): void {
  expect(received.json).toMatchObject({ code, status, step, type: `${service.origin}/docs/problems/${code}` })
  expect(received.status).toBe(status)
  // The catalogue lists the steps of each code.
  expect(problemRow(code as ProtocolCode).steps).toContain(step)
  expect(Math.abs(received.json.time - service.now())).toBeLessThanOrEqual(2)
  expect(received.json.instance).toMatch(/^urn:uuid:[0-9a-f-]{36}$/)
  expect(typeof received.json.retryable).toBe('boolean')
}

/** By code, status and step. */
const cases: Readonly<Record<string, Readonly<Record<string, RequestParts>>>> = {
  'signature_missing 401 signature': {
    'without a signature': { after: withField('signature', () => undefined) },
  },
  'signature_malformed 401 signature': {
    'with a signature that is no byte sequence': {
      after: withField('signature', (v) => v.replaceAll(':', '"')),
    },
    'with a nonce of another length': { nonce: random(15) },
    'with an unknown parameter': {
      after: withField('signature-input', (value) => value.replace(';nonce', ';expires=1;nonce')),
    },
    'with two signatures of our tag': {
      after: withField('signature-input', (value) => `${value}, other${value.slice(3)}`),
    },
  },
  'components_incomplete 401 signature': {
    'when a field that is present is not covered': {
      ...posting,
      after: withField('signature-input', (value) => value.replace(' "idempotency-key"', '')),
    },
    'when a field was added after signing': {
      after: (m) => ({ ...m, fields: [...m.fields, ['if-none-match', '"x"']] }),
    },
    'when the components are in another order': {
      after: withField('signature-input', (value) =>
        value.replace('"@method" "@authority"', '"@authority" "@method"'),
      ),
    },
  },
  'tag_invalid 401 signature': {
    'with another tag': { after: withField('signature-input', (v) => v.replace('"miniseal"', '"other"')) },
  },
  'alg_not_allowed 401 signature': {
    'when it names an algorithm': { after: withField('signature-input', (v) => `${v};alg="ed25519"`) },
  },
  'digest_mismatch 400 digest': {
    'when its body was changed': {
      ...posting,
      after: (m) => ({ ...m, content: encodeUtf8(JSON.stringify({ ...transfer, amount: 99_999 })) }),
    },
    'with a digest of another algorithm': {
      ...posting,
      after: withField('content-digest', (value) => value.replace('sha-256', 'sha-512')),
    },
  },
  'key_unknown 401 key': { 'when another key signed it': { signer: newDevice().signer } },
  'signature_invalid 401 verify': {
    'when its path was changed': { after: (m) => ({ ...m, path: '/wallet/transfers' }) },
    'when its method was changed': { after: (m) => ({ ...m, method: 'HEAD' }) },
    'when its token was exchanged': { after: withField('authorization', (value) => `${value}x`) },
  },
  'token_missing 401 token': { 'without an access token': { token: undefined } },
  'token_invalid 401 token': { 'with a malformed token': { token: 'a.b.c' } },
  'idempotency_missing 400 idempotency': {
    'when it is unsafe and has no Idempotency-Key': { ...posting, key: undefined },
  },
  'payload_invalid 400 handler': {
    'with a body that the backend cannot use': { ...posting, body: { ...transfer, amount: 1.5 } },
  },
  'not_found 404 handler': {
    'for a path without a route': { path: '/nothing' },
    'for an unknown session route': { path: '/sessions/nothing' },
  },
  'payload_invalid 400 binary-http': {
    'for another origin': { authority: 'other.example.com' },
    'for another scheme': { after: (m) => ({ ...m, scheme: 'http' }) },
    'when the plaintext is not Binary HTTP': { plaintext: (b) => b.fill(0xff) },
    'when the padding is not zero': { plaintext: (b) => b.fill(1, b.length - 1) },
  },
}
for (const [refusal, requests] of Object.entries(cases)) {
  const [code = '', status, step = ''] = refusal.split(' ')
  it.each(Object.entries(requests))(`a request is refused %s: ${code}`, async (_, parts) => {
    const received = await session.send(parts)
    expect(received).toMatchObject({ kind: 'sealed', outer: 200 })
    expectProblem(received, code, Number(status), step)
  })
}

it('of several faults, the refusal names the one that is checked first', async () => {
  const own = await logIn(service)
  const nonce = random(16)
  expect((await own.send({ nonce })).status).toBe(200)
  const noField = { ...posting, path: '/nothing', key: undefined }
  const stepUp: RequestParts['before'] = (m) => ({ ...m, fields: [...m.fields, ['step-up', 'x']] })
  const repath: RequestParts['after'] = (m) => ({ ...m, path: '/other' })
  const retext: RequestParts['after'] = (m) => ({ ...repath(m), content: encodeUtf8('{}') })
  const realg = (m: RequestMessage): RequestMessage =>
    withField('signature-input', (value) => `${value};alg="ed25519"`)(retext(m))
  const created = service.now() - 3_600
  const { signer } = newDevice()
  const all = { ...noField, before: stepUp, token: undefined, nonce, created, signer, after: realg }
  const { created: _created, ...recent } = { ...all, after: retext }
  const { signer: _signer, ...known } = { ...recent, after: repath }
  const { after: _after, ...verified } = known
  const { token: _token, ...authorized } = verified
  const { nonce: _nonce, ...unused } = authorized
  const faults: readonly (readonly [string, RequestParts])[] = [
    ['binary-http', { ...all, authority: 'other.example.com' }],
    ['signature', all],
    ['window', { ...all, after: retext }],
    ['digest', recent],
    ['key', { ...recent, after: repath }],
    ['verify', known],
    ['token', verified],
    ['claim', authorized],
    ['idempotency', unused],
    ['step-up', { ...unused, key: 'order' }],
    ['handler', { ...posting, path: '/nothing' }],
  ]
  for (const [step, parts] of faults) expect((await own.send(parts)).json, step).toMatchObject({ step })
})

it.each([
  [-121, true],
  [-119, false],
  [9, false],
  [12, true],
])('a request is refused when it was created %i seconds from now: %s', async (offset, isRefused) => {
  const received = await session.send({ created: service.now() + offset })
  if (isRefused) expectProblem(received, 'window_invalid', 401, 'window')
  else expect(received.status).toBe(200)
})

it('a request is refused with the token of another device: token_key_mismatch', async () => {
  const other = await logIn(service)
  expectProblem(await session.send({ token: other.token }), 'token_key_mismatch', 401, 'token')
})

it('a request is refused with the token of another session of the same device: token_invalid', async () => {
  const openid = 'openid-two-sessions'
  const first = await logIn(service, { openid })
  const second = await logIn(service, { openid, device: first.device })
  expectProblem(await first.send({ token: second.token }), 'token_invalid', 401, 'token')
})

it('a request is refused when its session was moved to another user in the database: token_invalid', async () => {
  const [own, victim] = [await logIn(service), await logIn(service)]
  const database = new Database((service.environment.MINISEAL_DATABASE ?? '').replace('sqlite:', ''))
  database.prepare('update sessions set user_id = ? where id = ?').run(victim.user, Buffer.from(own.id))
  database.close()
  expectProblem(await own.send(), 'token_invalid', 401, 'token')
  const renewal = await own.send({ method: 'POST', path: '/sessions/current/token' })
  expectProblem(renewal, 'token_invalid', 401, 'token')
})

it('a request is refused with a token whose signature was changed: token_invalid', async () => {
  const [head, payload, signature] = session.token.split('.') as [string, string, string]
  const bytes = decodeBase64Url(signature)
  bytes[0] = (bytes[0] ?? 0) ^ 1
  const token = [head, payload, encodeBase64Url(bytes)].join('.')
  expectProblem(await session.send({ token }), 'token_invalid', 401, 'token')
})

it.each<[string, (token: string) => string]>([
  ['with padding', (token) => `${token}==`],
  ['with a lot of padding', (token) => token + '='.repeat(8_000)],
  ['with other trailing bits', (token) => token.slice(0, -1) + String.fromCharCode(token.charCodeAt(85) + 1)],
  ['with a dot at the end', (token) => `${token}.`],
  ['after two spaces', (token) => ` ${token}`],
])('a request is refused with another encoding of its token, %s: token_invalid', async (_title, change) => {
  const [head = '', payload = '', signature = ''] = session.token.split('.')
  const token = change(signature)
  const changed = token.startsWith(' ') ? ` ${session.token}` : `${head}.${payload}.${token}`
  expectProblem(await session.send({ token: changed }), 'token_invalid', 401, 'token')
})

it('a token expires after ten minutes, and the renewal still accepts it', async () => {
  const own = await ownService()
  const old = await logIn(own)
  own.advanceClock(601)
  expect((await old.send()).json).toMatchObject({ code: 'token_expired', status: 401, step: 'token' })
  const renewed = await old.send({ method: 'POST', path: '/sessions/current/token' })
  expect(renewed.status).toBe(201)
  expect((await old.send({ token: renewed.json.access_token })).status).toBe(200)
})

it('a session ends after two hours, with any token', async () => {
  const own = await ownService()
  const old = await logIn(own)
  own.advanceClock(7_201)
  const received = await old.send({ method: 'POST', path: '/sessions/current/token' })
  expect(received.json).toMatchObject({ code: 'session_ended', status: 401, step: 'claim' })
  expect(received.kind).toBe('sealed')
})

it('a session ends at logout, at once', async () => {
  const own = await logIn(service)
  expect((await own.send({ method: 'DELETE', path: '/sessions/current' })).status).toBe(204)
  expectProblem(await own.send(), 'session_ended', 401, 'claim')
})

it('a session is revoked by another device of its user, and by no other user', async () => {
  const openid = 'openid-revoking'
  const phone = await logIn(service, { openid })
  const tablet = await logIn(service, { openid })
  const stranger = await logIn(service)
  const path = `/sessions/${encodeBase64Url(phone.id)}`
  expectProblem(await stranger.send({ method: 'DELETE', path }), 'not_found', 404, 'handler')
  expect((await phone.send()).status).toBe(200)
  const list = await tablet.send({ path: '/sessions' })
  expect(list.json.sessions).toHaveLength(2)
  expect((await tablet.send({ method: 'DELETE', path })).status).toBe(204)
  expectProblem(await phone.send(), 'session_ended', 401, 'claim')
  expect((await tablet.send({ path: '/sessions' })).json.sessions).toHaveLength(1)
})

const refuse = async (parts: LoginParts): Promise<ReceivedReply> => {
  const received = await send(service, await prepareLogin(service, parts))
  expect(received).toMatchObject({ kind: 'sealed', outer: 200 })
  return received
}
const login = { kty: 'OKP', crv: 'Ed25519' }

it('a login is refused with an unknown login code: login_code_invalid', async () => {
  expectProblem(await refuse({ code: 'never-issued' }), 'login_code_invalid', 401, 'login')
})

it('a login is refused with a code that has expired: login_code_invalid', async () => {
  const own = await ownService()
  const code = await own.code()
  own.advanceClock(301)
  const received = await send(own, await prepareLogin(own, { code }))
  expect(received.json).toMatchObject({ code: 'login_code_invalid', step: 'login' })
})

it('a login is refused with a code that was used before: login_code_used, without another call to WeChat', async () => {
  const code = await service.code()
  await logIn(service, { code })
  const before = await sandboxCalls(service, 'sns/jscode2session')
  expectProblem(await refuse({ code }), 'login_code_used', 401, 'claim')
  expect(await sandboxCalls(service, 'sns/jscode2session')).toBe(before)
})

it.each([
  [40163, 'login_code_used', 401],
  [40226, 'login_blocked', 403],
  [45011, 'login_busy', 429],
  [-1, 'wechat_unavailable', 503],
  [40125, 'wechat_unavailable', 503],
])('a login is refused when WeChat returns %i: %s', async (errcode, code, status) => {
  await service.sandbox('/sandbox/faults', { path: 'sns/jscode2session', errcode })
  expectProblem(await refuse({}), code, status, 'login')
})

it.each([
  ['is down', { drop: true }],
  ['answers 502', { status: 502 }],
  ['answers something else than JSON', { body: '<html>' }],
  ['is slow', { delay_ms: 5_000 }],
])(
  'a login is refused when WeChat %s: wechat_unavailable, and the code is not tried again',
  async (_title, fault) => {
    await service.sandbox('/sandbox/faults', { path: 'sns/jscode2session', ...fault })
    const before = await sandboxCalls(service, 'sns/jscode2session')
    const code = await service.code()
    shortenDeadlines(10)
    expectProblem(await refuse({ code }), 'wechat_unavailable', 503, 'login')
    expect(await sandboxCalls(service, 'sns/jscode2session')).toBe(before + 1)
    expectProblem(await refuse({ code }), 'login_code_used', 401, 'claim')
    expect(await sandboxCalls(service, 'sns/jscode2session')).toBe(before + 1)
  },
)

it.each([
  ['of small order', Uint8Array.of(1, ...new Uint8Array(31))],
  ['that is not canonical', new Uint8Array(32).fill(0xff)],
])('a login is refused with a device key %s: device_key_refused', async (_, key) => {
  const device = { ...login, x: encodeBase64Url(key) }
  const loginBody = { appid: service.appid, code: await service.code(), device }
  expectProblem(await refuse({ loginBody }), 'device_key_refused', 400, 'key')
})

it('a login is refused with a device key that belongs to another person: device_key_refused', async () => {
  const { device } = await logIn(service, { openid: 'openid-owner' })
  expectProblem(await refuse({ device, openid: 'openid-thief' }), 'device_key_refused', 400, 'login')
})

it('a login is refused when the keyid is not that of the device key: key_unknown', async () => {
  const loginBody = {
    appid: service.appid,
    code: await service.code(),
    device: { ...login, x: newDevice().x },
  }
  expectProblem(await refuse({ loginBody }), 'key_unknown', 401, 'key')
})

it('a login is refused when another key signed it under the keyid of the device: signature_invalid', async () => {
  const device = newDevice()
  const signer = { keyid: device.signer.keyid, secretKey: newDevice().signer.secretKey }
  expectProblem(await refuse({ device, signer }), 'signature_invalid', 401, 'verify')
})

it('a login is refused for an app that is not served: payload_invalid', async () => {
  const prepared = await prepareLogin(service, { appid: 'wxffffffffffffffff', code: 'x' })
  // Refused before the claim, so a repetition gets the same answer.
  for (const _ of [1, 2]) expectProblem(await send(service, prepared), 'payload_invalid', 400, 'login')
})

it('a login is refused with a body that lacks a member: payload_invalid, naming it', async () => {
  const received = await refuse({
    loginBody: { appid: service.appid, device: { ...login, x: newDevice().x } },
  })
  expectProblem(received, 'payload_invalid', 400, 'key')
  expect(received.json.detail).toContain('code')
})

it('a login that was not signed for this handshake is refused: payload_invalid', async () => {
  const device = newDevice()
  const body = { appid: service.appid, code: await service.code(), device: { ...login, x: device.x } }
  for (const handshake of [undefined, '', 'A'.repeat(43), 7]) {
    expectProblem(await refuse({ device, loginBody: { ...body, handshake } }), 'payload_invalid', 400, 'key')
  }
  expect((await send(service, await prepareLogin(service, { device, loginBody: body }))).status).toBe(201)
})

it('a login is refused when its platform holds a control character: payload_invalid', async () => {
  const device = newDevice()
  const body = { appid: service.appid, code: await service.code(), device: { ...login, x: device.x } }
  const loginBody = { ...body, client: { platform: 'ios\u0000' } }
  expectProblem(await refuse({ device, loginBody }), 'payload_invalid', 400, 'key')
})

it('a login is refused when its clock is an hour wrong: window_invalid with the time', async () => {
  expectProblem(await refuse({ created: service.now() - 3_600 }), 'window_invalid', 401, 'window')
})

it('a login is refused when the frame holds another request: not_found', async () => {
  for (const request of [{ method: 'PUT' }, { path: '/wallet' }])
    expectProblem(await refuse(request), 'not_found', 404, 'handler')
})

const unopened = (): never => {
  throw new Error('a sealed answer was not expected')
}
const clear = async (body: Uint8Array, type?: string): Promise<ReceivedReply> =>
  hear(await post(service, body, type), unopened)

it.each([
  ['an empty body', new Uint8Array(0)],
  ['another version', Uint8Array.of(2, 3, ...new Uint8Array(300))],
  ['an unknown type', Uint8Array.of(1, 9, ...new Uint8Array(300))],
  ...[2, 4, 5, 6].map((type): [string, Uint8Array] => [
    `a frame for clients, of type ${type}`,
    Uint8Array.of(1, type, ...new Uint8Array(300)),
  ]),
  ['a frame that is too short', Uint8Array.of(1, 3, ...new Uint8Array(55))],
])('%s is answered in the clear: malformed_frame', async (_title, frame) => {
  expectProblem(await clear(frame), 'malformed_frame', 400, 'frame')
})

it('another content type is answered in the clear: malformed_frame', async () => {
  expectProblem(await clear(session.prepare().frame, 'application/json'), 'malformed_frame', 400, 'frame')
})

it('a body over the limit is answered in the clear: frame_too_large', async () => {
  const frame = new Uint8Array(1_048_577)
  frame.set([1, 3])
  expectProblem(await clear(frame), 'frame_too_large', 413, 'frame')
  expectProblem(await clear(new Uint8Array(1_500_000)), 'frame_too_large', 413, 'frame')
})

it('an agreement key that is not in use is answered in the clear: unknown_agreement_key', async () => {
  const { frame } = await prepareLogin(service)
  frame[2] = (frame[2] ?? 0) ^ 1
  expectProblem(await clear(frame), 'unknown_agreement_key', 409, 'session')
})

it('an unknown session is answered in the clear: unknown_session', async () => {
  const { frame } = session.prepare()
  frame[2] = (frame[2] ?? 0) ^ 1
  expectProblem(await clear(frame), 'unknown_session', 401, 'session')
})

it.each([
  ['of small order', new Uint8Array(32)],
  ['that is not canonical', new Uint8Array(32).fill(0xff, 0, 31).fill(0x7f, 31)],
])('a handshake with an ephemeral key %s is answered in the clear: cannot_open', async (_title, key) => {
  const { frame } = await prepareLogin(service)
  frame.set(key, 10)
  expectProblem(await clear(frame), 'cannot_open', 400, 'open')
})

it('a frame in base64 is accepted and answered in base64, in its canonical encoding only', async () => {
  const type = 'application/vnd.miniseal+base64'
  const prepared = session.prepare()
  const text = Buffer.from(prepared.frame).toString('base64')
  const response = await post(service, encodeUtf8(text), type)
  expect(response.headers.get('content-type')).toBe(type)
  const answer = prepared.open(new Uint8Array(Buffer.from(await response.text(), 'base64')))
  expect(answer.status).toBe(200)
  expectProblem(await clear(encodeUtf8(`${text}\n`), type), 'malformed_frame', 400, 'frame')
})
