/** Answers that an attacker on the network changes, exchanges or makes up are rejected. */
import { expect, it } from 'vitest'
import type { TransportAnswer } from '../../../miniprogram/client/transports/transport.ts'
import { clearAnswer, flipped, frameAnswer, problem } from './scripted-answers.ts'
import { loggedIn, scripted, transfer, wallet } from './scripted-channel.ts'

// Version, type, request nonce, nonce, tag, content, the last byte.
it.each([0, 1, 2, 25, 26, 49, 50, 65, 66, 200, -1])(
  'the client rejects a response with byte %i flipped',
  async (offset) => {
    const { channel, service } = await loggedIn()
    service.intercept = (request, pass) => (request.method === 'POST' ? flipped(pass(), offset) : pass())
    await expect(channel.request(transfer)).rejects.toMatchObject({
      code: 'outcome_unknown',
      reason: 'not_verified',
      outcome: 'unknown',
    })
    await expect(channel.request(wallet)).rejects.toMatchObject({ code: 'not_verified', outcome: 'none' })
  },
)

// Version, type, ephemeral key, nonce, tag, content.
it.each([0, 1, 2, 33, 34, 57, 58, 74, 200, -1])(
  'the client rejects a login response with byte %i flipped',
  async (offset) => {
    const { channel, service, issued } = await scripted()
    service.intercept = (request, pass) => (request.method === 'POST' ? flipped(pass(), offset) : pass())
    await expect(channel.request(transfer)).rejects.toMatchObject({ code: 'not_verified', outcome: 'none' })
    expect(issued).toEqual(['code-1'])
  },
)

it('the client rejects a truncated or extended response', async () => {
  const { channel, service } = await loggedIn()
  for (const change of [
    (body: Uint8Array) => body.slice(0, -1),
    (body: Uint8Array) => body.slice(0, 60),
    () => new Uint8Array(0),
    (body: Uint8Array) => Uint8Array.of(...body, 0),
    () => new Uint8Array(1_048_577),
  ]) {
    service.intercept = (_request, pass) => frameAnswer(change(pass().body))
    await expect(channel.request(wallet)).rejects.toMatchObject({ code: 'not_verified' })
  }
})

it('the client rejects swapped responses', async () => {
  const { channel, service } = await loggedIn()
  const waiting: { answer: TransportAnswer; give: (answer: TransportAnswer) => void }[] = []
  service.intercept = (_request, pass) =>
    new Promise((give) => {
      waiting.push({ answer: pass(), give })
      const [a, b] = waiting
      if (a === undefined || b === undefined) return
      a.give(b.answer)
      b.give(a.answer)
    })
  const outcomes = await Promise.allSettled([channel.request(wallet), channel.request(transfer)])
  expect(outcomes).toMatchObject([
    { status: 'rejected', reason: { code: 'not_verified', outcome: 'none' } },
    { status: 'rejected', reason: { code: 'outcome_unknown', reason: 'not_verified', outcome: 'unknown' } },
  ])
})

it('the client rejects an old response with a rewritten request nonce', async () => {
  const { channel, service } = await loggedIn()
  let old: TransportAnswer | undefined
  service.intercept = (_request, pass) => {
    const answer = pass()
    if (old === undefined) {
      old = answer
      return answer
    }
    const body = Uint8Array.from(old.body)
    body.set(answer.body.subarray(2, 26), 2)
    return frameAnswer(body)
  }
  expect((await channel.request(wallet)).status).toBe(200)
  await expect(channel.request(wallet)).rejects.toMatchObject({ code: 'not_verified' })
})

it('the client rejects a login response of another frame type', async () => {
  const { channel, service } = await scripted()
  service.intercept = (request, pass) => {
    return request.method === 'GET' ? pass() : frameAnswer(Uint8Array.of(1, 4, ...new Uint8Array(100)))
  }
  await expect(channel.login()).rejects.toMatchObject({ code: 'not_verified' })
})

it('the client rejects a socket refusal as the response to a request', async () => {
  const { channel, service } = await loggedIn()
  const refusal = Uint8Array.of(1, 0x0f, ...problem('session_ended', 1).content)
  service.intercept = () => frameAnswer(refusal)
  await expect(channel.request(transfer)).rejects.toMatchObject({
    code: 'outcome_unknown',
    reason: 'not_verified',
    outcome: 'unknown',
  })
  expect(service.codes).toEqual(['code-1'])
})

const proxyPage = { status: 200, headers: { 'content-type': 'text/html' }, body: new Uint8Array(10) }

it.each([
  ['unexpected_answer', proxyPage],
  ['unexpected_answer', { ...proxyPage, status: 502 }],
  ['overloaded', clearAnswer(503, 'overloaded')],
  ['cannot_open', clearAnswer(400, 'cannot_open')],
  ['unexpected_answer', clearAnswer(422, 'payload_invalid')],
  ['unexpected_answer', clearAnswer(200, 'done')],
])(
  'the client reports an unencrypted response as %s and never as the result of a payment',
  async (code, answer) => {
    const { channel, service } = await loggedIn()
    service.intercept = () => answer
    await expect(channel.request(transfer)).rejects.toMatchObject({ code: 'outcome_unknown', reason: code })
    await expect(channel.request(wallet)).rejects.toMatchObject({ code, outcome: 'none' })
  },
)

it('the client treats every response with a status other than 200 as unencrypted', async () => {
  const { channel, service } = await loggedIn()
  service.intercept = (_request, pass) => ({ ...pass(), status: 500 })
  await expect(channel.request(wallet)).rejects.toMatchObject({ code: 'unexpected_answer', status: 500 })
})
