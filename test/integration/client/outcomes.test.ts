/** `outcome()` and `cancel()`, and the outcome of a request whose user declines to confirm it. */
import { expect, it } from 'vitest'
import type { ResponseMessage } from '../../../crypto/frames/binary-http.ts'
import { encodeBase64, encodeBase64Url, encodeUtf8 } from '../../../crypto/text.ts'
import { json, problem } from './scripted-answers.ts'
import { idempotencyKeys, loggedIn, scripted, transfer } from './scripted-channel.ts'
import type { ScriptedResponse } from './scripted-service.ts'

const key = 'order 17/"a"'
const path = `/outcomes/${encodeBase64Url(encodeUtf8(key))}`
const stored = {
  status: 201,
  fields: [['content-type', 'application/json']],
  content: encodeBase64(encodeUtf8('{"id":"t-1"}')),
}

/** A channel to a service with these answers about the outcome, in order. */
async function answering(...decisions: readonly ScriptedResponse[]) {
  const made = await scripted({ retries: decisions.length - 1 })
  const left = [...decisions]
  made.service.decide = (request) => (request.path === path ? left.shift() : undefined)
  return made
}

const inProgress = (outcome?: 'unknown'): ResponseMessage =>
  problem('idempotency_in_progress', 1, 409, outcome === undefined ? {} : { outcome })

it.each([
  [{ outcome: 'running' }],
  [{ outcome: 'unknown' }],
  [{ outcome: 'unclaimed' }],
  [{ outcome: 'none', cancelled: true }],
])('the client returns the outcome %j', async (outcomeBody) => {
  const { channel, service } = await answering(json(200, outcomeBody))
  expect(await channel.outcome(key)).toMatchObject(outcomeBody)
  expect(service.received.find((request) => request.path === path)?.method).toBe('GET')
})

it('the client returns the stored response, with the current exchange as evidence', async () => {
  const { channel } = await answering(json(200, { outcome: 'done', answer: stored }))
  const found = await channel.outcome(key)
  if (found.outcome !== 'done' || found.answer === undefined) throw new Error('not done')
  expect([found.answer.status, found.answer.json()]).toEqual([201, { id: 't-1' }])
  expect(found.answer.headers['content-type']).toBe('application/json')
  expect(found.answer.evidence.request.path).toBe(path)
})

it('the client returns done without a response that belongs to another session', async () => {
  const { channel } = await answering(json(200, { outcome: 'done' }))
  expect(await channel.outcome(key)).toEqual({ outcome: 'done', answer: undefined })
})

it('the client returns the refusal that settled the key', async () => {
  const { channel } = await answering(json(200, { outcome: 'none', answer: { ...stored, status: 404 } }))
  expect(await channel.outcome(key)).toMatchObject({
    outcome: 'none',
    cancelled: false,
    answer: { status: 404 },
  })
})

it.each([
  {},
  { outcome: 'maybe' },
  { outcome: 'done', answer: 1 },
  { outcome: 'done', answer: { ...stored, fields: ['a'] } },
  { outcome: 'done', answer: { ...stored, content: '!' } },
])('the client rejects an outcome of another form: %j', async (outcomeBody) => {
  const { channel } = await answering(json(200, outcomeBody))
  await expect(channel.outcome(key)).rejects.toMatchObject({ code: 'unexpected_answer' })
})

it.each(['', 'schlüssel'])('the client rejects an invalid key without sending (%j)', async (wrong) => {
  const { channel, service } = await scripted()
  await expect(channel.outcome(wrong)).rejects.toMatchObject({ code: 'request_invalid' })
  await expect(channel.cancel(wrong)).rejects.toMatchObject({ code: 'request_invalid' })
  expect(service.sent).toEqual([])
})

it('the client cancels a request without an idempotency key of its own', async () => {
  const { channel, service } = await answering(json(200, { outcome: 'none', cancelled: true }))
  expect(await channel.cancel(key)).toEqual({ outcome: 'none' })
  expect(service.received.map(({ method, path }) => `${method} ${path}`)).toContain(`DELETE ${path}`)
  expect(idempotencyKeys(service, path)).toEqual([undefined])
})

it('the client returns done for a cancellation when the request had run before', async () => {
  const { channel } = await answering(json(200, { outcome: 'done', answer: stored }))
  expect(await channel.cancel(key)).toMatchObject({ outcome: 'done', answer: { status: 201 } })
})

it.each(['replayed', 'rate_limited', 'window_invalid', 'internal', 'session_ended'])(
  'the client retries a cancellation until a response arrives (%s)',
  async (code) => {
    const { channel, service } = await answering(code, json(200, { outcome: 'none', cancelled: true }))
    expect(await channel.cancel(key)).toEqual({ outcome: 'none' })
    expect(idempotencyKeys(service, path)).toHaveLength(2)
  },
)

it('the client waits for a running request and finally returns running', async () => {
  const { channel } = await answering(inProgress(), json(200, { outcome: 'done' }))
  expect(await channel.cancel(key)).toEqual({ outcome: 'done', answer: undefined })
  const busy = await answering(inProgress(), inProgress())
  expect(await busy.channel.cancel(key)).toEqual({ outcome: 'running' })
})

it('the client returns unknown without retrying when the service cannot determine the outcome', async () => {
  const { channel, service } = await answering(inProgress('unknown'), undefined)
  expect(await channel.cancel(key)).toEqual({ outcome: 'unknown' })
  expect(idempotencyKeys(service, path)).toHaveLength(1)
})

it('the client fails with outcome_unknown when no response arrives', async () => {
  const { channel, service } = await loggedIn()
  service.intercept = (_request, pass) => {
    pass()
    throw new Error('reset')
  }
  await expect(channel.cancel(key)).rejects.toMatchObject({ code: 'outcome_unknown', outcome: 'unknown' })
})

/** A service that requires step-up and answers a cancellation with `cancelled`. */
async function declined(cancelled: ResponseMessage | string) {
  const made = await scripted({ confirmDialog: async () => false })
  made.service.decide = (request) => {
    if (request.path.startsWith('/outcomes/')) return cancelled
    if (request.path !== transfer.path) return undefined
    return problem('step_up_required', made.service.time, 401, { challenge: 'c', summary: 's' })
  }
  return { ...made, failure: made.channel.request({ ...transfer, idempotencyKey: key, confirm: true }) }
}

it('the client reports refused after the cancellation of an unconfirmed request', async () => {
  const { service, failure } = await declined(json(200, { outcome: 'none', cancelled: true }))
  await expect(failure).rejects.toMatchObject({
    ...{ code: 'confirmation_cancelled', outcome: 'refused', idempotencyKey: key },
  })
  expect(service.received.map(({ method, path }) => `${method} ${path}`)).toContain(`DELETE ${path}`)
})

it.each([
  ['running', inProgress()],
  ['unknown', inProgress('unknown')],
  ['no answer', 'internal'],
])(
  'the client reports an unknown outcome when the response to the cancellation is: %s',
  async (_name, answer) => {
    const { failure } = await declined(answer)
    await expect(failure).rejects.toMatchObject({
      ...{ code: 'outcome_unknown', reason: 'confirmation_cancelled', idempotencyKey: key },
    })
  },
)

it('the client returns the response of an unconfirmed request that had run before', async () => {
  const { failure } = await declined(json(200, { outcome: 'done', answer: stored }))
  expect((await failure).json()).toEqual({ id: 't-1' })
})
