/** The cache of answers: never of a payment, of another user, or older than an effect. */
import { expect, it } from 'vitest'
import { findField, type RequestMessage, type ResponseMessage } from '../../../crypto/frames/binary-http.ts'
import { encodeUtf8 } from '../../../crypto/text.ts'
import { scripted, transfer, wallet } from './scripted-channel.ts'
import type { ScriptedService } from './scripted-service.ts'

/** Answers `/wallet` with these fields and a count, and `304` to the current ETag. */
function serve(service: ScriptedService, fields: Readonly<Record<string, string>>): { count: number } {
  const state = { count: 1 }
  service.decide = (request: RequestMessage): ResponseMessage | undefined => {
    if (!request.path.startsWith('/wallet') || request.method !== 'GET') return undefined
    const all = Object.entries({ 'content-type': 'application/json', ...fields })
    const validator = findField(request.fields, 'if-none-match')
    if (validator !== undefined && validator === fields.etag) {
      return {
        status: 304,
        fields: all.filter(([name]) => name !== 'content-type'),
        content: new Uint8Array(0),
      }
    }
    return { status: 200, fields: all, content: encodeUtf8(JSON.stringify({ count: state.count++ })) }
  }
  return state
}

function walletRequests(service: ScriptedService): number {
  return service.received.filter(({ path, method }) => path.startsWith('/wallet') && method === 'GET').length
}

it('the client serves a fresh response from the cache, by the service’s clock', async () => {
  const { channel, service } = await scripted()
  serve(service, { 'cache-control': 'private, max-age=60' })
  const first = await channel.request(wallet)
  service.time += 59
  const again = await channel.request(wallet)
  expect([first.isFromCache, again.isFromCache, again.json()]).toEqual([false, true, { count: 1 }])
  service.time += 1
  expect((await channel.request(wallet)).json()).toEqual({ count: 2 })
})

it('the client revalidates with a signed If-None-Match and returns the cached content with the evidence of the 304', async () => {
  const { channel, service } = await scripted()
  serve(service, { etag: '"v1"' })
  await channel.request(wallet)
  const again = await channel.request(wallet)
  expect(again).toMatchObject({ status: 200, isFromCache: true })
  expect(again.json()).toEqual({ count: 1 })
  expect(again.evidence.response.status).toBe(304)
  expect(again.evidence.base).toContain('"if-none-match": "v1"')
})

it.each([
  ['no-store', { etag: '"v1"', 'cache-control': 'no-store, max-age=60' }],
  ['neither an ETag nor a lifetime', {}],
])('the client caches nothing with %s', async (_what, fields) => {
  const { channel, service } = await scripted()
  serve(service, fields)
  await channel.request(wallet)
  expect((await channel.request(wallet)).json()).toEqual({ count: 2 })
  expect(findField(service.received[2]?.fields ?? [], 'if-none-match')).toBeUndefined()
})

it('the client caches nothing with cache: none', async () => {
  const { channel, service } = await scripted()
  serve(service, { 'cache-control': 'max-age=60' })
  await channel.request({ ...wallet, cache: 'none' })
  expect((await channel.request({ ...wallet, cache: 'none' })).json()).toEqual({ count: 2 })
})

it('the client revalidates after a request that can have had an effect', async () => {
  const { channel, service } = await scripted()
  serve(service, { 'cache-control': 'max-age=60' })
  await channel.request(wallet)
  await channel.request(transfer)
  expect((await channel.request(wallet)).json()).toEqual({ count: 2 })
})

it('the client does not treat a response as fresh that was requested before an effect', async () => {
  const { channel, service } = await scripted()
  serve(service, { 'cache-control': 'max-age=60' })
  await channel.login()
  let release = (): void => {}
  service.intercept = (_request, pass) => {
    const answer = pass()
    service.intercept = (_later, passLater) => passLater()
    return new Promise((resolve) => {
      release = () => resolve(answer)
    })
  }
  const early = channel.request(wallet)
  await new Promise((resolve) => setTimeout(resolve, 20))
  await channel.request(transfer)
  release()
  await early
  expect((await channel.request(wallet)).json()).toEqual({ count: 2 })
})

it('the client caches requests with different headers separately', async () => {
  const { channel, service } = await scripted()
  serve(service, { 'cache-control': 'max-age=60' })
  await channel.request({ ...wallet, headers: { 'accept-language': 'en' } })
  expect((await channel.request({ ...wallet, headers: { 'accept-language': 'zh' } })).json()).toEqual({
    count: 2,
  })
})

it('the cache is cleared at logout and when the user changes', async () => {
  const { channel, service } = await scripted()
  serve(service, { 'cache-control': 'max-age=60' })
  await channel.request(wallet)
  await channel.logout()
  expect((await channel.request(wallet)).json()).toEqual({ count: 2 })
  service.user = 'user-2'
  service.endSessions()
  await channel.request({ method: 'GET', path: '/orders' })
  expect((await channel.request(wallet)).json()).toEqual({ count: 3 })
})

it('the client evicts the oldest cached responses above its limits', async () => {
  const { channel, service } = await scripted()
  serve(service, { 'cache-control': 'max-age=60' })
  for (let index = 0; index < 66; index++) await channel.request({ ...wallet, path: `/wallet/${index}` })
  const requestsBefore = walletRequests(service)
  await channel.request({ ...wallet, path: '/wallet/65' })
  expect(walletRequests(service)).toBe(requestsBefore)
  await channel.request({ ...wallet, path: '/wallet/0' })
  expect(walletRequests(service)).toBe(requestsBefore + 1)
})

const stored = { ...wallet, cache: 'storage' } as const
const place = 'miniseal.answers.pay.example.com'

it('the client revalidates a stored response in the next launch', async () => {
  const one = await scripted()
  serve(one.service, { etag: '"v1"' })
  await one.channel.request(stored)
  const next = one.launch()
  const again = await next.request(stored)
  expect([again.isFromCache, again.json()]).toEqual([true, { count: 1 }])
  expect(walletRequests(one.service)).toBe(2)
})

it('the client encrypts stored responses for one user and one device', async () => {
  const one = await scripted()
  serve(one.service, { etag: '"v1"' })
  await one.channel.request(stored)
  const box = one.stored.get(place) ?? ''
  expect(box).toMatch(/^[\w-]{32}\.[\w-]{100,}$/)
  one.service.user = 'user-2'
  expect((await one.launch().request(stored)).isFromCache).toBe(false)
  const other = await scripted()
  other.stored.set(place, box)
  serve(other.service, { etag: '"v1"' })
  expect((await other.channel.request(stored)).isFromCache).toBe(false)
})

it.each(['', 'x', 'AAAA.AAAA', `${'A'.repeat(32)}.${'A'.repeat(64)}`])(
  'the client treats unreadable stored responses as absent (%j)',
  async (text) => {
    const { channel, service, stored: storage } = await scripted()
    storage.set(place, text)
    serve(service, { etag: '"v1"' })
    expect((await channel.request(stored)).json()).toEqual({ count: 1 })
  },
)

it('the client deletes stored responses at logout', async () => {
  const { channel, service, stored: storage } = await scripted()
  serve(service, { etag: '"v1"' })
  await channel.request(stored)
  expect(storage.has(place)).toBe(true)
  await channel.logout()
  expect(storage.has(place)).toBe(false)
})

it('the client ignores storage errors when it stores a response', async () => {
  const { channel, service } = await scripted({
    storage: {
      get: async () => undefined,
      set: async (key) => {
        if (key === place) throw new Error('full')
      },
      remove: async () => {},
    },
  })
  serve(service, { etag: '"v1"' })
  expect((await channel.request(stored)).status).toBe(200)
})
