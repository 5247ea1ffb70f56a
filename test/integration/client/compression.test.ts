/** Compressed bodies are signed as they are sent, and a repetition has the same bytes. */
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { findField } from '../../../crypto/frames/binary-http.ts'
import { encodeUtf8 } from '../../../crypto/text.ts'
import { compression } from '../../../miniprogram/client/gzip.ts'
import { advanceDate } from '../../support/clock.ts'
import { startTestService } from '../../support/service.ts'
import { createPhone } from './phone.ts'
import { scripted } from './scripted-channel.ts'

const long = { method: 'POST', path: '/orders', body: { text: '一样的话'.repeat(2000) } } as const

it('the client sends a large body as gzip and signs its content coding and digest', async () => {
  const { channel, service } = await scripted({ compression })
  const { evidence } = await channel.request(long)
  const [, received] = service.received
  expect(findField(received?.fields ?? [], 'content-encoding')).toBe('gzip')
  expect(received?.content.length).toBeLessThan(1000)
  expect(evidence.base).toContain('"content-encoding": gzip')
})

it('the client compresses a repeated request to the same bytes', async () => {
  const { channel, service } = await scripted({ compression })
  await channel.request({ ...long, idempotencyKey: 'k' })
  // A gzip header may hold the time, in seconds.
  advanceDate(1_100)
  await channel.request({ ...long, idempotencyKey: 'k' })
  const digests = service.received.slice(1).map(({ fields }) => findField(fields, 'content-digest'))
  expect(new Set(digests).size).toBe(1)
})

it('the service decompresses requests', async () => {
  const service = await startTestService()
  const { channel } = createPhone(service, 'openid-gzip', { compression })
  const note = '早'.repeat(5000)
  const body = { payee: 'bob', amount: 1, currency: 'CNY', note }
  // Understood, and refused for what is in it: a note has 140 characters at most.
  await expect(channel.request({ method: 'POST', path: '/wallet/transfers', body })).rejects.toMatchObject({
    code: 'payload_invalid',
    detail: expect.stringContaining('a transfer is'),
  })
  await service.close()
})

it.each([
  ['short', { ...long, body: { text: 'x' } }],
  ['not made smaller by it', { ...long, body: randomBytesOf(5000) }],
  ['encoded by its caller', { ...long, headers: { 'Content-Encoding': 'br' } }],
])('the client does not compress a request that is %s', async (_what, options) => {
  const { channel, service } = await scripted({ compression })
  await channel.request(options)
  expect(findField(service.received[1]?.fields ?? [], 'content-encoding')).not.toBe('gzip')
})

it.each(['/encrypted-data', '/events/subscription', '/devices/x?a=b'])(
  "the client does not compress requests to the service's own routes: %s",
  async (path) => {
    const { channel, service } = await scripted({ compression })
    await channel.request({ ...long, path })
    expect(findField(service.received[1]?.fields ?? [], 'content-encoding')).toBeUndefined()
  },
)

it('the client does not compress without the option compression', async () => {
  const { channel, service } = await scripted()
  await channel.request(long)
  expect(findField(service.received[1]?.fields ?? [], 'content-encoding')).toBeUndefined()
})

describe('a compressed response', () => {
  const text = JSON.stringify({ text: 'abc'.repeat(5000) })
  const answered = (content: Uint8Array) => ({
    status: 200,
    fields: [
      ['content-type', 'application/json'],
      ['content-encoding', 'gzip'],
    ] as const,
    content,
  })

  it('the client decompresses a response and keeps the signed bytes as evidence', async () => {
    const { channel, service } = await scripted({ compression })
    service.decide = ({ path }) => (path === '/orders' ? answered(gzipSync(encodeUtf8(text))) : undefined)
    const answer = await channel.request({ method: 'GET', path: '/orders' })
    expect(answer.text()).toBe(text)
    expect(answer.evidence.response.content.length).toBeLessThan(500)
  })

  it.each([
    ['is not gzip', new Uint8Array(100).fill(7)],
    ['is truncated', new Uint8Array(gzipSync(encodeUtf8(text)).subarray(0, 60))],
    ['claims a length above the limit', claimed(9_000_000)],
  ])(
    'the client rejects a compressed response that %s, and the outcome of a payment stays unknown',
    async (_what, content) => {
      const { channel, service } = await scripted({ compression })
      service.decide = ({ path }) => (path === '/orders' ? answered(content) : undefined)
      await expect(channel.request({ method: 'GET', path: '/orders' })).rejects.toMatchObject({
        code: 'unexpected_answer',
        outcome: 'none',
      })
      await expect(channel.request({ ...long, body: {} })).rejects.toMatchObject({
        code: 'outcome_unknown',
        reason: 'unexpected_answer',
      })
    },
  )
})

function randomBytesOf(length: number): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(length))
}

/** gzip that claims this length. */
function claimed(length: number): Uint8Array {
  const bytes = new Uint8Array(gzipSync(new Uint8Array(10)))
  new DataView(bytes.buffer).setUint32(bytes.length - 4, length, true)
  return bytes
}
