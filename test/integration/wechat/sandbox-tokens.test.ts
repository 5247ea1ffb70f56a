import { describe, expect, it } from 'vitest'
import { sandboxApp } from '../../../service/wechat/apps.ts'
import { otherApp, type RunningSandbox, startSandbox } from './fixtures.ts'

const path = 'cgi-bin/stable_token'
const request = { grant_type: 'client_credential', ...sandboxApp }
const tokenOf = async (sandbox: RunningSandbox, change: object = {}) =>
  (await sandbox.post(path, { ...request, ...change })).json
const useOf = async (sandbox: RunningSandbox, access_token: unknown) =>
  (await sandbox.get('wxa/checksession', { access_token: String(access_token), sig_method: 'hmac_sha256' }))
    .json.errcode

describe('cgi-bin/stable_token of the sandbox', () => {
  it('stable_token returns the same token while it is valid, and a separate one for every app', async () => {
    const sandbox = await startSandbox()
    const first = await tokenOf(sandbox)
    expect(first).toEqual({ access_token: expect.any(String), expires_in: 7200 })
    sandbox.clock.seconds += 100
    expect(await tokenOf(sandbox)).toEqual({ access_token: first.access_token, expires_in: 7100 })
    expect((await tokenOf(sandbox, otherApp)).access_token).not.toBe(first.access_token)
  })

  it('stable_token renews a token in its last 5 minutes, in which both tokens work', async () => {
    const sandbox = await startSandbox()
    const first = await tokenOf(sandbox)
    sandbox.clock.seconds += 6900
    const second = await tokenOf(sandbox)
    expect(second.access_token).not.toBe(first.access_token)
    expect([await useOf(sandbox, first.access_token), await useOf(sandbox, second.access_token)]).toEqual([
      87009, 87009,
    ])
    sandbox.clock.seconds += 300
    expect([await useOf(sandbox, first.access_token), await useOf(sandbox, second.access_token)]).toEqual([
      42001, 87009,
    ])
  })

  it('a forced refresh ends the old token at once', async () => {
    const sandbox = await startSandbox()
    const first = await tokenOf(sandbox)
    const second = await tokenOf(sandbox, { force_refresh: true })
    expect(second.access_token).not.toBe(first.access_token)
    expect([await useOf(sandbox, first.access_token), await useOf(sandbox, second.access_token)]).toEqual([
      40001, 87009,
    ])
  })

  it('stable_token does not refresh twice within 30 s or more than 20 times a day', async () => {
    const sandbox = await startSandbox()
    const first = await tokenOf(sandbox, { force_refresh: true })
    sandbox.clock.seconds += 29
    expect((await tokenOf(sandbox, { force_refresh: true })).access_token).toBe(first.access_token)
    for (let i = 2; i <= 20; i++) {
      sandbox.clock.seconds += 30
      expect((await tokenOf(sandbox, { force_refresh: true })).expires_in).toBe(7200)
    }
    sandbox.clock.seconds += 30
    expect((await tokenOf(sandbox, { force_refresh: true })).errcode).toBe(45009)
    sandbox.clock.seconds += 86_400
    expect((await tokenOf(sandbox, { force_refresh: true })).expires_in).toBe(7200)
  })

  it.each([
    ['no appid', { appid: undefined }, 41002],
    ['an unknown appid', { appid: 'wx0000000000000000' }, 40013],
    ['no secret', { secret: undefined }, 41004],
    ['a wrong secret', { secret: 'wrong' }, 40125],
    ['another grant type', { grant_type: 'authorization_code' }, 40002],
    ['a force_refresh that is not a boolean', { force_refresh: 'yes' }, 47001],
  ])('stable_token refuses %s', async (_what, change, errcode) => {
    expect((await tokenOf(await startSandbox(), change)).errcode).toBe(errcode)
  })

  it('stable_token refuses a body that is not JSON with 47001', async () => {
    const sandbox = await startSandbox()
    expect((await sandbox.post(path, 'grant_type=client_credential')).json.errcode).toBe(47001)
  })

  it('stable_token accepts POST only', async () => {
    const sandbox = await startSandbox()
    expect((await sandbox.get(path, request)).status).toBe(404)
  })
})

describe('the access token of the sandbox', () => {
  const uses: [
    string,
    (sandbox: RunningSandbox, query: Record<string, string>) => ReturnType<RunningSandbox['get']>,
  ][] = [
    ['wxa/checksession', (sandbox, query) => sandbox.get('wxa/checksession', query)],
    [
      'cgi-bin/soter/verify_signature',
      (sandbox, query) => sandbox.post('cgi-bin/soter/verify_signature', {}, query),
    ],
    [
      'wxa/business/getuserphonenumber',
      (sandbox, query) => sandbox.post('wxa/business/getuserphonenumber', {}, query),
    ],
  ]
  it.each(uses)(
    'the access token is required by %s: missing 41001, invented 40001, expired 42001',
    async (_path, use) => {
      const sandbox = await startSandbox()
      const token = await sandbox.token()
      expect((await use(sandbox, {})).json.errcode).toBe(41001)
      expect((await use(sandbox, { access_token: 'invented' })).json.errcode).toBe(40001)
      expect([40001, 41001, 42001]).not.toContain((await use(sandbox, { access_token: token })).json.errcode)
      sandbox.clock.seconds += 7200
      expect((await use(sandbox, { access_token: token })).json.errcode).toBe(42001)
    },
  )
})
