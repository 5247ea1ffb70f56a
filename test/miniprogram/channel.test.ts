/** The client against the real service, over real HTTP. */
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Channel, ChannelOptions } from '../../miniprogram/client/index.ts'
import { createChannel } from '../../miniprogram/client/index.ts'
import { fetchTransport } from '../../miniprogram/client/transports/fetch.ts'
import type {
  Transport,
  TransportAnswer,
  TransportRequest,
} from '../../miniprogram/client/transports/transport.ts'
import type { TestService } from '../support/service.ts'
import { startTestService } from '../support/service.ts'
import { memoryStorage } from './scripted-service.ts'

let service: TestService

beforeAll(async () => {
  service = await startTestService()
})

afterAll(async () => {
  await service.close()
})

/** Counts and, where the test says so, meddles. */
class Middleman implements Transport {
  readonly requests: TransportRequest[] = []
  readonly answers: TransportAnswer[] = []
  meddle: (answer: TransportAnswer) => TransportAnswer = (answer) => answer
  private readonly inner = fetchTransport()

  async send(request: TransportRequest): Promise<TransportAnswer> {
    this.requests.push(request)
    const answer = await this.inner.send(request)
    if (request.method === 'GET') return answer
    this.answers.push(answer)
    return this.meddle(answer)
  }

  get frames(): number {
    return this.answers.length
  }
}

interface Phone {
  readonly channel: Channel
  readonly proxy: Middleman
  readonly codes: string[]
}

/** A phone of its own, by the service's clock unless told otherwise. */
function phone(openid: string, options: Partial<ChannelOptions> = {}): Phone {
  const proxy = new Middleman()
  const codes: string[] = []
  const channel = createChannel({
    origin: service.origin,
    appid: service.appid,
    roots: service.roots,
    transport: proxy,
    storage: memoryStorage(),
    random: async (length) => randomBytes(length),
    login: async () => {
      codes.push(await service.code(openid))
      return codes[codes.length - 1] ?? ''
    },
    now: () => service.now() * 1000,
    platform: { platform: 'test', base: '3.8.12' },
    ...options,
  })
  return { channel, proxy, codes }
}

const transfer = {
  method: 'POST',
  path: '/wallet/transfers',
  body: { payee: 'bob', amount: 250, currency: 'CNY', note: '早饭' },
} as const

async function balance(channel: Channel): Promise<unknown> {
  const answer = (await channel.request({ method: 'GET', path: '/wallet' })).json()
  return (answer as { balance: unknown }).balance
}

describe('a phone and the service', () => {
  it('log in and transfer money', async () => {
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

  it('do a repeated transfer once', async () => {
    const { channel } = phone('openid-repeat')
    const first = await channel.request({ ...transfer, idempotencyKey: 'breakfast' })
    const second = await channel.request({ ...transfer, idempotencyKey: 'breakfast' })
    expect(second.json()).toMatchObject({ id: (first.json() as { id: string }).id })
    expect(await balance(channel)).toBe(1_000_000 - 250)
  })

  it('recognise the device at the next login', async () => {
    const { channel } = phone('openid-again')
    const first = await channel.login()
    await channel.logout()
    const second = await channel.login()
    expect(second.device).toEqual({ id: first.device.id, isNew: false })
    expect(second.id).not.toBe(first.id)
    expect(second.user).toBe(first.user)
  })

  it('agree on errors: the backend’s own is an answer, a refusal is thrown', async () => {
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
  it.each([-3600, 3600])('by %i s is corrected once', async (seconds) => {
    const { channel, proxy, codes } = phone('openid-clock', { now: () => (service.now() + seconds) * 1000 })
    await channel.request(transfer)
    expect(codes).toHaveLength(2)
    expect(proxy.frames).toBe(3)
    await channel.request(transfer)
    expect(proxy.frames).toBe(4)
  })

  it('is corrected within a session, and the transfer done once', async () => {
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
  it('is renewed before it ends', async () => {
    const { channel, proxy, codes } = phone('openid-renewal')
    await channel.login()
    service.advanceClock(571)
    await channel.request(transfer)
    expect(proxy.frames).toBe(3)
    expect(codes).toHaveLength(1)
  })

  it('is renewed when the service finds it ended first', async () => {
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
  it('is listed and revoked from another phone, which leads to one new login', async () => {
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

  it('is opened anew when its time is over', async () => {
    const { channel, codes } = phone('openid-two-hours')
    await channel.login()
    service.advanceClock(7200)
    expect((await channel.request(transfer)).status).toBe(201)
    expect(codes).toHaveLength(2)
  })

  it('ends at the logout', async () => {
    const one = phone('openid-logout')
    const two = phone('openid-logout')
    const first = await one.channel.login()
    await one.channel.logout()
    expect((await two.channel.sessions()).map(({ id }) => id)).not.toContain(first.id)
  })

  it('is not opened with a code that was used', async () => {
    const code = await service.code('openid-used')
    const login = async () => code
    await phone('openid-used', { login }).channel.login()
    await expect(phone('openid-used', { login }).channel.request(transfer)).rejects.toMatchObject({
      code: 'login_code_used',
      outcome: 'none',
    })
    await expect(phone('', { login: async () => 'no-such-code' }).channel.login()).rejects.toMatchObject({
      code: 'login_code_invalid',
      outcome: 'refused',
    })
  })
})

describe('somebody between the phone and the service', () => {
  it('cannot change an answer', async () => {
    const { channel, proxy } = phone('openid-flip')
    await channel.login()
    for (const offset of [1, 10, 30, 60, 300]) {
      proxy.meddle = (answer) => {
        const body = Uint8Array.from(answer.body)
        body[offset] = (body[offset] ?? 0) ^ 0x10
        return { ...answer, body }
      }
      await expect(channel.request(transfer)).rejects.toMatchObject({
        code: 'not_verified',
        outcome: 'unknown',
      })
    }
  })

  it('cannot play an old answer again, or that of another session', async () => {
    const { channel, proxy } = phone('openid-replay')
    const other = phone('openid-replay')
    await channel.request(transfer)
    await other.channel.request(transfer)
    for (const old of [proxy.answers[1], other.proxy.answers[1]]) {
      if (old === undefined) throw new Error('nothing was recorded')
      proxy.meddle = () => old
      await expect(channel.request(transfer)).rejects.toMatchObject({
        code: 'not_verified',
        outcome: 'unknown',
      })
    }
  })

  it('cannot play a login again', async () => {
    const { channel, proxy } = phone('openid-replay-login')
    await channel.login()
    const handshake = proxy.requests.find(({ method }) => method === 'POST')
    if (handshake === undefined) throw new Error('nothing was recorded')
    const replayed = await fetchTransport().send(handshake)
    const eavesdropper = phone('openid-replay-login')
    eavesdropper.proxy.meddle = () => replayed
    await expect(eavesdropper.channel.login()).rejects.toMatchObject({ code: 'not_verified' })
  })

  it('cannot make a transfer happen twice by losing its answer', async () => {
    const { channel, proxy } = phone('openid-lost')
    await channel.login()
    proxy.meddle = () => {
      throw new Error('connection reset')
    }
    const failure = await channel.request(transfer).catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 'network', outcome: 'unknown', idempotencyKey: expect.any(String) })
    proxy.meddle = (answer) => answer
    const { idempotencyKey } = failure as { idempotencyKey: string }
    expect((await channel.request({ ...transfer, idempotencyKey })).status).toBe(201)
    expect(await balance(channel)).toBe(1_000_000 - 250)
  })

  it('sees neither path, token nor amount', async () => {
    const { channel, proxy } = phone('openid-secret')
    await channel.request(transfer)
    for (const { url, headers, body } of proxy.requests) {
      const seen = `${url} ${JSON.stringify(headers)} ${Buffer.from(body ?? []).toString('latin1')}`
      expect(seen).not.toMatch(/wallet|HTTPSig|amount|idempotency/i)
    }
  })
})
