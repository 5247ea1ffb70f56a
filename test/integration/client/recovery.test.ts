/** Recovery from a wrong clock, an ended session and an expired token: how often, and what is never repeated. */
import { expect, it } from 'vitest'
import { findField } from '../../../crypto/frames/binary-http.ts'
import { Clock } from '../../../miniprogram/client/clock.ts'
import { ChannelError } from '../../../miniprogram/client/index.ts'
import { clearAnswer } from './scripted-answers.ts'
import { countOf, idempotencyKeys, loggedIn, scripted, transfer, wallet } from './scripted-channel.ts'

it('the client does not correct the clock twice for one request', async () => {
  const { channel, service } = await loggedIn()
  service.decide = () => 'window_invalid'
  await expect(channel.request(wallet)).rejects.toMatchObject({
    code: 'window_invalid',
    outcome: 'none',
  })
  expect(countOf(service, '/wallet')).toBe(2)
})

it('the client never adopts the time of an unencrypted response', async () => {
  const { channel, service } = await loggedIn()
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

it.each(['endSessions', 'forgetSessions'] as const)(
  'the client logs in once and repeats the request when the session has ended (%s)',
  async (end) => {
    const { channel, service } = await loggedIn()
    service[end]()
    const answer = await channel.request({ ...transfer, idempotencyKey: 'key-1' })
    expect(answer.status).toBe(200)
    expect(service.codes).toEqual(['code-1', 'code-2'])
    expect(new Set(idempotencyKeys(service, '/wallet/transfers'))).toEqual(new Set(['key-1']))
  },
)

it('the client does not loop when every session ends immediately', async () => {
  const { channel, service } = await scripted()
  service.decide = (request) => (request.path === '/sessions' ? undefined : 'session_ended')
  await expect(channel.request(wallet)).rejects.toMatchObject({ code: 'session_ended' })
  expect(service.codes).toEqual(['code-1', 'code-2'])
})

it('the client keeps the outcome unknown when an attacker on the network forges the end of a session', async () => {
  const { channel, service } = await loggedIn()
  let sealed = 0
  service.intercept = (request, pass) => {
    if (request.method === 'POST') sealed += 1
    // The first request reaches the service, but its answer does not reach the client.
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

it('the client logs in once for concurrent requests whose session has ended', async () => {
  const { channel, service } = await loggedIn()
  service.endSessions()
  await Promise.all([channel.request(wallet), channel.request(wallet), channel.request(transfer)])
  expect(service.codes).toEqual(['code-1', 'code-2'])
})

it('the client does not end the new session when a request on the old one fails', async () => {
  const { channel, service } = await loggedIn()
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
  // Finds the session ended first and opens the next one.
  await channel.request(transfer)
  release()
  expect((await slow).status).toBe(200)
  expect(service.codes).toEqual(['code-1', 'code-2'])
})

it('the client logs in before sending when the session has expired', async () => {
  const { channel, service } = await loggedIn()
  service.time += 7200
  await channel.request(wallet)
  expect(service.codes).toEqual(['code-1', 'code-2'])
  expect(service.sent.filter((line) => line === 'POST /seal')).toHaveLength(3)
})

const renewal = '/sessions/current/token'
const tokenOf = (request: { fields: Parameters<typeof findField>[0] }) =>
  findField(request.fields, 'authorization')

it('the client renews the access token shortly before it expires, once for all requests', async () => {
  const { channel, service } = await scripted()
  await channel.request(wallet)
  service.time += 569
  await channel.request(wallet)
  expect(service.received.some(({ path }) => path === renewal)).toBe(false)
  service.time += 1
  await Promise.all([channel.request(wallet), channel.request({ method: 'GET', path: '/orders' })])
  expect(countOf(service, renewal)).toBe(1)
  const tokens = service.received.filter(({ path }) => path !== renewal && path !== '/sessions').map(tokenOf)
  expect(new Set(tokens).size).toBe(2)
  expect(tokens[2]).toBe(tokens[3])
})

it('the client renews the access token once for two concurrent requests', async () => {
  const { channel, service } = await loggedIn()
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
  expect(countOf(service, renewal)).toBe(1)
})

it('the client does not renew the access token twice for one request', async () => {
  const { channel, service } = await scripted()
  service.decide = ({ path }) => (path === '/wallet' ? 'token_expired' : undefined)
  await expect(channel.request(wallet)).rejects.toMatchObject({ code: 'token_expired' })
  expect(countOf(service, renewal)).toBe(1)
})

it('the client logs in again when the renewal reports an ended session', async () => {
  const { channel, service } = await loggedIn()
  service.time += 600
  service.endSessions()
  expect((await channel.request(wallet)).status).toBe(200)
  expect(service.codes).toEqual(['code-1', 'code-2'])
  expect(countOf(service, '/wallet')).toBe(1)
})

it('a request has outcome none when the renewal before it fails', async () => {
  const { channel, service } = await loggedIn()
  service.time += 600
  service.intercept = () => Promise.reject(new Error('offline'))
  await expect(channel.request(transfer)).rejects.toMatchObject({ code: 'network', outcome: 'none' })
})

it('the client uses the phone’s clock until it is synchronized', () => {
  expect(new Clock(() => 1_764_000_000_999).seconds()).toBe(1_764_000_000)
})

it('the client adopts the service’s time and continues with the phone’s clock', () => {
  let now = 1_000_000_000_000
  const clock = new Clock(() => now)
  clock.synchronize(1_764_000_000)
  expect(clock.seconds()).toBe(1_764_000_000)
  now += 90_000
  expect(clock.seconds()).toBe(1_764_000_090)
  clock.synchronize(1_764_000_000)
  expect(clock.seconds()).toBe(1_764_000_000)
})

it('the client ignores differences within network latency', () => {
  const clock = new Clock(() => 1_764_000_000_000)
  clock.synchronize(1_763_999_995)
  expect(clock.seconds()).toBe(1_764_000_000)
  clock.synchronize(1_763_999_994)
  expect(clock.seconds()).toBe(1_763_999_994)
})
