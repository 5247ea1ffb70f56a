import Database from 'better-sqlite3'
import { expect, it } from 'vitest'
import { sharedService } from '../../support/hooks.ts'
import {
  hear,
  logIn,
  post,
  prepareLogin,
  type ReceivedReply,
  random,
  send,
  transferOf,
} from '../../support/raw-client.ts'
import { sandboxCalls } from '../../support/service.ts'

const service = sharedService()

const posting = transferOf(100)

function partOf(position: number): string {
  if (position < 2) return position === 0 ? 'version' : 'type'
  return position < 18 ? 'session' : 'box'
}

function countBy(received: readonly ReceivedReply[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { kind, json, status } of received) {
    const name = `${kind} ${json?.code ?? status}`
    counts[name] = (counts[name] ?? 0) + 1
  }
  return counts
}

it('one of a hundred copies of a frame has its effect, and the others are replayed', async () => {
  const session = await logIn(service)
  const prepared = session.prepare(posting)
  const received = await Promise.all(Array.from({ length: 100 }, () => send(service, prepared)))
  expect(countBy(received)).toEqual({ 'sealed 201': 1, 'sealed replayed': 99 })
  expect((await session.send()).json.balance).toBe(999_900)
})

it('one of a hundred copies of a login frame logs in, and its code is sent to WeChat once', async () => {
  const before = await sandboxCalls(service, 'sns/jscode2session')
  const prepared = await prepareLogin(service)
  const received = await Promise.all(Array.from({ length: 100 }, () => send(service, prepared)))
  expect(countBy(received)).toEqual({ 'sealed 201': 1, 'sealed replayed': 99 })
  expect(await sandboxCalls(service, 'sns/jscode2session')).toBe(before + 1)
})

it('one of many devices can use a login code', async () => {
  const code = await service.code()
  const prepared = await Promise.all(Array.from({ length: 20 }, () => prepareLogin(service, { code })))
  const received = await Promise.all(prepared.map((one) => send(service, one)))
  expect(countBy(received)).toEqual({ 'sealed 201': 1, 'sealed login_code_used': 19 })
})

it('a nonce that another request of the same key used is refused', async () => {
  const session = await logIn(service)
  const nonce = new Uint8Array(16).fill(7)
  expect((await session.send({ nonce })).status).toBe(200)
  expect((await session.send({ ...posting, nonce })).json).toMatchObject({ code: 'replayed', step: 'claim' })
  expect((await (await logIn(service)).send({ nonce })).status).toBe(200)
})

it('a nonce is stored for at least 240 seconds, and so past the window of its signature', async () => {
  const session = await logIn(service)
  const nonce = random(16)
  const sentAt = service.now()
  expect((await session.send({ nonce, created: sentAt + 9 })).status).toBe(200)
  const database = new Database((service.environment.MINISEAL_DATABASE ?? '').replace('sqlite:', ''))
  const find = database.prepare('select expires_at from nonces where nonce = ?').pluck()
  expect(find.get(Buffer.from(nonce))).toBeGreaterThan(sentAt + 240)
  database.close()
})

it('a request that is refused before the claim does not use up its nonce', async () => {
  const session = await logIn(service)
  const nonce = new Uint8Array(16).fill(9)
  expect((await session.send({ nonce, token: undefined })).json.code).toBe('token_missing')
  expect((await session.send({ nonce })).status).toBe(200)
})

it('a frame with any byte changed is refused with the same document and has no effect', async () => {
  const session = await logIn(service)
  const { frame } = session.prepare(posting)
  const unopened = (): never => {
    throw new Error('a changed frame was opened')
  }
  const words = new Map<string, number>()
  const positions = Array.from(frame.keys())
  for (let start = 0; start < positions.length; start += 32) {
    const batch = positions.slice(start, start + 32).map(async (position) => {
      const changed = frame.slice()
      changed[position] = (changed[position] ?? 0) ^ (1 << (position % 8))
      const { outer, json } = await hear(await post(service, changed), unopened)
      const { instance: _, time: __, ...rest } = json
      const text = `${partOf(position)} ${outer} ${JSON.stringify(rest)}`
      words.set(text, (words.get(text) ?? 0) + 1)
    })
    await Promise.all(batch)
  }
  const shapes = [...words.keys()].map((text) => [
    text.split(' ')[0],
    JSON.parse(text.slice(text.indexOf('{'))).code,
  ])
  expect(Object.fromEntries(shapes)).toEqual({
    version: 'malformed_frame',
    // 0x03 with this bit changed is 0x01: a login for an unknown agreement key.
    type: 'unknown_agreement_key',
    session: 'unknown_session',
    box: 'cannot_open',
  })
  // Every byte of the nonce and of the box is refused with the same document.
  expect([...words].filter(([text]) => text.startsWith('box')).map(([, count]) => count)).toEqual([
    frame.length - 18,
  ])
  expect((await session.send()).json.balance).toBe(1_000_000)
})
