import { createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { sandboxApp } from '../../../service/wechat/apps.ts'
import { otherApp, startSandbox } from './fixtures.ts'

const { appid, secret } = sandboxApp
const path = 'sns/jscode2session'
const login = (code: string) => ({ appid, secret, js_code: code, grant_type: 'authorization_code' })

describe('sns/jscode2session of the sandbox', () => {
  it('jscode2session returns only openid and session_key for a fresh code, as text', async () => {
    const sandbox = await startSandbox()
    const { code, openid } = await sandbox.newCode()
    const { status, type, json } = await sandbox.get(path, login(code))
    expect(status).toBe(200)
    expect(type).toBe('text/plain')
    expect(Object.keys(json).sort()).toEqual(['openid', 'session_key'])
    expect(json.openid).toBe(openid)
    expect(openid).toMatch(/^o[\w-]{27}$/)
    expect(Buffer.from(String(json.session_key), 'base64')).toHaveLength(16)
  })

  it('every errmsg ends with a request id', async () => {
    const sandbox = await startSandbox()
    const { json } = await sandbox.get(path, login('never-issued'))
    expect(json.errmsg).toMatch(/^invalid code, rid: [0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}$/)
  })

  it('jscode2session refuses the second use of a code with 40163', async () => {
    const sandbox = await startSandbox()
    const { code } = await sandbox.newCode()
    await sandbox.get(path, login(code))
    expect((await sandbox.get(path, login(code))).json.errcode).toBe(40163)
  })

  it('jscode2session accepts a code for exactly 5 minutes', async () => {
    const sandbox = await startSandbox()
    const [inTime, late] = [await sandbox.newCode(), await sandbox.newCode()]
    sandbox.clock.seconds += 299
    expect((await sandbox.get(path, login(inTime.code))).json.openid).toBe(inTime.openid)
    sandbox.clock.seconds += 1
    expect((await sandbox.get(path, login(late.code))).json.errcode).toBe(40029)
  })

  it('jscode2session refuses a used code with 40029 after 10 minutes', async () => {
    const sandbox = await startSandbox()
    const { code } = await sandbox.newCode()
    await sandbox.get(path, login(code))
    sandbox.clock.seconds += 600
    await sandbox.newCode()
    expect((await sandbox.get(path, login(code))).json.errcode).toBe(40029)
  })

  it.each([
    ['a code that was never issued', { js_code: 'x' }, 40029],
    ['an unknown appid', { appid: 'wx0000000000000000' }, 40013],
    ['a wrong secret', { secret: 'wrong' }, 40125],
    ['the secret of another app', { secret: otherApp.secret }, 40125],
    ['an empty appid', { appid: '' }, 41002],
    ['an empty secret', { secret: '' }, 41004],
    ['an empty code', { js_code: '' }, 41008],
    ['another grant type', { grant_type: 'client_credential' }, 40002],
  ])('jscode2session refuses %s, and the code stays valid', async (_what, change, errcode) => {
    const sandbox = await startSandbox()
    const { code, openid } = await sandbox.newCode()
    const { status, json } = await sandbox.get(path, { ...login(code), ...change })
    expect([status, json.errcode]).toEqual([200, errcode])
    expect((await sandbox.get(path, login(code))).json.openid).toBe(openid)
  })

  it.each([
    ['appid', 41002],
    ['secret', 41004],
    ['js_code', 41008],
    ['grant_type', 40002],
  ])('jscode2session refuses a query without %s', async (name, errcode) => {
    const sandbox = await startSandbox()
    const query = Object.entries(login((await sandbox.newCode()).code)).filter(([key]) => key !== name)
    expect((await sandbox.get(path, Object.fromEntries(query))).json.errcode).toBe(errcode)
  })

  it('jscode2session refuses the code of another app with 40029', async () => {
    const sandbox = await startSandbox()
    const { code } = await sandbox.newCode(undefined, otherApp.appid)
    expect((await sandbox.get(path, login(code))).json.errcode).toBe(40029)
  })

  it('jscode2session allows 100 calls a minute per user, then returns 45011', async () => {
    const sandbox = await startSandbox()
    const { code, openid } = await sandbox.newCode()
    for (let i = 0; i < 100; i++) expect((await sandbox.get(path, login(code))).json.errcode).not.toBe(45011)
    const next = await sandbox.newCode(openid)
    expect((await sandbox.get(path, login(next.code))).json.errcode).toBe(45011)
    const other = await sandbox.newCode()
    expect((await sandbox.get(path, login(other.code))).json.openid).toBe(other.openid)
    sandbox.clock.seconds += 60
    expect((await sandbox.get(path, login(next.code))).json.openid).toBe(openid)
  })
})

describe('wxa/checksession of the sandbox', () => {
  const signatureOf = (sessionKey: unknown) =>
    createHmac('sha256', String(sessionKey)).update('').digest('hex')
  const query = (access_token: string, openid: string, sessionKey: unknown) => ({
    access_token,
    openid,
    signature: signatureOf(sessionKey),
    sig_method: 'hmac_sha256',
  })

  it('checksession accepts only the latest session_key of the user', async () => {
    const sandbox = await startSandbox()
    const token = await sandbox.token()
    const first = await sandbox.newCode()
    const old = (await sandbox.get(path, login(first.code))).json
    expect((await sandbox.get('wxa/checksession', query(token, first.openid, old.session_key))).json).toEqual(
      {
        errcode: 0,
        errmsg: 'ok',
      },
    )
    const latest = (await sandbox.get(path, login((await sandbox.newCode(first.openid)).code))).json
    const check = async (key: unknown) =>
      (await sandbox.get('wxa/checksession', query(token, first.openid, key))).json.errcode
    expect([await check(old.session_key), await check(latest.session_key)]).toEqual([87009, 0])
  })

  it('checksession refuses a signature made with the decoded key, another user, and another method', async () => {
    const sandbox = await startSandbox()
    const token = await sandbox.token()
    const { code, openid } = await sandbox.newCode()
    const key = String((await sandbox.get(path, login(code))).json.session_key)
    const good = query(token, openid, key)
    const decoded = createHmac('sha256', Buffer.from(key, 'base64')).update('').digest('hex')
    const errcode = async (change: Record<string, string>) =>
      (await sandbox.get('wxa/checksession', { ...good, ...change })).json.errcode
    expect(await errcode({ signature: decoded })).toBe(87009)
    expect(await errcode({ openid: 'stranger' })).toBe(87009)
    expect(await errcode({ sig_method: 'sha1' })).toBe(87008)
  })
})
