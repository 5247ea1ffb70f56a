import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { sandboxApp } from '../../../service/wechat/apps.ts'
import { createWechatClient, type WechatCall, type WechatClient } from '../../../service/wechat/client.ts'
import { type RunningSandbox, startClient, startSandbox, startServer } from './fixtures.ts'

const { appid, secret } = sandboxApp

/** Every value that no log may show; each is 16 characters or longer, so none turns up by chance. */
const canaries = {
  secret,
  code: 'canary-login-code-0123456789',
  openid: 'canary-openid-0123456789',
  sessionKey: 'Y2FuYXJ5LXNlc3Npb24tMQ==',
  token: 'canary-access-token-0123456789',
  resultJson: '{"raw":"canary-result-json"}',
  signature: 'canary-signature-0123456789',
}

/** All that a logger could find in a value: its properties, hidden ones too, its stack, and its chain of causes. */
function everythingIn(value: unknown): string {
  const parts = [inspect(value, { depth: 20, showHidden: true }), JSON.stringify(value), String(value)]
  for (let error = value; error instanceof Error; error = error.cause) {
    const own = Object.getOwnPropertyNames(error).map((name) => String(Reflect.get(error as object, name)))
    parts.push(error.message, String(error.stack), JSON.stringify(error), ...own)
  }
  return parts.join('\n')
}

function expectNoCanary(value: unknown): void {
  const text = everythingIn(value)
  for (const canary of Object.values(canaries)) {
    expect(text).not.toContain(canary)
    expect(text).not.toContain(encodeURIComponent(canary))
  }
  expect(text).not.toMatch(/access_token=|js_code=|secret=/)
}

const methods: Record<string, (client: WechatClient) => Promise<unknown>> = {
  'sns/jscode2session': (client) => client.exchangeCode(appid, canaries.code),
  'wxa/checksession': (client) => client.checkSession(appid, canaries.openid, canaries.sessionKey),
  'cgi-bin/soter/verify_signature': (client) =>
    client.verifySoter(appid, canaries.openid, canaries.resultJson, canaries.signature),
  'wxa/business/getuserphonenumber': (client) => client.phoneNumber(appid, canaries.code, canaries.openid),
}

/** An answer that gives every canary back, as a hostile or a talkative server would. */
const talkative = JSON.stringify({
  ...canaries,
  session_key: canaries.sessionKey,
  access_token: canaries.token,
  unionid: 1,
})
const errmsg = `invalid code ${Object.values(canaries).join(' ')}, hints: [ ${canaries.code} ]`

const faults: [string, Record<string, unknown>][] = [
  ['errcode 40029', { errcode: 40029 }],
  ['errcode -1', { errcode: -1 }],
  ['an unknown errcode', { errcode: 99999 }],
  ['two refused tokens', { errcode: 40001, times: 2 }],
  ['an errmsg that repeats the request', { body: JSON.stringify({ errcode: 40029, errmsg }) }],
  ['a talkative answer that is not well-formed', { body: talkative }],
  ['a text that is not JSON', { body: `oops ${talkative}` }],
  ['status 500', { status: 500, body: talkative }],
  ['a late answer', { delay_ms: 1000 }],
  ['a cut connection', { drop: true }],
]

async function startWithToken(): Promise<RunningSandbox> {
  const sandbox = await startSandbox()
  const body = JSON.stringify({ access_token: canaries.token, expires_in: 7200 })
  await sandbox.fault({ path: 'cgi-bin/stable_token', body, times: 10 })
  return sandbox
}

async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => expect.fail('it did not fail'),
    (error: unknown) => error,
  )
}

describe('errors and records of the client contain no secret, code, openid, key or token', () => {
  for (const [path, method] of Object.entries(methods)) {
    it.each(faults)(`errors and records contain no secrets when ${path} gets %s`, async (_what, fault) => {
      const sandbox = await startWithToken()
      const { client, calls } = startClient(sandbox.url, { deadlineMs: 200 })
      await sandbox.fault({ path, ...fault })
      expectNoCanary(await failureOf(method(client)))
      expect(calls.length).toBeGreaterThan(0)
      expectNoCanary(calls)
    })

    it(`errors and records contain no secrets when ${path} gets bytes that are not HTTP`, async () => {
      const server = await startServer((request) =>
        request.socket.end(`HTTP/9 ${talkative}\r\n\r\n${talkative}`),
      )
      const { client, calls } = startClient(server.url)
      expectNoCanary(await failureOf(method(client)))
      expectNoCanary(calls)
    })

    it(`errors and records contain no secrets when ${path} cannot connect`, async () => {
      const { client, calls } = startClient('http://127.0.0.1:1')
      expectNoCanary(await failureOf(method(client)))
      expectNoCanary(calls)
    })
  }

  it('records of successful calls contain no secrets', async () => {
    const sandbox = await startSandbox()
    const { client, calls } = startClient(sandbox.url)
    const { code, openid } = await sandbox.newCode()
    const { sessionKey } = await client.exchangeCode(appid, code)
    await client.checkSession(appid, openid, sessionKey)
    const text = everythingIn(calls)
    for (const value of [code, openid, sessionKey, await sandbox.token(), secret])
      expect(text).not.toContain(value)
    expect(calls.map(({ api }) => api)).toEqual([
      'sns/jscode2session',
      'cgi-bin/stable_token',
      'wxa/checksession',
    ])
  })

  it('errors and records contain no secrets when the fetch of the token fails', async () => {
    const sandbox = await startSandbox()
    const { client, calls } = startClient(sandbox.url)
    await sandbox.fault({
      path: 'cgi-bin/stable_token',
      body: `{"access_token":"${canaries.token}","expires_in":-1}`,
    })
    expectNoCanary(await failureOf(client.checkSession(appid, canaries.openid, canaries.sessionKey)))
    expectNoCanary(calls)
  })

  it('the printed client, and the error of its constructor, contain no secrets', () => {
    const calls: WechatCall[] = []
    const options = { apps: [sandboxApp], now: () => 0, onCall: (call: WechatCall) => calls.push(call) }
    expectNoCanary(createWechatClient({ ...options, baseUrl: 'http://127.0.0.1:1' }))
    const make = () => createWechatClient({ ...options, baseUrl: `http://u:${canaries.code}@127.0.0.1:1` })
    expect(make).toThrow(TypeError)
    try {
      make()
    } catch (error) {
      expectNoCanary(error)
    }
  })
})
