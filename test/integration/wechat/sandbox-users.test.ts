import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { sandboxApp } from '../../../service/wechat/apps.ts'
import { otherApp, type RunningSandbox, startSandbox } from './fixtures.ts'

const resultSchema = z.object({ resultJSON: z.string(), resultJSONSignature: z.string() })

async function confirm(sandbox: RunningSandbox, openid: string, challenge: string) {
  return resultSchema.parse((await sandbox.post('sandbox/soter', { openid, challenge })).json)
}

describe('SOTER in the sandbox', () => {
  async function verify(
    sandbox: RunningSandbox,
    openid: string,
    json_string: string,
    json_signature: string,
  ) {
    const body = { openid, json_string, json_signature }
    const query = { access_token: await sandbox.token() }
    return (await sandbox.post('cgi-bin/soter/verify_signature', body, query)).json
  }

  it('the sandbox signs a SOTER result with the fields of a device and a rising counter per user', async () => {
    const sandbox = await startSandbox()
    const first = JSON.parse((await confirm(sandbox, 'alice', 'challenge "1"')).resultJSON)
    expect(Object.keys(first)).toEqual([
      'raw',
      'fid',
      'counter',
      'tee_n',
      'tee_v',
      'fp_n',
      'fp_v',
      'cpu_id',
      'uid',
    ])
    expect([first.raw, first.counter]).toEqual(['challenge "1"', 1])
    expect(JSON.parse((await confirm(sandbox, 'alice', '2')).resultJSON).counter).toBe(2)
    expect(JSON.parse((await confirm(sandbox, 'bob', '3')).resultJSON).counter).toBe(1)
  })

  it('the sandbox verifies a SOTER result for its exact text and user only', async () => {
    const sandbox = await startSandbox()
    const { resultJSON: json, resultJSONSignature: signature } = await confirm(sandbox, 'alice', '付款 1.00')
    expect(await verify(sandbox, 'alice', json, signature)).toEqual({ errcode: 0, errmsg: 'ok', is_ok: true })
    const refused: [string, string, string][] = [
      ['bob', json, signature],
      ['alice', JSON.stringify(JSON.parse(json)), signature],
      ['alice', json.replace('1.00', '9.00'), signature],
      ['alice', json, signature.replace(/^./, (first) => (first === 'A' ? 'B' : 'A'))],
      ['alice', json, 'no signature'],
      ['alice', '', ''],
    ]
    for (const wrong of refused)
      expect(await verify(sandbox, ...wrong)).toMatchObject({ errcode: 0, is_ok: false })
  })

  it('the sandbox has another SOTER key after every start', async () => {
    const { resultJSON: json, resultJSONSignature: signature } = await confirm(
      await startSandbox(),
      'alice',
      '1',
    )
    expect((await verify(await startSandbox(), 'alice', json, signature)).is_ok).toBe(false)
  })

  it('the SOTER route refuses a body that is not JSON with 47001', async () => {
    const sandbox = await startSandbox()
    const query = { access_token: await sandbox.token() }
    expect((await sandbox.post('cgi-bin/soter/verify_signature', 'openid=alice', query)).json.errcode).toBe(
      47001,
    )
  })
})

describe('wxa/business/getuserphonenumber of the sandbox', () => {
  const path = 'wxa/business/getuserphonenumber'

  async function newPhoneCode(sandbox: RunningSandbox, openid: string, appid = sandboxApp.appid) {
    const { json } = await sandbox.post('sandbox/phone-codes', { appid, openid })
    return z.object({ code: z.string(), phoneNumber: z.string() }).parse(json)
  }
  async function exchange(sandbox: RunningSandbox, body: unknown) {
    return (await sandbox.post(path, body, { access_token: await sandbox.token() })).json
  }

  it('getuserphonenumber accepts a code once and returns the number and the watermark of the app', async () => {
    const sandbox = await startSandbox()
    const { code, phoneNumber } = await newPhoneCode(sandbox, 'alice')
    expect(await exchange(sandbox, { code })).toEqual({
      errcode: 0,
      errmsg: 'ok',
      phone_info: {
        phoneNumber,
        purePhoneNumber: phoneNumber,
        countryCode: '86',
        watermark: { timestamp: sandbox.clock.seconds, appid: sandboxApp.appid },
      },
    })
    expect((await exchange(sandbox, { code })).errcode).toBe(40029)
    expect((await newPhoneCode(sandbox, 'alice')).phoneNumber).toBe(phoneNumber)
  })

  it('getuserphonenumber refuses a wrong openid, and the code stays valid', async () => {
    const sandbox = await startSandbox()
    const { code } = await newPhoneCode(sandbox, 'alice')
    expect((await exchange(sandbox, { code, openid: 'bob' })).errcode).toBe(40029)
    expect((await exchange(sandbox, { code, openid: 'alice' })).errcode).toBe(0)
  })

  it('getuserphonenumber refuses a login code, the code of another app, an expired one, none, and a body that is not JSON', async () => {
    const sandbox = await startSandbox()
    const foreign = await newPhoneCode(sandbox, 'alice', otherApp.appid)
    const late = await newPhoneCode(sandbox, 'alice')
    expect((await exchange(sandbox, { code: (await sandbox.newCode()).code })).errcode).toBe(40029)
    expect((await exchange(sandbox, { code: foreign.code })).errcode).toBe(40029)
    sandbox.clock.seconds += 300
    expect((await exchange(sandbox, { code: late.code })).errcode).toBe(40029)
    expect((await exchange(sandbox, {})).errcode).toBe(40029)
    expect((await exchange(sandbox, 'code=1')).errcode).toBe(47001)
  })
})
