/** What the channel puts right by itself, how often, and what it never repeats. */
import { describe, expect, it } from 'vitest'
import { findField } from '../../crypto/binary-http.ts'
import type { ChannelState } from '../../miniprogram/client/index.ts'
import { ChannelError } from '../../miniprogram/client/index.ts'
import { clearAnswer, idempotencyKeys, json, memoryStorage, scripted } from './scripted-service.ts'

const wallet = { method: 'GET', path: '/wallet' } as const
const transfer = {
  method: 'POST',
  path: '/wallet/transfers',
  body: { payee: 'p', amount: 1, currency: 'CNY' },
} as const

describe('the login', () => {
  it('happens at the first request and serves all that come together', async () => {
    const { channel, service } = await scripted()
    expect(service.sent).toEqual([])
    const answers = await Promise.all([1, 2, 3].map(() => channel.request(wallet)))
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
    expect(service.codes).toEqual(['code-1'])
    expect(service.sent.filter((line) => line === 'GET /.well-known/miniseal')).toHaveLength(1)
  })

  it('keeps the device key, and enrols a new one when storage was cleared', async () => {
    const { channel, stored, service } = await scripted()
    const first = await channel.login()
    await channel.logout()
    expect((await channel.login()).device.id).toBe(first.device.id)
    stored.clear()
    service.endSessions()
    await channel.request(wallet)
    expect((await channel.login()).device.id).not.toBe(first.device.id)
    expect([...stored.keys()]).toEqual(['miniseal.device-key.pay.example.com'])
  })

  it('enrols a new key where the stored one is damaged', async () => {
    for (const damaged of ['', 'AAAA', '****']) {
      const stored = new Map([['miniseal.device-key.pay.example.com', damaged]])
      const { channel } = await scripted({ storage: memoryStorage(stored) })
      await channel.login()
      expect(stored.get('miniseal.device-key.pay.example.com')).toHaveLength(43)
    }
  })

  it('does not go on with a key that could not be stored', async () => {
    const storage = { ...memoryStorage(), set: () => Promise.reject(new Error('full')) }
    const { channel, service } = await scripted({ storage })
    await expect(channel.login()).rejects.toMatchObject({ code: 'storage' })
    expect(service.codes).toEqual([])
  })

  it('is tried once and then refused with the reason of the service', async () => {
    const { channel, service, issued } = await scripted()
    service.decide = () => 'login_blocked'
    await expect(channel.request(transfer)).rejects.toMatchObject({ code: 'login_blocked', outcome: 'none' })
    expect(issued).toEqual(['code-1'])
  })

  it('takes a new code after a failed handshake', async () => {
    const { channel, service } = await scripted()
    service.decide = () => 'login_code_invalid'
    await expect(channel.login()).rejects.toMatchObject({ code: 'login_code_invalid' })
    service.decide = () => undefined
    await channel.login()
    expect(service.codes).toEqual(['code-1', 'code-2'])
  })

  it('says login_failed when WeChat gives no code', async () => {
    const { channel } = await scripted({ login: () => Promise.reject(new Error('denied')) })
    await expect(channel.request(transfer)).rejects.toMatchObject({ code: 'login_failed', outcome: 'none' })
  })

  it('tells its states', async () => {
    const { channel, service } = await scripted()
    const states: ChannelState[] = []
    const stop = channel.on('state', (state) => states.push(state))
    await channel.request(wallet)
    service.endSessions()
    await channel.request(wallet)
    expect(states).toEqual(['logging-in', 'ready', 'logged-out', 'logging-in', 'ready'])
    stop()
    await channel.logout()
    expect(states).toHaveLength(5)
  })
})

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
      outcome: 'refused',
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
    expect(failure).toMatchObject({ code: 'rate_limited', outcome: 'unknown' })
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
    await Promise.all([channel.request(wallet), channel.request(wallet)])
    expect(service.received.filter(({ path }) => path === renewal)).toHaveLength(1)
    const tokens = service.received.filter(({ path }) => path === '/wallet').map(tokenOf)
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

describe('rotated keys of the service', () => {
  it('are fetched when the agreement key is not known any more, with a new code', async () => {
    const { channel, service } = await scripted()
    await channel.login()
    await channel.logout()
    service.rotateAgreementKey()
    expect((await channel.request(wallet)).status).toBe(200)
    // The service could not open the second login, so it never saw code-2.
    expect(service.codes).toEqual(['code-1', 'code-3'])
    expect(service.sent.filter((line) => line === 'GET /.well-known/miniseal')).toHaveLength(2)
  })

  it('are fetched once when an answer is signed with a new key; the request is not repeated', async () => {
    const { channel, service } = await scripted()
    await channel.login()
    service.rotateSigningKey()
    expect((await channel.request(transfer)).status).toBe(200)
    expect(idempotencyKeys(service, '/wallet/transfers')).toHaveLength(1)
    expect(service.sent.filter((line) => line === 'GET /.well-known/miniseal')).toHaveLength(2)
  })

  it('are not fetched in a loop', async () => {
    const { channel, service, issued } = await scripted()
    service.intercept = (request, pass) =>
      request.method === 'GET' ? pass() : clearAnswer(409, 'unknown_agreement_key')
    await expect(channel.login()).rejects.toMatchObject({ code: 'unknown_agreement_key' })
    expect(issued).toEqual(['code-1', 'code-2'])
    expect(service.sent.filter((line) => line === 'GET /.well-known/miniseal')).toHaveLength(2)
  })

  it('are fetched anew when the configuration ends', async () => {
    const { channel, service } = await scripted()
    await channel.login()
    service.time += 86_400
    await channel.request(wallet)
    expect(service.sent.filter((line) => line === 'GET /.well-known/miniseal')).toHaveLength(2)
  })
})

describe('logging out', () => {
  it('ends the session at the service; the next request logs in again', async () => {
    const { channel, service } = await scripted()
    await channel.login()
    await channel.logout()
    expect(
      service.received.some(({ method, path }) => `${method} ${path}` === 'DELETE /sessions/current'),
    ).toBe(true)
    await channel.request(wallet)
    expect(service.codes).toEqual(['code-1', 'code-2'])
  })

  it('does nothing where nobody is logged in', async () => {
    const { channel, service } = await scripted()
    await channel.logout()
    expect(service.sent).toEqual([])
  })

  it('ends the session here even when the service cannot be told', async () => {
    const { channel, service } = await scripted()
    await channel.login()
    service.intercept = () => Promise.reject(new Error('offline'))
    await expect(channel.logout()).rejects.toMatchObject({ code: 'network' })
    service.intercept = (_request, pass) => pass()
    await channel.request(wallet)
    expect(service.codes).toEqual(['code-1', 'code-2'])
  })

  it('can forget the device key too', async () => {
    const { channel, stored } = await scripted()
    await channel.login()
    await channel.logout({ forgetDevice: true })
    expect(stored.size).toBe(0)
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
