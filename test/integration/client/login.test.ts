/** Login and logout of the client, and answers that it does not accept as a login. */
import { describe, expect, it } from 'vitest'
import { findField } from '../../../crypto/frames/binary-http.ts'
import { encodeBase64Url } from '../../../crypto/text.ts'
import type { ChannelState } from '../../../miniprogram/client/index.ts'
import { json, memoryStorage } from './scripted-answers.ts'
import { loggedIn, scripted, transfer, wallet } from './scripted-channel.ts'

it('the client logs in once for concurrent first requests', async () => {
  const { channel, service } = await scripted()
  expect(service.sent).toEqual([])
  const answers = await Promise.all([1, 2, 3].map(() => channel.request(wallet)))
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
  expect(service.codes).toEqual(['code-1'])
  expect(service.sent.filter((line) => line === 'GET /.well-known/miniseal')).toHaveLength(1)
})

it('the client keeps the device key, and enrolls a new one after storage was cleared', async () => {
  const { channel, stored, service } = await scripted()
  const first = await channel.login()
  await channel.logout()
  expect((await channel.login()).device.id).toBe(first.device.id)
  stored.clear()
  service.endSessions()
  await channel.request(wallet)
  expect((await channel.login()).device.id).not.toBe(first.device.id)
  expect([...stored.keys()]).toEqual(['miniseal.device-key.pay.example.com'])
})

it('the client enrolls a new key when the stored one is damaged', async () => {
  for (const damaged of ['', 'AAAA', '****']) {
    const stored = new Map([['miniseal.device-key.pay.example.com', damaged]])
    await loggedIn({ storage: memoryStorage(stored) })
    expect(stored.get('miniseal.device-key.pay.example.com')).toHaveLength(43)
  }
})

it('the client does not use a device key that could not be stored', async () => {
  const storage = { ...memoryStorage(), set: () => Promise.reject(new Error('full')) }
  const { channel, service } = await scripted({ storage })
  await expect(channel.login()).rejects.toMatchObject({ code: 'storage' })
  expect(service.codes).toEqual([])
})

it("the client reports the service's reason for a refused login without retrying", async () => {
  const { channel, service, issued } = await scripted()
  service.decide = () => 'login_blocked'
  await expect(channel.request(transfer)).rejects.toMatchObject({ code: 'login_blocked', outcome: 'none' })
  expect(issued).toEqual(['code-1'])
})

it('the client uses a new login code after a failed handshake', async () => {
  const { channel, service } = await scripted()
  service.decide = () => 'login_code_invalid'
  await expect(channel.login()).rejects.toMatchObject({ code: 'login_code_invalid' })
  service.decide = () => undefined
  await channel.login()
  expect(service.codes).toEqual(['code-1', 'code-2'])
})

it('the client fails with login_failed when wx.login fails', async () => {
  const { channel } = await scripted({ login: () => Promise.reject(new Error('denied')) })
  await expect(channel.request(transfer)).rejects.toMatchObject({ code: 'login_failed', outcome: 'none' })
})

it('the client emits the states of a login and of the end of a session', async () => {
  const { channel, service } = await scripted()
  const states: ChannelState[] = []
  const stop = channel.on('state', (state) => states.push(state))
  await channel.request(wallet)
  service.endSessions()
  await channel.request(wallet)
  expect(states).toEqual(['logging-in', 'ready', 'ended', 'logging-in', 'ready'])
  stop()
  await channel.logout()
  expect(states).toHaveLength(5)
})

describe('the response to a login', () => {
  const id = encodeBase64Url(new Uint8Array(16).fill(1))
  const good = {
    session: { id, expires_at: 2_000_000_000 },
    user: 'user-1',
    device: { id: 'of the phone', new: true },
    access_token: 'token',
    token_type: 'HTTPSig',
    expires_in: 600,
    time: Math.floor(Date.now() / 1000),
  }

  it.each([
    ['another device', good],
    ['a session id of another length', { ...good, session: { ...good.session, id: 'AAAA' } }],
    ['no session', { ...good, session: undefined }],
    ['a bearer token', { ...good, token_type: 'Bearer' }],
    ['a lifetime that is no number', { ...good, expires_in: '600' }],
  ])('the client rejects a signed login response with %s', async (what, body) => {
    const { channel, service } = await scripted()
    service.decide = (request) => {
      const keyid = /keyid="([^"]+)"/.exec(findField(request.fields, 'signature-input') ?? '')?.[1]
      return json(201, what === 'another device' ? body : { ...body, device: { id: keyid, new: true } })
    }
    await expect(channel.login()).rejects.toMatchObject({ code: 'unexpected_answer' })
  })

  it('the client rejects a login response with a status other than 201', async () => {
    const { channel, service } = await scripted()
    service.decide = () => json(200, good)
    await expect(channel.login()).rejects.toMatchObject({ code: 'unexpected_answer' })
  })
})

it('the client ends the session at the service, and the next request logs in again', async () => {
  const { channel, service } = await loggedIn()
  await channel.logout()
  expect(
    service.received.some(({ method, path }) => `${method} ${path}` === 'DELETE /sessions/current'),
  ).toBe(true)
  await channel.request(wallet)
  expect(service.codes).toEqual(['code-1', 'code-2'])
})

it('logout without a session does nothing', async () => {
  const { channel, service } = await scripted()
  await channel.logout()
  expect(service.sent).toEqual([])
})

it('the client ends the local session even when the service cannot be reached', async () => {
  const { channel, service } = await loggedIn()
  service.intercept = () => Promise.reject(new Error('offline'))
  await expect(channel.logout()).rejects.toMatchObject({ code: 'network' })
  service.intercept = (_request, pass) => pass()
  await channel.request(wallet)
  expect(service.codes).toEqual(['code-1', 'code-2'])
})

it('the client deletes the device key at logout on request', async () => {
  const { channel, stored } = await loggedIn()
  await channel.logout({ forgetDevice: true })
  expect([...stored.keys()]).toEqual(['miniseal.configuration.pay.example.com'])
})
