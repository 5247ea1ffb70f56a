import { setTimeout } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { sandboxApp } from '../../../service/wechat/apps.ts'
import { newClock, otherApp, startClient, startSandbox } from './fixtures.ts'

const { appid } = sandboxApp
const tokenPath = 'cgi-bin/stable_token'
const checkPath = 'wxa/checksession'

async function start(deadlineMs = 3000) {
  const clock = newClock()
  const sandbox = await startSandbox(clock)
  const { client, calls } = startClient(sandbox.url, { clock, deadlineMs })
  const { sessionKey } = await client.exchangeCode(appid, (await sandbox.newCode('alice')).code)
  const check = () => client.checkSession(appid, 'alice', sessionKey)
  return { clock, sandbox, client, calls, check }
}

describe('the access token of the client', () => {
  it('the access token is fetched once for many calls, concurrent ones included', async () => {
    const { sandbox, check } = await start()
    expect(await Promise.all([check(), check(), check()])).toEqual([true, true, true])
    expect(await check()).toBe(true)
    expect(await sandbox.calls(tokenPath)).toBe(1)
  })

  it('an access token is fetched for each app', async () => {
    const { sandbox, client, check } = await start()
    await check()
    expect(await client.checkSession(otherApp.appid, 'alice', 'key')).toBe(false)
    expect(await sandbox.calls(tokenPath)).toBe(2)
  })

  it('the access token is fetched again a minute before it expires', async () => {
    const { clock, sandbox, check } = await start()
    await check()
    clock.seconds += 7139
    await check()
    expect(await sandbox.calls(tokenPath)).toBe(1)
    clock.seconds += 1
    await check()
    expect(await sandbox.calls(tokenPath)).toBe(2)
  })

  it('an access token with a lifetime under two minutes is used for half of it', async () => {
    const { clock, sandbox, check } = await start()
    const { json } = await sandbox.post(tokenPath, { grant_type: 'client_credential', ...sandboxApp })
    await sandbox.fault({ path: tokenPath, body: JSON.stringify({ ...json, expires_in: 10 }) })
    await check()
    clock.seconds += 4
    await check()
    expect(await sandbox.calls(tokenPath)).toBe(2)
    clock.seconds += 1
    await check()
    expect(await sandbox.calls(tokenPath)).toBe(3)
  })

  it.each([40001, 42001])(
    'errcode %i makes the client fetch a new access token and repeat the call once',
    async (errcode) => {
      const { sandbox, check } = await start()
      await check()
      await sandbox.fault({ path: checkPath, errcode })
      expect(await check()).toBe(true)
      expect([await sandbox.calls(checkPath), await sandbox.calls(tokenPath)]).toEqual([3, 2])
    },
  )

  it('the client recovers from a forced refresh by another process', async () => {
    const { sandbox, check } = await start()
    await check()
    await sandbox.post(tokenPath, { grant_type: 'client_credential', ...sandboxApp, force_refresh: true })
    expect(await check()).toBe(true)
  })

  it('a late refusal of the old access token does not discard the new one', async () => {
    const { sandbox, check } = await start()
    await check()
    await sandbox.fault({ path: checkPath, errcode: 42001, delay_ms: 300 })
    const late = check()
    while ((await sandbox.calls(checkPath)) < 2);
    await sandbox.post(tokenPath, { grant_type: 'client_credential', ...sandboxApp, force_refresh: true })
    expect(await check()).toBe(true)
    const before = await sandbox.calls(tokenPath)
    expect(await late).toBe(true)
    expect(await sandbox.calls(tokenPath)).toBe(before)
  })

  it('a second refusal gives wechat_unavailable after two calls, and the next call fetches a new access token', async () => {
    const { sandbox, check } = await start()
    await sandbox.fault({ path: checkPath, errcode: 40001, times: 2 })
    await expect(check()).rejects.toMatchObject({ code: 'wechat_unavailable', cause: { errcode: 40001 } })
    expect([await sandbox.calls(checkPath), await sandbox.calls(tokenPath)]).toEqual([2, 2])
    expect(await check()).toBe(true)
    expect(await sandbox.calls(tokenPath)).toBe(3)
  })

  it('the access token is fetched once when many calls are refused at the same time', async () => {
    const { sandbox, check } = await start()
    await check()
    await sandbox.fault({ path: checkPath, errcode: 42001, times: 3 })
    await sandbox.fault({ path: tokenPath, delay_ms: 100 })
    expect(await Promise.all([check(), check(), check()])).toEqual([true, true, true])
    expect(await sandbox.calls(tokenPath)).toBe(2)
  })

  it('a call that fails for another reason does not fetch a new access token', async () => {
    const { sandbox, check } = await start()
    await sandbox.fault({ path: checkPath, errcode: -1 })
    await expect(check()).rejects.toMatchObject({ code: 'wechat_unavailable' })
    expect([await sandbox.calls(checkPath), await sandbox.calls(tokenPath)]).toEqual([1, 1])
  })

  it.each([
    ['the errcode of a wrong secret', { errcode: 40125 }, 'wechat_unavailable'],
    ['40001, which is not a stale token here', { errcode: 40001 }, 'wechat_unavailable'],
    ['the errcode of a used-up quota', { errcode: 45009 }, 'login_busy'],
    ['no token', { body: '{"expires_in":7200}' }, 'wechat_unavailable'],
    ['an endless token', { body: '{"access_token":"t","expires_in":1e9}' }, 'wechat_unavailable'],
  ])(
    'a call fails when the fetch of the access token gives %s, and the next call fetches again',
    async (_what, fault, code) => {
      const { sandbox, check } = await start()
      await sandbox.fault({ path: tokenPath, ...fault })
      await expect(check()).rejects.toMatchObject({ code })
      expect([await sandbox.calls(checkPath), await sandbox.calls(tokenPath)]).toEqual([0, 1])
      expect(await check()).toBe(true)
    },
  )

  it('the fetch of the access token counts against the deadline of the waiting call', async () => {
    const { sandbox, check } = await start(300)
    await sandbox.fault({ path: tokenPath, delay_ms: 200 })
    await sandbox.fault({ path: checkPath, delay_ms: 200 })
    await expect(check()).rejects.toMatchObject({ code: 'wechat_unavailable', cause: { kind: 'timeout' } })
  })

  it('other calls get the access token when the call that began the fetch has timed out', async () => {
    const { sandbox, calls, check } = await start(600)
    const fetched = () => calls.filter(({ api }) => api === tokenPath).length
    await check()
    await sandbox.fault({ path: checkPath, errcode: 42001, delay_ms: 400 })
    await sandbox.fault({ path: tokenPath, delay_ms: 400 })
    const first = check().then(
      () => undefined,
      (error: unknown) => ({ error, fetched: fetched() }),
    )
    await setTimeout(500)
    expect(await check()).toBe(true)
    // The first caller gave up while the second token was still on its way.
    expect(await first).toMatchObject({ error: { cause: { kind: 'timeout' } }, fetched: 1 })
    expect(fetched()).toBe(2)
  })
})
