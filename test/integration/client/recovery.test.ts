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
  it('is corrected at the login, once, with a new code', async () => {
    const { channel, service } = await scripted({ now: () => Date.now() - 3_600_000 })
    await channel.request(wallet)
    await channel.request(wallet)
    expect(service.codes).toEqual(['code-1', 'code-2'])
    expect(service.sent.filter((line) => line === 'POST /seal')).toHaveLength(4)
  })

  it('is corrected in a session, and the same request signed again with the same key', async () => {
    let shift = 0
    const { channel, service } = await scripted({ now: () => Date.now() + shift })
    await channel.login()
    shift = -3_600_000
    const answer = await channel.request({ ...transfer, idempotencyKey: 'key-1' })
    expect(answer.status).toBe(200)
    expect(idempotencyKeys(service, '/wallet/transfers')).toEqual(['key-1'])
    expect(service.sent.filter((line) => line === 'POST /seal')).toHaveLength(3)
  })

  it('is not corrected twice for one request', async () => {
    const { channel, service } = await scripted()
    await channel.login()
    service.decide = () => 'window_invalid'
    await expect(channel.request(wallet)).rejects.toMatchObject({
      code: 'window_invalid',
      outcome: 'none',
    })
    expect(service.received.filter(({ path }) => path === '/wallet')).toHaveLength(2)
  })

  it('is never learnt from an answer in the clear', async () => {
    const { channel, service } = await scripted()
    await channel.login()
    let isFirst = true
    service.intercept = (request, pass) => {
      if (!isFirst || request.method !== 'POST') return pass()
      isFirst = false
      return clearAnswer(401, 'window_invalid')
    }
    await expect(channel.request(wallet)).rejects.toMatchObject({
      code: 'unexpected_answer',
      time: undefined,
    })
    expect((await channel.request(wallet)).status).toBe(200)
  })
})

describe('the end of a session', () => {
  it.each(['endSessions', 'forgetSessions'] as const)(
    'leads to one new login and the same request again (%s)',
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

  it('never leads to a loop', async () => {
    const { channel, service } = await scripted()
    service.decide = (request) => (request.path === '/sessions' ? undefined : 'session_ended')
    await expect(channel.request(wallet)).rejects.toMatchObject({ code: 'session_ended' })
    expect(service.codes).toEqual(['code-1', 'code-2'])
  })

  it('leaves the outcome open when somebody on the way only pretends it', async () => {
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

  it('is shared by requests that meet it together', async () => {
    const { channel, service } = await scripted()
    await channel.login()
    service.endSessions()
    await Promise.all([channel.request(wallet), channel.request(wallet), channel.request(transfer)])
    expect(service.codes).toEqual(['code-1', 'code-2'])
  })

  it('does not end the session that took its place', async () => {
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

  it('is foreseen when the time of the session is over', async () => {
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

  it('is renewed shortly before it ends, once for all requests', async () => {
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

  it('is renewed once when the service says that it has ended', async () => {
    const { channel, service } = await scripted()
    await channel.login()
    let refusals = 0
    service.decide = ({ path }) =>
      path === '/wallet/transfers' && ++refusals === 1 ? 'token_expired' : undefined
    await channel.request({ ...transfer, idempotencyKey: 'key-1' })
    expect(idempotencyKeys(service, '/wallet/transfers')).toEqual(['key-1', 'key-1'])
    expect(service.received.filter(({ path }) => path === renewal)).toHaveLength(1)
  })

  it('is renewed once when two requests learn that it has ended', async () => {
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

  it('is not renewed twice for one request', async () => {
    const { channel, service } = await scripted()
    service.decide = ({ path }) => (path === '/wallet' ? 'token_expired' : undefined)
    await expect(channel.request(wallet)).rejects.toMatchObject({ code: 'token_expired' })
    expect(service.received.filter(({ path }) => path === renewal)).toHaveLength(1)
  })

  it('leads to a new login when the renewal says that the session is over', async () => {
    const { channel, service } = await scripted()
    await channel.login()
    service.time += 600
    service.endSessions()
    expect((await channel.request(wallet)).status).toBe(200)
    expect(service.codes).toEqual(['code-1', 'code-2'])
    expect(service.received.filter(({ path }) => path === '/wallet')).toHaveLength(1)
  })

  it('does not leave the outcome open when the renewal before the request fails', async () => {
    const { channel, service } = await scripted()
    await channel.login()
    service.time += 600
    service.intercept = () => Promise.reject(new Error('offline'))
    await expect(channel.request(transfer)).rejects.toMatchObject({ code: 'network', outcome: 'none' })
  })
})

describe('an error of the backend', () => {
  it('is an answer, whatever its status', async () => {
    const { channel, service } = await scripted()
    service.decide = ({ path }) =>
      path === '/sessions' ? undefined : json(422, { error: 'insufficient_funds' })
    const answer = await channel.request(transfer)
    expect(answer.status).toBe(422)
    expect(answer.json()).toEqual({ error: 'insufficient_funds' })
  })
})
