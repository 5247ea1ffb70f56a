/** The client against a real service over HTTP, also with an attacker on the network. */
import { expect, it } from 'vitest'
import { paddedLength } from '../../../crypto/frames/padding.ts'
import { fetchTransport } from '../../../miniprogram/client/node.ts'
import { sharedService } from '../../support/hooks.ts'
import { balance, createPhone, type Phone, transfer } from './phone.ts'

const service = sharedService()

const phone = (openid: string, options?: Parameters<typeof createPhone>[2]): Phone =>
  createPhone(service, openid, options)

it('the client logs in and transfers money', async () => {
  const { channel, codes } = phone('openid-transfer')
  const session = await channel.login()
  expect(session.device.isNew).toBe(true)
  expect(session.expiresAt).toBe(service.now() + 7200)
  const before = await balance(channel)
  const answer = await channel.request(transfer)
  expect(answer.status).toBe(201)
  expect(answer.json()).toMatchObject({ payee: 'bob', amount: 250, note: '早饭', status: 'done' })
  expect(await balance(channel)).toBe(Number(before) - 250)
  expect(codes).toHaveLength(1)
})

it('the client returns an error of the backend as a response and throws a refusal', async () => {
  const { channel } = phone('openid-errors')
  const body = { payee: 'bob', amount: 5_000_000, currency: 'CNY' }
  const poor = await channel.request({ method: 'POST', path: '/wallet/transfers', body })
  expect(poor.status).toBe(422)
  expect(poor.json()).toMatchObject({ error: 'insufficient_funds' })
  await expect(channel.request({ ...transfer, body: { payee: 'bob' } })).rejects.toMatchObject({
    code: 'payload_invalid',
    status: 400,
    outcome: 'refused',
    retryable: false,
  })
  await expect(channel.request({ method: 'GET', path: '/nothing' })).rejects.toMatchObject({
    code: 'not_found',
  })
})

it.each([-3600, 3600])('the client corrects a clock that is wrong by %i s once', async (seconds) => {
  const { channel, proxy, codes } = phone('openid-clock', { now: () => (service.now() + seconds) * 1000 })
  await channel.request(transfer)
  expect(codes).toHaveLength(2)
  expect(proxy.frames).toBe(3)
  await channel.request(transfer)
  expect(proxy.frames).toBe(4)
})

it('the client corrects the clock within a session and executes the transfer once', async () => {
  let shift = 0
  const { channel, proxy } = phone('openid-clock-2', { now: () => (service.now() + shift) * 1000 })
  await channel.login()
  shift = -3600
  expect((await channel.request(transfer)).status).toBe(201)
  expect(proxy.frames).toBe(3)
  expect(await balance(channel)).toBe(1_000_000 - 250)
})

it('the client renews an access token when the service reports it as expired', async () => {
  let lag = 0
  const { channel, proxy, codes } = phone('openid-expired', { now: () => (service.now() - lag) * 1000 })
  await channel.login()
  // The phone's clock falls behind, by less than the signature window: it takes the token for fresh.
  lag = 100
  service.advanceClock(610)
  expect((await channel.request(transfer)).status).toBe(201)
  expect(proxy.frames).toBe(4)
  expect(codes).toHaveLength(1)
  expect(await balance(channel)).toBe(1_000_000 - 250)
})

it('the client logs in again once after the session was revoked from another phone', async () => {
  const one = phone('openid-devices')
  const two = phone('openid-devices')
  const first = await one.channel.login()
  const second = await two.channel.login()
  const listed = await two.channel.sessions()
  expect(listed.map(({ id, isCurrent }) => ({ id, isCurrent }))).toEqual(
    expect.arrayContaining([
      { id: first.id, isCurrent: false },
      { id: second.id, isCurrent: true },
    ]),
  )
  expect(listed.find(({ id }) => id === first.id)?.device).toMatchObject({
    id: first.device.id,
    platform: 'test',
  })
  await two.channel.revoke(first.id)
  expect((await one.channel.request(transfer)).status).toBe(201)
  expect(one.codes).toHaveLength(2)
  expect((await one.channel.login()).id).not.toBe(first.id)
  expect(await balance(two.channel)).toBe(1_000_000 - 250)
})

it('the client rejects a replayed response and a response of another session', async () => {
  const { channel, proxy } = phone('openid-replay')
  const other = phone('openid-replay')
  await channel.request(transfer)
  await other.channel.request(transfer)
  for (const old of [proxy.answers[1], other.proxy.answers[1]]) {
    if (old === undefined) throw new Error('nothing was recorded')
    proxy.meddle = () => old
    await expect(channel.request(transfer)).rejects.toMatchObject({
      code: 'outcome_unknown',
      reason: 'not_verified',
      outcome: 'unknown',
    })
  }
})

it('the client rejects a replayed login', async () => {
  const { channel, proxy } = phone('openid-replay-login')
  await channel.login()
  const handshake = proxy.requests.find(({ method }) => method === 'POST')
  if (handshake === undefined) throw new Error('nothing was recorded')
  const replayed = await fetchTransport().send(handshake)
  const eavesdropper = phone('openid-replay-login')
  eavesdropper.proxy.meddle = () => replayed
  await expect(eavesdropper.channel.login()).rejects.toMatchObject({ code: 'not_verified' })
})

it('the client executes a transfer once when its response is dropped on the network', async () => {
  const { channel, proxy } = phone('openid-lost')
  await channel.login()
  proxy.meddle = () => {
    throw new Error('connection reset')
  }
  const failure = await channel.request(transfer).catch((error: unknown) => error)
  expect(failure).toMatchObject({
    code: 'outcome_unknown',
    reason: 'network',
    outcome: 'unknown',
    idempotencyKey: expect.any(String),
  })
  proxy.meddle = (answer) => answer
  const { idempotencyKey } = failure as { idempotencyKey: string }
  expect((await channel.request({ ...transfer, idempotencyKey })).status).toBe(201)
  expect(await balance(channel)).toBe(1_000_000 - 250)
})

it('the client reveals neither path, token nor amount on the network', async () => {
  const { channel, proxy } = phone('openid-secret')
  await channel.request(transfer)
  for (const { url, headers, body } of proxy.requests) {
    const seen = `${url} ${JSON.stringify(headers)} ${Buffer.from(body ?? []).toString('latin1')}`
    expect(seen).not.toMatch(/wallet|HTTPSig|amount|idempotency/i)
  }
})

it('the client pads the plaintext of every request', async () => {
  const { channel, proxy } = phone('openid-padded')
  for (const note of ['', 'a', 'rent', 'x'.repeat(50), 'x'.repeat(100)])
    await channel
      .request({ ...transfer, body: { payee: 'bob', amount: 1, currency: 'CNY', note } })
      .catch(() => {})
  const frames = proxy.requests.flatMap(({ body }) => (body === undefined ? [] : [body]))
  // Version and type; the key hint and ephemeral key of a login, or the session id; nonce and tag.
  const lengths = frames.map((frame) => frame.length - 2 - (frame[1] === 1 ? 8 + 32 : 16) - 24 - 16)
  expect(lengths.length).toBeGreaterThan(5)
  expect(lengths.map(paddedLength)).toEqual(lengths)
})
