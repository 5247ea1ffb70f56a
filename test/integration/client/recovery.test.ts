/** What the channel puts right by itself, how often, and what it never repeats. */
import { describe, expect, it } from 'vitest'
import { findField } from '../../../crypto/frames/binary-http.ts'
import { ChannelError } from '../../../miniprogram/client/index.ts'
import { clearAnswer, json } from './scripted-answers.ts'
import { idempotencyKeys, scripted } from './scripted-channel.ts'

const wallet = { method: 'GET', path: '/wallet' } as const
const transfer = {
  method: 'POST',
  path: '/wallet/transfers',
  body: { payee: 'p', amount: 1, currency: 'CNY' },
} as const

describe('a wrong clock', () => {
  it('corrects the clock once at login, with a new code', async () => {
    const { channel, service } = await scripted({ now: () => Date.now() - 3_600_000 })
    await channel.request(wallet)
    await channel.request(wallet)
    expect(service.codes).toEqual(['code-1', 'code-2'])
    expect(service.sent.filter((line) => line === 'POST /seal')).toHaveLength(4)
  })

  it('corrects the clock in a session and signs the request again with the same key', async () => {
    let shift = 0
    const { channel, service } = await scripted({ now: () => Date.now() + shift })
    await channel.login()
    shift = -3_600_000
    const answer = await channel.request({ ...transfer, idempotencyKey: 'key-1' })
    expect(answer.status).toBe(200)
    expect(idempotencyKeys(service, '/wallet/transfers')).toEqual(['key-1'])
    expect(service.sent.filter((line) => line === 'POST /seal')).toHaveLength(3)
  })

  it('does not correct the clock twice for one request', async () => {
    const { channel, service } = await scripted()
    await channel.login()
    service.decide = () => 'window_invalid'
    await expect(channel.request(wallet)).rejects.toMatchObject({
      code: 'window_invalid',
      outcome: 'none',
    })
    expect(service.received.filter(({ path }) => path === '/wallet')).toHaveLength(2)
  })

  it('never adopts the time of an unsealed answer', async () => {
    const { channel, service } = await scripted()
    await channel.login()
    let isFirst = true
    service.intercept = (request, pass) => {
      if (!isFirst || request.method !== 'POST') return pass()
      isFirst = false
      return clearAnswer(401, 'window_invalid')
    }
    const refused = channel.request(wallet)
    await expect(refused).rejects.toMatchObject({ code: 'unexpected_answer' })
    await expect(refused).rejects.not.toHaveProperty('time')
    expect((await channel.request(wallet)).status).toBe(200)
  })
})

describe('the end of a session', () => {
  it.each(['endSessions', 'forgetSessions'] as const)(
    'logs in once and repeats the request when the session has ended (%s)',
    async (end) => {
      const { channel, service } = await scripted()
      await channel.login()
      service[end]()
      const answer = await channel.request({ ...transfer, idempotencyKey: 'key-1' })
      expect(answer.status).toBe(200)
      expect(service.codes).toEqual(['code-1', 'code-2'])
      expect(new Set(idempotencyKeys(service, '/wallet/transfers'))).toEqual(new Set(['key-1']))
    },
  )

  it('does not loop when every session ends immediately', async () => {
    const { channel, service } = await scripted()
    service.decide = (request) => (request.path === '/sessions' ? undefined : 'session_ended')
    await expect(channel.request(wallet)).rejects.toMatchObject({ code: 'session_ended' })
    expect(service.codes).toEqual(['code-1', 'code-2'])
  })

  it('keeps the outcome unknown when an attacker on the network forges the end of a session', async () => {
    const { channel, service } = await scripted()
    await channel.login()
    let sealed = 0
    service.intercept = (request, pass) => {
      if (request.method === 'POST') sealed += 1
      // The first one reaches the service, and its answer is kept from the client.
      if (sealed === 1) pass()
      return sealed <= 1 ? clearAnswer(401, 'unknown_session') : pass()
    }
    service.decide = (request) =>
      service.codes.length === 2 && request.path !== '/sessions' ? 'rate_limited' : undefined
    const failure = await channel.request(transfer).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(ChannelError)
    expect(failure).toMatchObject({ code: 'outcome_unknown', reason: 'rate_limited', outcome: 'unknown' })
    const [first, second] = idempotencyKeys(service, '/wallet/transfers')
    expect(first).toBe(second)
    expect(failure).toMatchObject({ idempotencyKey: first })
  })

  it('logs in once for concurrent requests whose session has ended', async () => {
    const { channel, service } = await scripted()
    await channel.login()
    service.endSessions()
    await Promise.all([channel.request(wallet), channel.request(wallet), channel.request(transfer)])
    expect(service.codes).toEqual(['code-1', 'code-2'])
  })

  it('does not end the new session when a request on the old one fails', async () => {
    const { channel, service } = await scripted()
    await channel.login()
    service.endSessions()
    let release = (): void => {}
    let sealed = 0
    service.intercept = (request, pass) => {
      if (request.method !== 'POST' || ++sealed > 1) return pass()
      const late = pass()
      return new Promise((resolve) => {
        release = () => resolve(late)
      })
    }
    const slow = channel.request(wallet)
    // Meets the end of the session first and opens the next one.
    await channel.request(transfer)
    release()
    expect((await slow).status).toBe(200)
    expect(service.codes).toEqual(['code-1', 'code-2'])
  })

  it('logs in before sending when the session has expired', async () => {
    let shift = 0
    const { channel, service } = await scripted({ now: () => service.time * 1000 + shift })
    await channel.login()
    service.time += 7200
    shift = 0
    await channel.request(wallet)
    expect(service.codes).toEqual(['code-1', 'code-2'])
    expect(service.sent.filter((line) => line === 'POST /seal')).toHaveLength(3)
  })
})

describe('the access token', () => {
  const renewal = '/sessions/current/token'
  const tokenOf = (request: { fields: Parameters<typeof findField>[0] }) =>
    findField(request.fields, 'authorization')

  it('renews the access token shortly before it expires, once for all requests', async () => {
    const { channel, service } = await scripted()
    await channel.request(wallet)
    service.time += 569
    await channel.request(wallet)
    expect(service.received.some(({ path }) => path === renewal)).toBe(false)
    service.time += 1
    await Promise.all([channel.request(wallet), channel.request({ method: 'GET', path: '/orders' })])
    expect(service.received.filter(({ path }) => path === renewal)).toHaveLength(1)
    const tokens = service.received
      .filter(({ path }) => path !== renewal && path !== '/sessions')
      .map(tokenOf)
    expect(new Set(tokens).size).toBe(2)
    expect(tokens[2]).toBe(tokens[3])
  })

  it('renews the access token once when the service reports it as expired', async () => {
    const { channel, service } = await scripted()
    await channel.login()
    let refusals = 0
    service.decide = ({ path }) =>
      path === '/wallet/transfers' && ++refusals === 1 ? 'token_expired' : undefined
    await channel.request({ ...transfer, idempotencyKey: 'key-1' })
    expect(idempotencyKeys(service, '/wallet/transfers')).toEqual(['key-1', 'key-1'])
    expect(service.received.filter(({ path }) => path === renewal)).toHaveLength(1)
  })

  it('renews the access token once for two concurrent requests', async () => {
    const { channel, service } = await scripted()
    await channel.login()
    const old = new Set<string | undefined>()
    service.decide = (request) => {
      if (!['/wallet', '/orders'].includes(request.path)) return undefined
      if (old.size === 0) old.add(tokenOf(request))
      return old.has(tokenOf(request)) ? 'token_expired' : undefined
    }
    let release = (): void => {}
    service.intercept = (_request, pass) => {
      const answer = pass()
      if (service.received[service.received.length - 1]?.path !== '/orders' || service.received.length > 2)
        return answer
      return new Promise((resolve) => {
        release = () => resolve(answer)
      })
    }
    const slow = channel.request({ method: 'GET', path: '/orders' })
    await channel.request(wallet)
    release()
    await slow
    expect(service.received.filter(({ path }) => path === renewal)).toHaveLength(1)
  })

  it('does not renew the access token twice for one request', async () => {
    const { channel, service } = await scripted()
    service.decide = ({ path }) => (path === '/wallet' ? 'token_expired' : undefined)
    await expect(channel.request(wallet)).rejects.toMatchObject({ code: 'token_expired' })
    expect(service.received.filter(({ path }) => path === renewal)).toHaveLength(1)
  })

  it('logs in again when the renewal reports an ended session', async () => {
    const { channel, service } = await scripted()
    await channel.login()
    service.time += 600
    service.endSessions()
    expect((await channel.request(wallet)).status).toBe(200)
    expect(service.codes).toEqual(['code-1', 'code-2'])
    expect(service.received.filter(({ path }) => path === '/wallet')).toHaveLength(1)
  })

  it('has outcome none when the renewal before the request fails', async () => {
    const { channel, service } = await scripted()
    await channel.login()
    service.time += 600
    service.intercept = () => Promise.reject(new Error('offline'))
    await expect(channel.request(transfer)).rejects.toMatchObject({ code: 'network', outcome: 'none' })
  })
})

describe('an error of the backend', () => {
  it('returns an error of the backend as an answer, with any status', async () => {
    const { channel, service } = await scripted()
    service.decide = ({ path }) =>
      path === '/sessions' ? undefined : json(422, { error: 'insufficient_funds' })
    const answer = await channel.request(transfer)
    expect(answer.status).toBe(422)
    expect(answer.json()).toEqual({ error: 'insufficient_funds' })
  })
})
