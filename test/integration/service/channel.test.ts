import { gzipSync } from 'node:zlib'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { expect, it } from 'vitest'
import type { RequestMessage } from '../../../crypto/frames/binary-http.ts'
import { paddedLength } from '../../../crypto/frames/padding.ts'
import { encodeBase64Url, encodeUtf8 } from '../../../crypto/text.ts'
import { sharedService } from '../../support/hooks.ts'
import { logIn, post, prepareLogin, send } from '../../support/raw-client.ts'

const service = sharedService()

it('a login returns a session, a token and the time, signed and encrypted', async () => {
  const prepared = await prepareLogin(service)
  const received = await send(service, prepared)
  expect(received).toMatchObject({ kind: 'sealed', outer: 200, status: 201 })
  expect(received.json).toMatchObject({ token_type: 'HTTPSig', expires_in: 600, device: { new: true } })
  expect(received.json.session.expires_at).toBe(received.json.time + 7200)
  expect(Object.keys(received.json).sort()).toEqual([
    'access_token',
    'device',
    'expires_in',
    'session',
    'time',
    'token_type',
    'user',
  ])
})

it('a second login of a person returns the same pairwise subject and a known device', async () => {
  const first = await logIn(service, { openid: 'openid-again' })
  const prepared = await prepareLogin(service, { openid: 'openid-again', device: first.device })
  const received = await send(service, prepared)
  expect(received.json.user).toBe(first.user)
  expect(received.json.device).toEqual({ id: first.device.signer.keyid, new: false })
  expect(received.json.user).not.toContain('openid')
})

it('a transfer reaches the wallet, and the new balance is returned', async () => {
  const session = await logIn(service)
  expect((await session.send({ path: '/wallet' })).json).toMatchObject({
    balance: 1_000_000,
    currency: 'CNY',
  })
  const body = { payee: 'bob', amount: 1250, currency: 'CNY', note: '午饭' }
  const received = await session.send({ method: 'POST', path: '/wallet/transfers', body })
  expect(received.status).toBe(201)
  expect(received.json).toMatchObject({ status: 'done', amount: 1250, balance: 998_750, note: '午饭' })
  const list = await session.send({ path: '/wallet/transfers' })
  expect(list.json.transfers.map(({ id }: { id: string }) => id)).toEqual([received.json.id])
})

it('a compressed body is decompressed up to a limit', async () => {
  const session = await logIn(service)
  const compressed = (content: Uint8Array) => ({
    method: 'POST',
    path: '/wallet/transfers',
    body: {},
    before: (message: RequestMessage): RequestMessage => ({
      ...message,
      fields: [...message.fields, ['content-encoding', 'gzip']],
      content,
    }),
  })
  const order = gzipSync(JSON.stringify({ payee: 'bob', amount: 7, currency: 'CNY' }))
  expect(await session.send(compressed(order))).toMatchObject({ status: 201, json: { amount: 7 } })
  // Good JSON, were it not for nine megabytes of spaces.
  const bomb = gzipSync(`{"payee":"bob","amount":7,"currency":"CNY"${' '.repeat(9_000_000)}}`)
  for (const content of [bomb, encodeUtf8('not gzip')]) {
    expect((await session.send(compressed(content))).json).toMatchObject({
      code: 'payload_invalid',
      status: 400,
    })
  }
})

it('the plaintext of every response is padded', async () => {
  const session = await logIn(service)
  for (const path of ['/wallet', '/wallet/', '/nothing', '/sessions', '/devices', '/sessions/current']) {
    const response = await post(service, session.prepare({ path }).frame)
    // Version, type, request nonce, nonce and tag.
    const length = (await response.arrayBuffer()).byteLength - 2 - 24 - 24 - 16
    expect(paddedLength(length), path).toBe(length)
  }
})

it('the service publishes a signed configuration and a JWK Set with which an independent library verifies tokens', async () => {
  const session = await logIn(service)
  const configuration = await fetch(`${service.origin}/.well-known/miniseal`)
  expect(configuration.headers.get('content-type')).toBe('application/jose')
  const keys = createRemoteJWKSet(new URL(`${service.origin}/.well-known/jwks.json`))
  const { payload, protectedHeader } = await jwtVerify(session.token, keys, {
    issuer: service.origin,
    audience: service.origin,
    typ: 'at+jwt',
  })
  expect(protectedHeader.alg).toBe('EdDSA')
  expect(payload).toMatchObject({
    sub: session.user,
    client_id: service.appid,
    sid: encodeBase64Url(session.id),
    cnf: { jkt: session.device.signer.keyid },
  })
  expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(600)
})

it('the health and readiness endpoints reveal nothing else about the service', async () => {
  expect(await (await fetch(`${service.origin}/healthz`)).json()).toEqual({ status: 'ok' })
  const ready = await fetch(`${service.origin}/readyz`)
  expect(ready.status).toBe(200)
  expect(await ready.json()).toMatchObject({
    status: 'ready',
    store: true,
    wechat_last_seen: expect.any(Number),
  })
  const nothing = await fetch(`${service.origin}/wallet`)
  expect(nothing.status).toBe(404)
  expect(nothing.headers.get('content-type')).toBe('application/problem+json')
  expect(await (await fetch(`${service.origin}/docs/problems/replayed`)).text()).toContain('received before')
})
