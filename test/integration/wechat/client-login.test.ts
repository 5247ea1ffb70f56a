import { describe, expect, it } from 'vitest'
import { sandboxApp } from '../../../service/wechat/apps.ts'
import { otherApp, startClient, startSandbox } from './fixtures.ts'

const { appid } = sandboxApp
const loginPath = 'sns/jscode2session'

describe('exchangeCode', () => {
  it('exchangeCode returns the openid and the session_key of a fresh code', async () => {
    const sandbox = await startSandbox()
    const { client, calls } = startClient(sandbox.url)
    const { code, openid } = await sandbox.newCode()
    expect(await client.exchangeCode(appid, code)).toEqual({ openid, sessionKey: expect.any(String) })
    expect(calls).toEqual([{ api: loginPath, outcome: 'ok', durationMs: expect.any(Number) }])
  })

  it('exchangeCode returns a unionid and ignores unknown fields', async () => {
    const sandbox = await startSandbox()
    const body = {
      openid: 'o1',
      session_key: 'o0q0otL8aEzpcZL/FT9WsQ==',
      unionid: 'u1',
      expires_in: 7200,
      errcode: 0,
    }
    await sandbox.fault({ path: loginPath, body: JSON.stringify(body) })
    expect(await startClient(sandbox.url).client.exchangeCode(appid, 'code')).toEqual({
      openid: 'o1',
      sessionKey: 'o0q0otL8aEzpcZL/FT9WsQ==',
      unionid: 'u1',
    })
  })

  it('exchangeCode sends the secret of the app', async () => {
    const sandbox = await startSandbox()
    const { client } = startClient(sandbox.url)
    const { code, openid } = await sandbox.newCode(undefined, otherApp.appid)
    expect((await client.exchangeCode(otherApp.appid, code)).openid).toBe(openid)
  })

  it('exchangeCode refuses a second exchange of a code with login_code_used', async () => {
    const sandbox = await startSandbox()
    const { client } = startClient(sandbox.url)
    const { code } = await sandbox.newCode()
    await client.exchangeCode(appid, code)
    await expect(client.exchangeCode(appid, code)).rejects.toMatchObject({ code: 'login_code_used' })
  })

  it('concurrent exchanges of one code share one HTTP call and its result', async () => {
    const sandbox = await startSandbox()
    const { client } = startClient(sandbox.url)
    const { code } = await sandbox.newCode()
    const [first, second] = await Promise.all([
      client.exchangeCode(appid, code),
      client.exchangeCode(appid, code),
    ])
    expect(second).toBe(first)
    expect(await sandbox.calls(loginPath)).toBe(1)
  })

  it('exchanges of different codes or apps each make an HTTP call', async () => {
    const sandbox = await startSandbox()
    const { client } = startClient(sandbox.url)
    const exchanges = [
      client.exchangeCode(appid, 'a'),
      client.exchangeCode(appid, 'b'),
      client.exchangeCode(otherApp.appid, 'a'),
    ]
    await Promise.allSettled(exchanges)
    expect(await sandbox.calls(loginPath)).toBe(3)
  })

  it.each([
    ['status 500', { status: 500 }],
    ['a system error', { errcode: -1 }],
    ['an access token error', { errcode: 40001 }],
    ['a cut connection', { drop: true }],
    ['an answer that is no JSON', { body: 'oops' }],
    ['a late answer', { delay_ms: 1000 }],
  ])('exchangeCode never sends a code again after %s', async (_what, fault) => {
    const sandbox = await startSandbox()
    const { client } = startClient(sandbox.url, { deadlineMs: 200 })
    const { code } = await sandbox.newCode()
    await sandbox.fault({ path: loginPath, ...fault })
    await expect(client.exchangeCode(appid, code)).rejects.toMatchObject({ code: 'wechat_unavailable' })
    expect(await sandbox.calls(loginPath)).toBe(1)
  })

  it('exchangeCode refuses an empty or overlong code without a call', async () => {
    const sandbox = await startSandbox()
    const { client } = startClient(sandbox.url)
    for (const code of ['', 'x'.repeat(513)]) {
      await expect(client.exchangeCode(appid, code)).rejects.toMatchObject({ code: 'login_code_invalid' })
    }
    expect(await sandbox.calls(loginPath)).toBe(0)
  })

  it('exchangeCode escapes a code that contains query syntax', async () => {
    const sandbox = await startSandbox()
    const { client } = startClient(sandbox.url)
    const { code } = await sandbox.newCode()
    for (const wrong of [`${code}&appid=x`, `x&js_code=${code}`, `${code}#`, `${code} `, `${code}\r\n`]) {
      await expect(client.exchangeCode(appid, wrong)).rejects.toMatchObject({ code: 'login_code_invalid' })
    }
  })
})

describe('the table of errcodes', () => {
  it.each([
    [40029, 'login_code_invalid'],
    [41008, 'login_code_invalid'],
    [40163, 'login_code_used'],
    [40226, 'login_blocked'],
    [45011, 'login_busy'],
    [45009, 'login_busy'],
    [-1, 'wechat_unavailable'],
    [40001, 'wechat_unavailable'],
    [40002, 'wechat_unavailable'],
    [40013, 'wechat_unavailable'],
    [40125, 'wechat_unavailable'],
    [40243, 'wechat_unavailable'],
    [41001, 'wechat_unavailable'],
    [41002, 'wechat_unavailable'],
    [41004, 'wechat_unavailable'],
    [42001, 'wechat_unavailable'],
    [99999, 'wechat_unavailable'],
  ])('errcode %i at a login gives %s, with errcode and rid as cause', async (errcode, code) => {
    const sandbox = await startSandbox()
    const { client, calls } = startClient(sandbox.url)
    await sandbox.fault({ path: loginPath, errcode })
    const refused = {
      code,
      cause: { kind: 'refused', errcode, rid: expect.stringMatching(/^[0-9a-f-]{26}$/) },
    }
    await expect(client.exchangeCode(appid, 'code')).rejects.toMatchObject(refused)
    expect(calls).toEqual([
      {
        api: loginPath,
        outcome: 'refused',
        errcode,
        rid: expect.any(String),
        durationMs: expect.any(Number),
      },
    ])
  })

  it.each([
    [40029, 'payload_invalid'],
    [40163, 'payload_invalid'],
    [41008, 'payload_invalid'],
    [45011, 'rate_limited'],
    [-1, 'wechat_unavailable'],
    [40013, 'wechat_unavailable'],
  ])('errcode %i for a phone number gives %s', async (errcode, code) => {
    const sandbox = await startSandbox()
    await sandbox.fault({ path: 'wxa/business/getuserphonenumber', errcode })
    await expect(startClient(sandbox.url).client.phoneNumber(appid, 'code')).rejects.toMatchObject({ code })
  })

  it.each([
    ['invalid code, rid: 5f8d3d1e-1d5ab2d0-3e8ff1ca', '5f8d3d1e-1d5ab2d0-3e8ff1ca'],
    ['invalid appid rid: 664ef1ea-61270f43-2b492c40', '664ef1ea-61270f43-2b492c40'],
    ['missing code, hints: [ req_id: JGHEu.wgE-ctEZVA ]', 'JGHEu.wgE-ctEZVA'],
    ['invalid code', undefined],
  ])('the request id is found in "%s"', async (errmsg, rid) => {
    const sandbox = await startSandbox()
    const { client, calls } = startClient(sandbox.url)
    await sandbox.fault({ path: loginPath, body: JSON.stringify({ errcode: 40029, errmsg }) })
    await expect(client.exchangeCode(appid, 'code')).rejects.toMatchObject({ code: 'login_code_invalid' })
    expect(calls[0]?.rid).toBe(rid)
  })
})
