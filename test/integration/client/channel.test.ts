/** The client against the real service, over real HTTP. */
import { beforeAll, describe, expect, it } from 'vitest'
import { sharedService } from '../../support/hooks.ts'
import { balance, createPhone, type Phone, transfer } from './phone.ts'

let phone: (openid: string, options?: Parameters<typeof createPhone>[2]) => Phone

const service = sharedService()

beforeAll(async () => {
  phone = (openid, options) => createPhone(service, openid, options)
})

describe('a phone and the service', () => {
  it('logs in and transfers money', async () => {
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

  it('executes a repeated transfer once', async () => {
    const { channel } = phone('openid-repeat')
    const first = await channel.request({ ...transfer, idempotencyKey: 'breakfast' })
    const second = await channel.request({ ...transfer, idempotencyKey: 'breakfast' })
    expect(second.json()).toMatchObject({ id: (first.json() as { id: string }).id })
    expect(await balance(channel)).toBe(1_000_000 - 250)
  })

  it('recognizes the device at the next login', async () => {
    const { channel } = phone('openid-again')
    const first = await channel.login()
    await channel.logout()
    const second = await channel.login()
    expect(second.device).toEqual({ id: first.device.id, isNew: false })
    expect(second.id).not.toBe(first.id)
    expect(second.user).toBe(first.user)
  })

  it('returns an error of the backend as an answer and throws a refusal', async () => {
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
})

describe('a phone whose clock is wrong', () => {
  it.each([-3600, 3600])('corrects a clock that is wrong by %i s once', async (seconds) => {
    const { channel, proxy, codes } = phone('openid-clock', { now: () => (service.now() + seconds) * 1000 })
    await channel.request(transfer)
    expect(codes).toHaveLength(2)
    expect(proxy.frames).toBe(3)
    await channel.request(transfer)
    expect(proxy.frames).toBe(4)
  })

  it('corrects the clock within a session and executes the transfer once', async () => {
    let shift = 0
    const { channel, proxy } = phone('openid-clock-2', { now: () => (service.now() + shift) * 1000 })
    await channel.login()
    shift = -3600
    expect((await channel.request(transfer)).status).toBe(201)
    expect(proxy.frames).toBe(3)
    expect(await balance(channel)).toBe(1_000_000 - 250)
  })
})

describe('an access token', () => {
  it('renews an access token before it expires', async () => {
    const { channel, proxy, codes } = phone('openid-renewal')
    await channel.login()
    service.advanceClock(571)
    await channel.request(transfer)
    expect(proxy.frames).toBe(3)
    expect(codes).toHaveLength(1)
  })

  it('renews an access token when the service reports it as expired', async () => {
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
})

describe('a session', () => {
  it('logs in again once after the session was revoked from another phone', async () => {
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

  it('opens a new session when the old one has expired', async () => {
    const { channel, codes } = phone('openid-two-hours')
    await channel.login()
    service.advanceClock(7200)
    expect((await channel.request(transfer)).status).toBe(201)
    expect(codes).toHaveLength(2)
  })

  it('ends the session at logout', async () => {
    const one = phone('openid-logout')
    const two = phone('openid-logout')
    const first = await one.channel.login()
    await one.channel.logout()
    expect((await two.channel.sessions()).map(({ id }) => id)).not.toContain(first.id)
  })

  it('opens no session with a used login code', async () => {
    const code = await service.code('openid-used')
    const login = async () => code
    await phone('openid-used', { login }).channel.login()
    await expect(phone('openid-used', { login }).channel.request(transfer)).rejects.toMatchObject({
      code: 'login_code_used',
      outcome: 'none',
    })
    await expect(phone('', { login: async () => 'no-such-code' }).channel.login()).rejects.toMatchObject({
      code: 'login_code_invalid',
      outcome: 'none',
    })
  })
})
