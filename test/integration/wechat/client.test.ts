import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { userSignature } from '../../../service/wechat/apis.ts'
import { sandboxApp } from '../../../service/wechat/apps.ts'
import { createWechatClient } from '../../../service/wechat/client.ts'
import { otherApp, type RunningSandbox, startClient, startSandbox } from './fixtures.ts'

const { appid } = sandboxApp

describe('checkSession', () => {
  it('checkSession returns true for the current session_key and false for the previous one', async () => {
    const sandbox = await startSandbox()
    const { client } = startClient(sandbox.url)
    const first = await client.exchangeCode(appid, (await sandbox.newCode('alice')).code)
    expect(await client.checkSession(appid, 'alice', first.sessionKey)).toBe(true)
    const second = await client.exchangeCode(appid, (await sandbox.newCode('alice')).code)
    expect(await client.checkSession(appid, 'alice', first.sessionKey)).toBe(false)
    expect(await client.checkSession(appid, 'alice', second.sessionKey)).toBe(true)
    expect(await client.checkSession(appid, 'bob', second.sessionKey)).toBe(false)
  })

  it('checkSession fails on a response without an errcode', async () => {
    const sandbox = await startSandbox()
    await sandbox.fault({ path: 'wxa/checksession', body: '{}' })
    const check = startClient(sandbox.url).client.checkSession(appid, 'alice', 'key')
    await expect(check).rejects.toMatchObject({ code: 'wechat_unavailable' })
  })

  it("checkSession signs as in WeChat's published example, with the text of the session_key as the key", () => {
    const sessionKey = 'o0q0otL8aEzpcZL/FT9WsQ=='
    expect(userSignature(sessionKey, '{"foo":"bar"}')).toBe(
      '654571f79995b2ce1e149e53c0a33dc39c0a74090db514261454e8dbe432aa0b',
    )
    expect(userSignature(sessionKey, '')).toBe(
      '46e043c5525c2d817c44be603d30837a808a1d930d038f6fdc3e62a201fed128',
    )
  })
})

describe('verifySoter', () => {
  const path = 'cgi-bin/soter/verify_signature'
  const resultSchema = z.object({ resultJSON: z.string(), resultJSONSignature: z.string() })
  const confirm = async (sandbox: RunningSandbox) =>
    resultSchema.parse(
      (await sandbox.post('sandbox/soter', { openid: 'alice', challenge: '付款 "1.00"' })).json,
    )

  it('verifySoter returns true only for the text that the device of this user signed', async () => {
    const sandbox = await startSandbox()
    const { client } = startClient(sandbox.url)
    const { resultJSON: json, resultJSONSignature: signature } = await confirm(sandbox)
    expect(await client.verifySoter(appid, 'alice', json, signature)).toBe(true)
    expect(await client.verifySoter(appid, 'bob', json, signature)).toBe(false)
    expect(await client.verifySoter(appid, 'alice', JSON.stringify(JSON.parse(json)), signature)).toBe(false)
    expect(await client.verifySoter(appid, 'alice', `${json} `, signature)).toBe(false)
    expect(await client.verifySoter(appid, 'alice', json, '')).toBe(false)
  })

  it('verifySoter returns false without a call for a result longer than a device produces', async () => {
    const sandbox = await startSandbox()
    const { client } = startClient(sandbox.url)
    expect(await client.verifySoter(appid, 'alice', 'x'.repeat(16_385), 'sig')).toBe(false)
    expect(await client.verifySoter(appid, 'alice', '{}', 'x'.repeat(4097))).toBe(false)
    expect(await sandbox.calls(path)).toBe(0)
  })

  it('verifySoter accepts a response with only is_ok, as in the biometrics guide', async () => {
    const sandbox = await startSandbox()
    await sandbox.fault({ path, body: '{"is_ok":true}' })
    expect(await startClient(sandbox.url).client.verifySoter(appid, 'alice', '{}', 'sig')).toBe(true)
  })

  it.each(['{"errcode":0,"errmsg":"ok"}', '{"errcode":0,"is_ok":"true"}', '{"errcode":-1,"is_ok":true}'])(
    'verifySoter fails on %s',
    async (body) => {
      const sandbox = await startSandbox()
      await sandbox.fault({ path, body })
      const verified = startClient(sandbox.url).client.verifySoter(appid, 'alice', '{}', 'sig')
      await expect(verified).rejects.toMatchObject({ code: 'wechat_unavailable' })
    },
  )
})

describe('phoneNumber', () => {
  const path = 'wxa/business/getuserphonenumber'
  const newCode = async (sandbox: RunningSandbox) => {
    const { json } = await sandbox.post('sandbox/phone-codes', { appid, openid: 'alice' })
    return z.object({ code: z.string(), phoneNumber: z.string() }).parse(json)
  }

  it('phoneNumber returns the number once and refuses a used, unknown, empty or overlong code with payload_invalid', async () => {
    const sandbox = await startSandbox()
    const { client } = startClient(sandbox.url)
    const { code, phoneNumber } = await newCode(sandbox)
    const number = { phoneNumber, purePhoneNumber: phoneNumber, countryCode: '86' }
    expect(await client.phoneNumber(appid, code, 'alice')).toEqual(number)
    for (const wrong of [code, 'unknown', '', 'x'.repeat(513)]) {
      await expect(client.phoneNumber(appid, wrong)).rejects.toMatchObject({ code: 'payload_invalid' })
    }
    // The empty and the endless one did not even reach WeChat.
    expect(await sandbox.calls(path)).toBe(3)
  })

  it('phoneNumber refuses the code of another user when the openid is given', async () => {
    const sandbox = await startSandbox()
    const { client } = startClient(sandbox.url)
    const { code } = await newCode(sandbox)
    await expect(client.phoneNumber(appid, code, 'bob')).rejects.toMatchObject({ code: 'payload_invalid' })
    expect(await client.phoneNumber(appid, code)).toMatchObject({ countryCode: '86' })
  })

  it('phoneNumber refuses a number whose watermark names another app', async () => {
    const sandbox = await startSandbox()
    const { client } = startClient(sandbox.url)
    const info = { phoneNumber: '13800000000', purePhoneNumber: '13800000000', countryCode: 86 }
    const body = (owner: string) => JSON.stringify({ phone_info: { ...info, watermark: { appid: owner } } })
    await sandbox.fault({ path, body: body(otherApp.appid) })
    await sandbox.fault({ path, body: body(appid) })
    await expect(client.phoneNumber(appid, 'code')).rejects.toMatchObject({ code: 'payload_invalid' })
    expect(await client.phoneNumber(appid, 'code')).toEqual({ ...info, countryCode: '86' })
  })
})

describe('createWechatClient', () => {
  it('createWechatClient accepts its own apps and refuses others without a call', async () => {
    const sandbox = await startSandbox()
    const { client, calls } = startClient(sandbox.url)
    expect([client.hasApp(appid), client.hasApp('wx0'), client.hasApp('__proto__')]).toEqual([
      true,
      false,
      false,
    ])
    const refused = { code: 'payload_invalid' }
    await expect(client.exchangeCode('wx0', 'code')).rejects.toMatchObject(refused)
    await expect(client.checkSession('wx0', 'alice', 'key')).rejects.toMatchObject(refused)
    await expect(client.verifySoter('wx0', 'alice', '{}', 'sig')).rejects.toMatchObject(refused)
    await expect(client.phoneNumber('wx0', 'code')).rejects.toMatchObject(refused)
    expect(calls).toEqual([])
  })

  it.each([
    ['no URL', 'api.weixin.qq.com'],
    ['another scheme', 'ftp://api.weixin.qq.com'],
    ['credentials', 'https://user:password@api.weixin.qq.com'],
    ['a query', 'https://api.weixin.qq.com/?a=b'],
    ['a fragment', 'https://api.weixin.qq.com/#a'],
  ])('createWechatClient refuses a base URL with %s', (_what, baseUrl) => {
    expect(() => createWechatClient({ baseUrl, apps: [sandboxApp], now: () => 0 })).toThrow(TypeError)
  })

  it.each([
    ['an app twice', [sandboxApp, sandboxApp]],
    ['an empty appid', [{ appid: '', secret: 'x' }]],
    ['an empty secret', [{ appid: 'x', secret: '' }]],
  ])('createWechatClient refuses %s', (_what, apps) => {
    expect(() => createWechatClient({ baseUrl: 'https://api.weixin.qq.com', apps, now: () => 0 })).toThrow(
      TypeError,
    )
  })
})
