import { describe, expect, it } from 'vitest'
import { sandboxApp } from '../../../service/wechat/apps.ts'
import { createSandbox } from '../../../service/wechat/sandbox/sandbox.ts'
import { type RunningSandbox, startSandbox } from './fixtures.ts'

const path = 'sns/jscode2session'
const login = (js_code: string) => ({ ...sandboxApp, js_code, grant_type: 'authorization_code' })
const raw = (sandbox: RunningSandbox) =>
  fetch(`${sandbox.url}/${path}?${new URLSearchParams(login('unknown'))}`)

describe('the failures of the sandbox', () => {
  it('a failure applies to the next `times` calls only', async () => {
    const sandbox = await startSandbox()
    await sandbox.fault({ path: `/${path}`, errcode: 40226, times: 2 })
    const errcodes = []
    for (let i = 0; i < 3; i++) errcodes.push((await sandbox.get(path, login('unknown'))).json.errcode)
    expect(errcodes).toEqual([40226, 40226, 40029])
  })

  it('a failure applies to its path only', async () => {
    const sandbox = await startSandbox()
    await sandbox.fault({ path: 'wxa/checksession', errcode: -1 })
    expect((await sandbox.get(path, login('unknown'))).json.errcode).toBe(40029)
    expect((await sandbox.get('wxa/checksession', {})).json.errcode).toBe(-1)
  })

  it('failures of one path apply in the order in which they were set', async () => {
    const sandbox = await startSandbox()
    await sandbox.fault({ path, errcode: -1 })
    await sandbox.fault({ path, errcode: 45011 })
    expect((await sandbox.get(path, login('unknown'))).json.errcode).toBe(-1)
    expect((await sandbox.get(path, login('unknown'))).json.errcode).toBe(45011)
  })

  it.each([500, 503, 302, 204, 404])('a failure can return the status %i', async (status) => {
    const sandbox = await startSandbox()
    await sandbox.fault({ path, status })
    const response = await fetch(`${sandbox.url}/${path}`, { redirect: 'manual' })
    expect(response.status).toBe(status)
  })

  it('a failure can return text that is not JSON', async () => {
    const sandbox = await startSandbox()
    await sandbox.fault({ path, body: '<html>', status: 502 })
    const response = await raw(sandbox)
    expect([response.status, await response.text()]).toEqual([502, '<html>'])
  })

  it('a failure can delay the response after the call had its effect', async () => {
    const sandbox = await startSandbox()
    const { code, openid } = await sandbox.newCode()
    await sandbox.fault({ path, delay_ms: 150 })
    const started = performance.now()
    const late = sandbox.get(path, login(code))
    while ((await sandbox.calls(path)) === 0);
    expect((await sandbox.get(path, login(code))).json.errcode).toBe(40163)
    expect((await late).json.openid).toBe(openid)
    expect(performance.now() - started).toBeGreaterThanOrEqual(149)
  })

  it('a failure can close the connection after the call had its effect', async () => {
    const sandbox = await startSandbox()
    const { code } = await sandbox.newCode()
    await sandbox.fault({ path, drop: true })
    await expect(sandbox.get(path, login(code))).rejects.toThrow('fetch failed')
    expect((await sandbox.get(path, login(code))).json.errcode).toBe(40163)
  })

  it('a call that gets a set errcode has no effect', async () => {
    const sandbox = await startSandbox()
    const { code, openid } = await sandbox.newCode()
    await sandbox.fault({ path, errcode: -1 })
    await sandbox.get(path, login(code))
    expect((await sandbox.get(path, login(code))).json.openid).toBe(openid)
  })

  it('the sandbox counts the calls of every path, including failed ones', async () => {
    const sandbox = await startSandbox()
    await sandbox.fault({ path, status: 500 })
    await raw(sandbox)
    await raw(sandbox)
    expect((await sandbox.get('sandbox/calls', {})).json).toEqual({
      'sns/jscode2session': 2,
      'cgi-bin/stable_token': 0,
      'wxa/checksession': 0,
      'cgi-bin/soter/verify_signature': 0,
      'wxa/business/getuserphonenumber': 0,
      'wxa/getuserriskrank': 0,
    })
  })
})

describe('the control routes of the sandbox', () => {
  const { appid } = sandboxApp

  it('the control route creates a code for the given user, or else for a new one', async () => {
    const sandbox = await startSandbox()
    expect((await sandbox.newCode('alice')).openid).toBe('alice')
    const [first, second] = [await sandbox.newCode(), await sandbox.newCode()]
    expect(first.openid).not.toBe(second.openid)
    expect(first.code).not.toBe(second.code)
  })

  it.each<[string, unknown, string]>([
    ['codes', { appid: 'wx0000000000000000' }, 'unknown app'],
    ['codes', {}, 'appid'],
    ['codes', { appid, openid: '' }, 'openid'],
    ['codes', { appid, user: 'alice' }, 'user'],
    ['codes', 'not json', 'the body is not JSON'],
    ['codes', [], 'expected object'],
    ['phone-codes', { appid: 'wx0000000000000000', openid: 'alice' }, 'unknown app'],
    ['phone-codes', { appid }, 'openid'],
    ['soter', { openid: 'alice' }, 'challenge'],
    ['soter', { openid: 'alice', challenge: 'x'.repeat(513) }, 'challenge'],
    ['faults', { errcode: -1 }, 'path'],
    ['faults', { path: 'sns/unknown', errcode: -1 }, 'path'],
    ['faults', { path }, 'one of errcode, status, body, delay_ms, drop is required'],
    ['faults', { path, times: 2 }, 'one of errcode, status, body, delay_ms, drop is required'],
    ['faults', { path, errcode: 0 }, 'errcode'],
    ['faults', { path, errcode: '-1' }, 'errcode'],
    ['faults', { path, errcode: -1, body: '' }, 'exclude each other'],
    ['faults', { path, status: 99 }, 'status'],
    ['faults', { path, delay_ms: -1 }, 'delay_ms'],
    ['faults', { path, drop: false }, 'drop'],
    ['faults', { path, errcode: -1, times: 0 }, 'times'],
  ])('the control route %s refuses %j with 400 and a reason', async (route, body, words) => {
    const sandbox = await startSandbox()
    const { status, json } = await sandbox.post(`sandbox/${route}`, body)
    expect(status).toBe(400)
    expect(Object.keys(json)).toEqual(['error'])
    expect(json.error).toContain(words)
  })

  it('the control routes return 404 for an unknown route and 413 for an oversized body', async () => {
    const sandbox = await startSandbox()
    expect((await sandbox.get('sandbox/unknown', {})).status).toBe(404)
    expect((await sandbox.get('cgi-bin/token', {})).status).toBe(404)
    expect((await sandbox.post('sandbox/codes', 'x'.repeat(3_000_000))).status).toBe(413)
  })
})

describe('createSandbox', () => {
  it('createSandbox takes codes, openids and session keys from the given random source', async () => {
    const sandbox = createSandbox({ apps: [sandboxApp], random: (size) => new Uint8Array(size).fill(7) })
    const { url } = await sandbox.start(0, '127.0.0.1')
    try {
      const response = await fetch(`${url}/sandbox/codes`, {
        method: 'POST',
        body: JSON.stringify({ appid: sandboxApp.appid }),
      })
      const openid = `o${Buffer.alloc(21, 7).toString('base64url').slice(0, 27)}`
      expect(await response.json()).toEqual({ code: Buffer.alloc(24, 7).toString('base64url'), openid })
    } finally {
      await sandbox.close()
    }
  })

  it('a sandbox refuses a second start, starts again after it was closed, and may be closed twice', async () => {
    const sandbox = createSandbox({ apps: [sandboxApp] })
    await sandbox.start(0, '127.0.0.1')
    await expect(sandbox.start(0, '127.0.0.1')).rejects.toThrow('already running')
    await sandbox.close()
    await sandbox.close()
    const { url } = await sandbox.start(0, '127.0.0.1')
    expect((await fetch(`${url}/sandbox/calls`)).status).toBe(200)
    await sandbox.close()
    await expect(fetch(`${url}/sandbox/calls`)).rejects.toThrow()
  })

  it('a sandbox fails to start on a used port and can then start on another', async () => {
    const { url } = await startSandbox()
    const sandbox = createSandbox({ apps: [sandboxApp] })
    await expect(sandbox.start(Number(new URL(url).port), '127.0.0.1')).rejects.toThrow('EADDRINUSE')
    await sandbox.start(0, '127.0.0.1')
    await sandbox.close()
  })
})
