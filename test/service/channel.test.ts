import { afterAll, beforeAll, expect, it } from 'vitest'
import { logIn, prepareLogin, send } from '../support/raw-client.ts'
import type { TestService } from '../support/service.ts'
import { startTestService } from '../support/service.ts'

let service: TestService

beforeAll(async () => {
  service = await startTestService()
})

afterAll(() => service.close())

it('logs a device in and answers with a session, a token and the time, signed and sealed', async () => {
  const prepared = await prepareLogin(service)
  const heard = await send(service, prepared)
  expect(heard).toMatchObject({ kind: 'sealed', outer: 200, status: 201 })
  expect(heard.json).toMatchObject({ token_type: 'HTTPSig', expires_in: 600, device: { new: true } })
  expect(heard.json.session.expires_at).toBe(heard.json.time + 7200)
  expect(Object.keys(heard.json).sort()).toEqual([
    'access_token',
    'device',
    'expires_in',
    'session',
    'time',
    'token_type',
    'user',
  ])
})

it('knows a person again under the same pseudonym, and a device as one it has seen', async () => {
  const first = await logIn(service, { openid: 'openid-again' })
  const prepared = await prepareLogin(service, { openid: 'openid-again', device: first.device })
  const heard = await send(service, prepared)
  expect(heard.json.user).toBe(first.user)
  expect(heard.json.device).toEqual({ id: first.device.signer.keyid, new: false })
  expect(heard.json.user).not.toContain('openid')
})

it('carries a transfer to the wallet and its balance back', async () => {
  const session = await logIn(service)
  expect((await session.send({ path: '/wallet' })).json).toMatchObject({
    balance: 1_000_000,
    currency: 'CNY',
  })
  const body = { payee: 'bob', amount: 1250, currency: 'CNY', note: '午饭' }
  const heard = await session.send({ method: 'POST', path: '/wallet/transfers', body })
  expect(heard.status).toBe(201)
  expect(heard.json).toMatchObject({ status: 'done', amount: 1250, balance: 998_750, note: '午饭' })
  const list = await session.send({ path: '/wallet/transfers' })
  expect(list.json.transfers.map(({ id }: { id: string }) => id)).toEqual([heard.json.id])
})
