/** Protocol section 9 for handlers: how they require a confirmation, what they see, and that they never run without it. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Hono } from 'hono'
import { beforeEach, expect, it } from 'vitest'
import { encodeBase64Url, encodeUtf8 } from '../../../crypto/text.ts'
import type { Command } from '../../../service/channel/claim.ts'
import type { ExchangeContext } from '../../../service/channel/context.ts'
import { challengeFor } from '../../../service/channel/step-up.ts'
import { type InnerApp, type InnerVariables, mountApp } from '../../../service/gateway/backend.ts'
import { stepUpRequired } from '../../../service/gateway/step-up.ts'
import { sodiumPrimitives } from '../../../service/keys/sodium-primitives.ts'
import { ProblemError } from '../../../service/problems/problem-error.ts'
import { confirm, confirmation, stepUpField, withStepUp } from '../../support/confirmation.ts'
import { sharedService, sharedSession } from '../../support/hooks.ts'
import { logIn, RawSession, type RequestParts, transferOf } from '../../support/raw-client.ts'
import { startTestService } from '../../support/service.ts'
import { freePort } from '../../support/service-process.ts'

const openid = 'openid-of-handlers'
let seen: string[] = []
let afterwards: () => void

function createApp(): InnerApp {
  const app = new Hono<{ Variables: InnerVariables }>()
  app.all('/careful', (c) => {
    seen.push(c.var.caller.acr)
    if (c.var.caller.acr !== 'soter') throw stepUpRequired('看一眼')
    afterwards()
    return c.json({ acr: c.var.caller.acr })
  })
  app.all('/telling', async (c) => {
    throw stepUpRequired(`5 元给 ${await c.req.text()}`)
  })
  app.all('/handmade', async (c) => {
    if (c.var.caller.acr === 'soter') return c.json({ acr: c.var.caller.acr })
    const members = JSON.parse(await c.req.text())
    throw new ProblemError('step_up_required', 'made without stepUpRequired', { members })
  })
  app.all('/careless', (c) => c.json({ acr: c.var.caller.acr }))
  return app
}

const service = sharedService({ backend: mountApp(createApp()) })
const session = sharedSession(service, { openid })

beforeEach(() => {
  seen = []
  afterwards = () => {}
})

async function confirmed(parts: RequestParts): Promise<RequestParts> {
  const { json } = await session.send(parts)
  expect(json).toMatchObject({ code: 'step_up_required', summary: '看一眼' })
  return withStepUp(parts, await confirmation(service, openid, json.challenge))
}

const posting = (key: string): RequestParts => ({ method: 'POST', path: '/careful', body: { n: 1 }, key })

it('the handler sees acr soter in the confirmed request, and session in every other', async () => {
  const parts = await confirmed(posting('acr'))
  expect(await session.send(parts)).toMatchObject({ status: 200, json: { acr: 'soter' } })
  expect(seen).toEqual(['session', 'soter'])
  expect((await session.send({ path: '/careless' })).json).toEqual({ acr: 'session' })
  expect((await session.send(posting('acr-next'))).json.code).toBe('step_up_required')
})

it('an invalid confirmation does not reach the handler', async () => {
  const { json } = await session.send(posting('never'))
  const other = await confirm(service, 'openid-of-somebody-else', json.challenge)
  const parts = withStepUp(posting('never'), stepUpField(json.challenge, other))
  expect((await session.send(parts)).json.code).toBe('step_up_invalid')
  expect(seen).toEqual(['session'])
})

it('a challenge is consumed even if the handler then has no effect', async () => {
  // A safe request: with a key, the stored refusal would be repeated.
  const parts = await confirmed({ path: '/careful?once' })
  afterwards = () => {
    throw new ProblemError('payload_invalid', 'not today')
  }
  expect((await session.send(parts)).json.code).toBe('payload_invalid')
  afterwards = () => {}
  expect((await session.send(parts)).json).toMatchObject({
    code: 'step_up_invalid',
    step: 'step-up',
    detail: 'the challenge was used before',
  })
  expect(seen).toEqual(['session', 'soter'])
})

it('a safe request can require a confirmation, bound to its query', async () => {
  const parts = await confirmed({ path: '/careful?of=alice' })
  expect((await session.send({ ...parts, path: '/careful?of=bob' })).json.code).toBe('step_up_invalid')
  expect((await session.send(parts)).json).toEqual({ acr: 'soter' })
  expect(seen).toEqual(['session', 'soter'])
})

it('one of two simultaneous safe requests with the same challenge is accepted', async () => {
  const parts = await confirmed({ path: '/careful' })
  const received = await Promise.all([session.send(parts), session.send(parts)])
  expect(received.map(({ json }) => json.code ?? json.acr).sort()).toEqual(['soter', 'step_up_invalid'])
  const refused = received.find(({ json }) => json.code === 'step_up_invalid')
  expect(refused?.json.detail).toMatch(/^the challenge was used before/)
  expect(seen).toEqual(['session', 'soter'])
})

it('the challenge binds every covered component except token and step-up, and 32 random bytes', async () => {
  const own = Uint8Array.from({ length: 32 }, (_, i) => i)
  const context = {
    primitives: sodiumPrimitives,
    keyring: { current: () => ({ secretKey: new Uint8Array(32) }) },
    now: () => 1000,
    random: () => own,
  } as unknown as ExchangeContext
  const command = {
    message: {
      method: 'POST',
      scheme: 'https',
      authority: 'a',
      path: '/p?q=1',
      fields: [
        ['step-up', 'earlier'],
        ['idempotency-key', '"key"'],
        ['authorization', 'HTTPSig token'],
        ['content-digest', 'sha-256=:AA==:'],
        ['accept', '*/*'],
        ['content-type', 'text/plain'],
      ],
      content: new Uint8Array(0),
    },
    caller: { user: 'u', device: 'd' },
  } as unknown as Command
  const { writes, refusal } = challengeFor(context, command, stepUpRequired('s'))
  const parts = [
    ...['@method', 'POST', '@authority', 'a', '@path', '/p', '@query', '?q=1', 'content-type', 'text/plain'],
    ...['content-digest', 'sha-256=:AA==:', 'idempotency-key', '"key"'],
  ]
  const identity = parts.flatMap((part) => [0, part.length, ...encodeUtf8(part)])
  const digest = sodiumPrimitives.sha256(Uint8Array.from(identity))
  const text = encodeUtf8('miniseal/1 step-up')
  const challenge = sodiumPrimitives.sha256(Uint8Array.of(...text, ...digest, ...own))
  expect(refusal.members).toEqual({ challenge: encodeBase64Url(challenge), summary: 's' })
  expect(writes).toMatchObject([
    { kind: 'insert-step-up', challenge, user: 'u', device: 'd', expiresAt: 1180 },
  ])
})

it('two processes share challenges: one effect in both, also after a restart', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'miniseal-step-up-'))
  const port = await freePort()
  const environment = {
    PORT: String(port),
    MINISEAL_ORIGIN: `http://127.0.0.1:${port}`,
    MINISEAL_DATA: folder,
    MINISEAL_DATABASE: `sqlite:${join(folder, 'miniseal.db')}`,
    MINISEAL_WECHAT_API: service.sandboxUrl,
  }
  const first = await startTestService({ environment })
  const mine = await logIn(first, { openid: 'openid-of-two' })
  const order = (key: string): RequestParts => transferOf(150_000, { key })
  const otherPort = String(await freePort())
  const second = await startTestService({ environment: { ...environment, PORT: otherPort } })
  const there = new RawSession({
    ...mine,
    service: { ...second, origin: `http://127.0.0.1:${otherPort}` },
  })
  try {
    const confirmedOrder = async (key: string): Promise<RequestParts> => {
      const { challenge } = (await mine.send(order(key))).json
      const result = await confirm(service, 'openid-of-two', challenge)
      return withStepUp(order(key), stepUpField(challenge, result))
    }
    const both = await confirmedOrder('both')
    const received = await Promise.all([mine.send(both), there.send(both), mine.send(both), there.send(both)])
    const codes = received.map(({ status, json }) => json.code ?? status)
    expect(codes).toContain(201)
    expect(new Set(codes.filter((code) => code !== 201)).size).toBeLessThanOrEqual(1)
    const late = await confirmedOrder('late')
    await first.close()
    expect((await there.send(late)).json).toMatchObject({ status: 'done', balance: 700_000 })
  } finally {
    await second.close()
    rmSync(folder, { recursive: true, force: true })
  }
})

it('a summary with hidden characters or over the length limit is payload_invalid', async () => {
  for (const payee of ['\u202ebob', 'b\u200bob', 'bob\u2028', 'b'.repeat(38)]) {
    const content = new TextEncoder().encode(payee)
    const parts: RequestParts = {
      method: 'POST',
      path: '/telling',
      body: {},
      key: `telling ${encodeURIComponent(payee)}`,
    }
    const received = await session.send({ ...parts, before: (message) => ({ ...message, content }) })
    expect(received.json).toMatchObject({
      code: 'payload_invalid',
      detail: expect.stringContaining('summary'),
    })
  }
})

it.each([
  ['is reversed', { summary: '\u202e5 元给 bob' }],
  ['is over the length limit', { summary: 'b'.repeat(43) }],
  ['is empty', { summary: '' }],
  ['comes with a challenge of its own', { summary: '\u200b', challenge: 'c' }],
])('a handler that requires a confirmation with a summary that %s causes no prompt', async (_, members) => {
  const received = await session.send({ method: 'POST', path: '/handmade', body: members })
  expect(received.json).toMatchObject({ code: 'payload_invalid', outcome: 'none' })
  expect(received.json).not.toHaveProperty('challenge')
})

it('a confirmation without a summary shows the request itself and confirms it', async () => {
  const parts: RequestParts = { method: 'POST', path: '/handmade', body: { challenge: 'c' }, key: 'handmade' }
  const { json } = await session.send(parts)
  expect(json).toMatchObject({ code: 'step_up_required', summary: 'POST /handmade' })
  const field = await confirmation(service, openid, json.challenge)
  expect((await session.send(withStepUp(parts, field))).json).toEqual({ acr: 'soter' })
})
