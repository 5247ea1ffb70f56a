import { expect, it } from 'vitest'
import { findField } from '../../../crypto/frames/binary-http.ts'
import { decodeUtf8 } from '../../../crypto/text.ts'
import { createChannel, type RequestOptions } from '../../../miniprogram/client/index.ts'
import { appid, loggedIn, scripted } from './scripted-channel.ts'
import { origin } from './scripted-service.ts'

async function sent(options: RequestOptions) {
  const { channel, service } = await scripted()
  const answer = await channel.request(options)
  const request = service.received.find(({ path }) => path === options.path)
  if (request === undefined) throw new Error('the request did not arrive')
  return { request, answer, field: (name: string) => findField(request.fields, name) }
}

it('the client sends JSON with its digest, the token and a key', async () => {
  const { request, field } = await sent({ method: 'POST', path: '/orders?a=b', body: { note: '早安 ☕' } })
  expect(request).toMatchObject({
    method: 'POST',
    scheme: 'https',
    authority: 'pay.example.com',
    path: '/orders?a=b',
  })
  expect(decodeUtf8(request.content)).toBe('{"note":"早安 ☕"}')
  expect(field('content-type')).toBe('application/json')
  expect(field('content-digest')).toMatch(/^sha-256=:/)
  expect(field('authorization')).toMatch(/^HTTPSig token-/)
  expect(field('idempotency-key')).toMatch(/^"[A-Za-z0-9_-]{22}"$/)
})

it('the client generates a new key for each request unless one is given', async () => {
  const first = await sent({ method: 'DELETE', path: '/orders/1' })
  const second = await sent({ method: 'DELETE', path: '/orders/1' })
  expect(first.field('idempotency-key')).not.toBe(second.field('idempotency-key'))
  const given = await sent({ method: 'PUT', path: '/orders/1', body: 1, idempotencyKey: 'a "quoted" key' })
  expect(given.field('idempotency-key')).toBe('"a \\"quoted\\" key"')
})

it('the client sends no key with safe requests and the exempt routes', async () => {
  expect((await sent({ method: 'GET', path: '/orders' })).field('idempotency-key')).toBeUndefined()
  const subscription = await sent({ method: 'POST', path: '/events/subscription', body: { after: 0 } })
  expect(subscription.field('idempotency-key')).toBeUndefined()
})

it('the client sends bytes unchanged and header names in lower case', async () => {
  const body = Uint8Array.of(0, 255)
  const headers = { 'Content-Type': 'image/png', 'X-Trace': '1' }
  const { request, field } = await sent({ method: 'POST', path: '/pictures', body, headers })
  expect([...request.content]).toEqual([0, 255])
  expect(field('content-type')).toBe('image/png')
  expect(field('x-trace')).toBe('1')
  const plain = await sent({ method: 'POST', path: '/pictures', body })
  expect(plain.field('content-type')).toBe('application/octet-stream')
})

it('the client returns the evidence of both signatures', async () => {
  const { answer, request } = await sent({ method: 'POST', path: '/orders', body: {} })
  const { evidence } = answer
  expect(evidence.request.fields).toEqual(request.fields)
  expect(evidence.base).toContain('"@path": /orders\n')
  expect(evidence.signature).toHaveLength(64)
  expect(evidence.response.fields).toEqual(expect.arrayContaining([['signature', expect.any(String)]]))
  expect(evidence.answeredAt).toBeGreaterThan(1_700_000_000)
  expect(answer.headers['content-type']).toBe('application/json')
  expect(answer.json()).toEqual({ path: '/orders' })
  expect(answer.text()).toBe('{"path":"/orders"}')
})

it.each<[string, RequestOptions]>([
  ['a body with GET', { method: 'GET', path: '/', body: {} }],
  ['a method in lower case', { method: 'get', path: '/' }],
  ['a relative path', { method: 'GET', path: 'wallet' }],
  ['a path with a dot segment', { method: 'GET', path: '/a/../b' }],
  ['a path with an encoded letter', { method: 'GET', path: '/%61' }],
  ['a path with an empty segment', { method: 'GET', path: '/a//b' }],
  ['a path with a parameter', { method: 'GET', path: '/a;b' }],
  ['a path with an encoded slash', { method: 'GET', path: '/a%2Fb' }],
  ['a path that is not percent-encoded', { method: 'GET', path: '/钱包' }],
  ['an authorization of its own', { method: 'GET', path: '/', headers: { Authorization: 'Bearer x' } }],
  ['a signature of its own', { method: 'GET', path: '/', headers: { signature: 'sig=:AA==:' } }],
  ['a digest of its own', { method: 'GET', path: '/', headers: { 'Content-Digest': 'sha-256=:AA==:' } }],
  ['a key as a header', { method: 'POST', path: '/', headers: { 'Idempotency-Key': '"k"' } }],
  ['a header that is no header', { method: 'GET', path: '/', headers: { a: 'b\r\nc: d' } }],
  ['a key that is not ASCII', { method: 'POST', path: '/', idempotencyKey: '钥匙' }],
  ['a body without a JSON form', { method: 'POST', path: '/', body: () => 1 }],
])('the client rejects a request with %s without sending it', async (_what, options) => {
  const { channel, service } = await scripted()
  await expect(channel.request(options)).rejects.toMatchObject({ code: 'request_invalid', outcome: 'none' })
  expect(service.sent).toEqual([])
})

it('the client rejects a request above the frame limit without sending it', async () => {
  const { channel, service } = await loggedIn()
  const body = 'x'.repeat(1_048_576)
  await expect(channel.request({ method: 'POST', path: '/', body })).rejects.toMatchObject({
    code: 'frame_too_large',
    outcome: 'none',
  })
  expect(service.sent.filter((line) => line === 'POST /seal')).toHaveLength(1)
})

const everything = {
  origin,
  appid,
  roots: ['A'.repeat(43)],
  transport: { send: () => Promise.reject(new Error('unused')) },
  storage: { get: async () => undefined, set: async () => {}, remove: async () => {} },
  random: async (length: number) => new Uint8Array(length).fill(1),
  login: async () => 'code',
  platform: { platform: 'test', base: '1' },
}

it('the client works without wx when all dependencies are passed in', () => {
  expect(() => createChannel(everything)).not.toThrow()
})

it.each(['transport', 'storage', 'random', 'platform'] as const)(
  'the client throws unsupported without wx and %s',
  (missing) => {
    const { [missing]: _, ...rest } = everything
    expect(() => createChannel(rest)).toThrow(expect.objectContaining({ code: 'unsupported' }))
  },
)

it.each([
  ['an origin with a path', { origin: 'https://pay.example.com/' }],
  ['an origin in upper case', { origin: 'https://PAY.example.com' }],
  ['no root key', { roots: [] }],
  ['a root key of another length', { roots: ['AAAA'] }],
  ['a root key that is not base64url', { roots: ['='.repeat(43)] }],
])('the client rejects a channel with %s', (_what, wrong) => {
  const create = () => createChannel({ ...everything, ...wrong })
  expect(create).toThrow(expect.objectContaining({ code: 'request_invalid' }))
})
