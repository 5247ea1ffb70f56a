/** Retries: what is sent again, how often and when, and the error after the last attempt. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { findField } from '../../../crypto/frames/binary-http.ts'
import { ChannelError } from '../../../miniprogram/client/errors.ts'
import type { Answer } from '../../../miniprogram/client/index.ts'
import { clearAnswer, json, problem } from './scripted-answers.ts'
import { countOf, idempotencyKeys, loggedIn, scripted, transfer, wallet } from './scripted-channel.ts'
import type { ScriptedService } from './scripted-service.ts'

const transfers = transfer.path

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
})

afterEach(() => {
  vi.useRealTimers()
})

/** Settles the request under fake timers. @returns its result and the milliseconds that passed */
async function settled(
  work: Promise<Answer>,
): Promise<{ answer?: Answer; error?: ChannelError; waited: number }> {
  let result: { answer?: Answer; error?: ChannelError } | undefined
  void work.then(
    (answer) => {
      result = { answer }
    },
    (error) => {
      result = { error }
    },
  )
  let waited = 0
  for (; result === undefined && waited < 120_000; waited += 50) await vi.advanceTimersByTimeAsync(50)
  return { ...result, waited }
}

/** Drops the answers to the next `count` requests; the service has executed them. */
function loseAnswers(
  service: ScriptedService,
  count: number,
  failure: () => Error = () => new Error('reset'),
): void {
  let lost = 0
  service.intercept = (_request, pass) => {
    const answer = pass()
    if (lost++ < count) throw failure()
    return answer
  }
}

it('the client retries with a new nonce and the same key when responses are lost', async () => {
  const { channel, service } = await loggedIn({ retries: 2 })
  loseAnswers(service, 2)
  const { answer } = await settled(channel.request(transfer))
  expect(answer?.status).toBe(200)
  const sent = service.received.filter(({ path }) => path === transfers)
  expect(sent).toHaveLength(3)
  expect(new Set(idempotencyKeys(service, transfers)).size).toBe(1)
  expect(new Set(sent.map(({ fields }) => findField(fields, 'signature-input'))).size).toBe(3)
})

it('the client fails with outcome_unknown when no attempt of a payment gets a response', async () => {
  const { channel, service } = await loggedIn({ retries: 2 })
  loseAnswers(service, 9)
  const { error } = await settled(channel.request(transfer))
  expect(error).toBeInstanceOf(ChannelError)
  expect(error).toMatchObject({
    code: 'outcome_unknown',
    reason: 'network',
    outcome: 'unknown',
    retryable: true,
  })
  expect(error?.idempotencyKey).toBe(idempotencyKeys(service, transfers)[0])
  expect(error?.text()).toBe('结果尚未确认，请勿重复提交，请稍后查看记录')
})

it('the client keeps the outcome unknown when the phone is offline at the next attempt', async () => {
  let isOnline = true
  const events = { isOnline: () => isOnline, listen: () => () => {} }
  const { channel, service } = await loggedIn({ retries: 1, events })
  service.intercept = () => {
    isOnline = false
    throw new Error('reset')
  }
  const { error } = await settled(channel.request(transfer))
  expect(error).toMatchObject({ code: 'outcome_unknown', reason: 'offline', outcome: 'unknown' })
  expect((await settled(channel.request(transfer))).error).toMatchObject({
    code: 'offline',
    outcome: 'none',
  })
})

it('the client keeps the outcome of a request unknown with code step_up_required', async () => {
  const { channel, service } = await scripted({ retries: 1 })
  service.decide = ({ path }) => (path === transfers ? 'step_up_required' : undefined)
  const { error } = await settled(channel.request(transfer))
  expect(error).toMatchObject({ code: 'step_up_required', outcome: 'unknown' })
  expect(idempotencyKeys(service, transfers)).toHaveLength(1)
})

it('the client retries after WeChat interrupted the request in the background', async () => {
  const { channel, service } = await loggedIn({ retries: 1 })
  loseAnswers(service, 1, () => new ChannelError('interrupted', 'request:fail interrupted'))
  expect((await settled(channel.request(transfer))).answer?.status).toBe(200)
  loseAnswers(service, 9, () => new ChannelError('interrupted', 'request:fail interrupted'))
  expect((await settled(channel.request(wallet))).error).toMatchObject({
    code: 'interrupted',
    outcome: 'none',
  })
})

it.each(['payload_invalid', 'idempotency_mismatch', 'internal', 'login_blocked'])(
  'the client does not retry a permanent refusal (%s)',
  async (code) => {
    const { channel, service } = await scripted({ retries: 2 })
    service.decide = ({ path }) => (path === '/wallet' ? code : undefined)
    expect((await settled(channel.request(wallet))).error).toMatchObject({ code })
    expect(countOf(service, '/wallet')).toBe(1)
  },
)

it('the client does not retry when the service cannot determine the outcome', async () => {
  const { channel, service } = await scripted({ retries: 2 })
  service.decide = ({ path }) =>
    path === transfers
      ? problem('idempotency_in_progress', service.time, 409, { outcome: 'unknown' })
      : undefined
  const { error } = await settled(channel.request(transfer))
  expect(error).toMatchObject({ code: 'outcome_unknown', reason: 'idempotency_in_progress' })
  expect(idempotencyKeys(service, transfers)).toHaveLength(1)
})

const unclear = [
  ...['replayed', 'rate_limited', 'window_invalid', 'token_expired', 'token_invalid', 'session_ended'],
  ...['upstream_unavailable', 'unavailable', 'internal', 'idempotency_in_progress', 'payload_invalid'],
  ...['not_found', 'signature_invalid', 'key_unknown'],
]

it.each(unclear)('the client retries with the same key until the outcome is known (%s)', async (code) => {
  const { channel, service } = await loggedIn({ retries: 2 })
  let refusals = 0
  service.decide = ({ path }) => (path === transfers && refusals++ < 1 ? code : undefined)
  const { answer } = await settled(channel.request({ ...transfer, idempotencyKey: 'key-1' }))
  expect(answer?.status).toBe(200)
  expect(idempotencyKeys(service, transfers)).toEqual(['key-1', 'key-1'])
  const sent = service.received.filter(({ path }) => path === transfers)
  expect(new Set(sent.map(({ fields }) => findField(fields, 'signature-input'))).size).toBe(2)
})

it.each(unclear)(
  'the client never reports a refusal that does not settle the key as refused (%s)',
  async (code) => {
    const { channel, service } = await loggedIn({ retries: 1 })
    service.decide = ({ path }) => (path === transfers ? code : undefined)
    const { error } = await settled(channel.request({ ...transfer, idempotencyKey: 'key-1' }))
    expect(error).toMatchObject({ code: 'outcome_unknown', reason: code, outcome: 'unknown' })
    expect(new Set(idempotencyKeys(service, transfers))).toEqual(new Set(['key-1']))
  },
)

it.each(['idempotency_mismatch', 'step_up_invalid'])(
  'the client does not retry a refusal that a retry cannot change (%s)',
  async (code) => {
    const { channel, service } = await scripted({ retries: 2 })
    service.decide = ({ path }) => (path === transfers ? code : undefined)
    const { error } = await settled(channel.request(transfer))
    expect(error).toMatchObject({ code: 'outcome_unknown', reason: code })
    expect(idempotencyKeys(service, transfers)).toHaveLength(1)
  },
)

it('the client reports refused after a refusal that settles the key, whatever the earlier attempts', async () => {
  const { channel, service } = await loggedIn({ retries: 2 })
  loseAnswers(service, 1)
  service.decide = ({ path }) =>
    path === transfers && idempotencyKeys(service, transfers).length > 1
      ? problem('payload_invalid', service.time, 400, { outcome: 'none' })
      : undefined
  const { error } = await settled(channel.request(transfer))
  expect(error).toMatchObject({ code: 'payload_invalid', outcome: 'refused' })
})

const busyOnce = (service: ScriptedService): void => {
  let refusals = 0
  service.decide = ({ path }) =>
    path === transfers && refusals++ < 1
      ? problem('upstream_unavailable', service.time, 503, { outcome: 'none', retryable: true })
      : undefined
}

it('the client retries a refused payment with a new key when the client generated the key', async () => {
  const { channel, service } = await scripted({ retries: 2 })
  busyOnce(service)
  expect((await settled(channel.request(transfer))).answer?.status).toBe(200)
  expect(new Set(idempotencyKeys(service, transfers)).size).toBe(2)
})

it('the client does not retry a refused payment when the caller gave the key', async () => {
  const { channel, service } = await scripted({ retries: 2 })
  busyOnce(service)
  const { error } = await settled(channel.request({ ...transfer, idempotencyKey: 'mine' }))
  expect(error).toMatchObject({
    ...{ code: 'upstream_unavailable', outcome: 'refused', retryable: true, idempotencyKey: 'mine' },
  })
  expect(idempotencyKeys(service, transfers)).toEqual(['mine'])
})

it('the client reports an unknown outcome when the response to the attempt with the new key is lost', async () => {
  const { channel, service } = await loggedIn({ retries: 1 })
  busyOnce(service)
  let sent = 0
  service.intercept = (_request, pass) => {
    const answer = pass()
    if (++sent > 1) throw new Error('reset')
    return answer
  }
  const { error } = await settled(channel.request(transfer))
  expect(error).toMatchObject({ code: 'outcome_unknown', reason: 'network' })
  expect(error?.idempotencyKey).toBe(idempotencyKeys(service, transfers)[1])
})

it('the client doubles the delay between retries, half of it jitter from the random pool', async () => {
  const waits: number[] = []
  for (const byte of [0, 255]) {
    const random = async (length: number): Promise<Uint8Array> =>
      new Uint8Array(length).fill(byte, 0, length - 1).fill(1, length - 1)
    const { channel, service } = await scripted({ retries: 2, random })
    service.intercept = () => Promise.reject(new Error('down'))
    waits.push((await settled(channel.request(wallet))).waited)
  }
  // 200 + 400 at least, 400 + 800 at most.
  expect(waits[0]).toBeGreaterThanOrEqual(600)
  expect(waits[0]).toBeLessThanOrEqual(700)
  expect(waits[1]).toBeGreaterThanOrEqual(1150)
  expect(waits[1]).toBeLessThanOrEqual(1300)
})

it('the client waits at least Retry-After before it retries', async () => {
  const { channel, service } = await loggedIn({ retries: 1 })
  let refusals = 0
  service.decide = ({ path }) => {
    if (path !== '/wallet' || refusals++ > 0) return undefined
    const refusal = problem('rate_limited', service.time, 429)
    return { ...refusal, fields: [...refusal.fields, ['retry-after', '7']] }
  }
  const { answer, waited } = await settled(channel.request(wallet))
  expect(answer?.status).toBe(200)
  expect(waited).toBeGreaterThanOrEqual(7000)
  expect(waited).toBeLessThan(8000)
})

it('the client does not retry after a long Retry-After', async () => {
  const { channel, service } = await loggedIn({ retries: 2 })
  service.intercept = () => ({
    ...clearAnswer(503, 'overloaded'),
    headers: { 'content-type': 'application/problem+json', 'retry-after': '60' },
  })
  const { error, waited } = await settled(channel.request(wallet))
  expect(error).toMatchObject({ code: 'overloaded', retryAfter: 60 })
  expect(waited).toBeLessThan(100)
})

it('the client waits before sending when RateLimit reports an exhausted quota', async () => {
  const { channel, service } = await loggedIn()
  service.decide = ({ path }) => {
    const answer = json(200, {})
    return path === '/wallet'
      ? { ...answer, fields: [...answer.fields, ['ratelimit', '"device";r=0;t=4']] }
      : undefined
  }
  await channel.request(wallet)
  const next = channel.request(wallet)
  await vi.advanceTimersByTimeAsync(3900)
  expect(countOf(service, '/wallet')).toBe(1)
  await vi.advanceTimersByTimeAsync(200)
  expect((await next).status).toBe(200)
})
