import { describe, expect, it } from 'vitest'
import { sandboxApp } from '../../../service/wechat/apps.ts'
import { type RunningSandbox, startClient, startSandbox, startServer } from './fixtures.ts'

const path = 'wxa/getuserriskrank'
const { appid } = sandboxApp
const address = '203.0.113.9'

/** A user who has been in the mini program a moment ago. */
async function visitor(sandbox: RunningSandbox): Promise<string> {
  const { code, openid } = await sandbox.newCode()
  const query = { ...sandboxApp, js_code: code, grant_type: 'authorization_code' }
  expect((await sandbox.get('sns/jscode2session', query)).json.openid).toBe(openid)
  return openid
}

describe('the risk rank of a user', () => {
  it.each([0, 1, 2, 3, 4])('riskRank returns the rank of WeChat: %i', async (risk_rank) => {
    const sandbox = await startSandbox()
    const { client, calls } = startClient(sandbox.url, { clock: sandbox.clock })
    const openid = await visitor(sandbox)
    await sandbox.post('sandbox/risk-ranks', { appid, openid, risk_rank })
    expect(await client.riskRank(appid, openid, address)).toBe(risk_rank)
    expect(calls.map(({ api, outcome }) => [api, outcome])).toEqual([
      ['cgi-bin/stable_token', 'ok'],
      [path, 'ok'],
    ])
  })

  it('riskRank returns 0 for a user without a set rank, and each user has a separate rank', async () => {
    const sandbox = await startSandbox()
    const { client } = startClient(sandbox.url, { clock: sandbox.clock })
    const [risky, other] = [await visitor(sandbox), await visitor(sandbox)]
    await sandbox.post('sandbox/risk-ranks', { appid, openid: risky, risk_rank: 4 })
    expect(await client.riskRank(appid, other, address)).toBe(0)
    expect(await client.riskRank(appid, risky, '2001:db8::')).toBe(4)
  })

  it('riskRank sends exactly the required parameters', async () => {
    let requestBody = ''
    const server = await startServer((request, response) => {
      if (request.url?.startsWith('/cgi-bin/stable_token')) {
        response.end('{"access_token":"t","expires_in":7200}')
        return
      }
      request.on('data', (chunk) => {
        requestBody += String(chunk)
      })
      request.on('end', () => response.end('{"errcode":0,"errmsg":"ok","risk_rank":2,"unoin_id":77}'))
    })
    const { client } = startClient(server.url)
    expect(await client.riskRank(appid, 'openid-1', address)).toBe(2)
    expect(JSON.parse(requestBody)).toEqual({ appid, openid: 'openid-1', scene: 0, client_ip: address })
  })

  it.each(['{"errcode":0,"errmsg":"ok"}', '{"risk_rank":5}', '{"risk_rank":-1}', '{"risk_rank":"0"}'])(
    'riskRank fails on the response %s',
    async (body) => {
      const sandbox = await startSandbox()
      const { client } = startClient(sandbox.url, { clock: sandbox.clock })
      const openid = await visitor(sandbox)
      await sandbox.fault({ path, body })
      await expect(client.riskRank(appid, openid, address)).rejects.toMatchObject({
        code: 'wechat_unavailable',
      })
    },
  )

  it.each([
    [61007, 'wechat_unavailable'],
    [61010, 'wechat_unavailable'],
    [-1, 'wechat_unavailable'],
    [45009, 'login_busy'],
    [45011, 'login_busy'],
    [99999, 'wechat_unavailable'],
  ])('errcode %i gives %s after one call', async (errcode, code) => {
    const sandbox = await startSandbox()
    const { client, calls } = startClient(sandbox.url, { clock: sandbox.clock })
    const openid = await visitor(sandbox)
    await sandbox.fault({ path, errcode })
    await expect(client.riskRank(appid, openid, address)).rejects.toMatchObject({ code })
    expect(await sandbox.calls(path)).toBe(1)
    expect(calls.at(-1)).toMatchObject({ api: path, outcome: 'refused', errcode })
    expect(calls.at(-1)?.rid).toMatch(/^[0-9a-f]{8}-/)
  })

  it('riskRank repeats the call once with a new access token when WeChat refuses the old one', async () => {
    const sandbox = await startSandbox()
    const { client } = startClient(sandbox.url, { clock: sandbox.clock })
    const openid = await visitor(sandbox)
    await sandbox.fault({ path, errcode: 42001 })
    expect(await client.riskRank(appid, openid, address)).toBe(0)
    expect(await sandbox.calls(path)).toBe(2)
  })

  it('riskRank fails at the deadline', async () => {
    const sandbox = await startSandbox()
    const { client } = startClient(sandbox.url, { clock: sandbox.clock, deadlineMs: 200 })
    const openid = await visitor(sandbox)
    await sandbox.fault({ path, delay_ms: 5_000 })
    await expect(client.riskRank(appid, openid, address)).rejects.toMatchObject({
      code: 'wechat_unavailable',
    })
  })
})

describe('the sandbox', () => {
  const body = { appid, openid: 'nobody', scene: 0, client_ip: address }
  const ask = async (sandbox: RunningSandbox, requestBody: unknown) => {
    const { json } = await sandbox.post(path, requestBody, { access_token: await sandbox.token() })
    return json
  }

  it('the sandbox returns a rank only for users of the last 30 minutes, except in a test call', async () => {
    const sandbox = await startSandbox()
    const openid = await visitor(sandbox)
    expect(await ask(sandbox, body)).toMatchObject({ errcode: 61010 })
    expect(await ask(sandbox, { ...body, is_test: true })).toMatchObject({ errcode: 0, risk_rank: 0 })
    sandbox.clock.seconds += 1_799
    expect(await ask(sandbox, { ...body, openid })).toMatchObject({ risk_rank: 0 })
    sandbox.clock.seconds += 1
    expect(await ask(sandbox, { ...body, openid })).toMatchObject({ errcode: 61010 })
  })

  it('the sandbox requires an access token of the app, a scene and an address', async () => {
    const sandbox = await startSandbox()
    expect((await sandbox.post(path, body)).json.errcode).toBe(41001)
    expect(await ask(sandbox, { ...body, appid: 'wx0000000000000000' })).toMatchObject({ errcode: 40013 })
    expect(await ask(sandbox, { ...body, scene: 3 })).toMatchObject({ errcode: 47001 })
    expect(await ask(sandbox, { ...body, client_ip: 'unknown' })).toMatchObject({ errcode: 47001 })
    expect(await ask(sandbox, 'no json')).toMatchObject({ errcode: 47001 })
  })

  it('the sandbox accepts ranks from 0 to 4 for its own apps only', async () => {
    const sandbox = await startSandbox()
    const openid = await visitor(sandbox)
    const set = async (requestBody: unknown) => (await sandbox.post('sandbox/risk-ranks', requestBody)).status
    expect(await set({ appid, openid, risk_rank: 4 })).toBe(200)
    expect(await set({ appid, openid, risk_rank: 5 })).toBe(400)
    expect(await set({ appid: 'wx0000000000000000', openid, risk_rank: 1 })).toBe(400)
  })
})
