/** The risk policy of logins, and sessions that require confirmations. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { shortenDeadlines } from '../../support/clock.ts'
import { confirmation, withStepUp } from '../../support/confirmation.ts'
import { ownService } from '../../support/hooks.ts'
import type { LoginParts, RawSession, ReceivedReply, RequestParts } from '../../support/raw-client.ts'
import { logIn, newDevice, post, prepareLogin, send, transferOf } from '../../support/raw-client.ts'
import { sandboxCalls, startTestService, type TestService } from '../../support/service.ts'
import { startUpstream } from '../../support/upstream.ts'

const policy = '0=allow,1=allow,2=allow,3=step-up,4=refuse,unavailable=allow'
const api = 'wxa/getuserriskrank'
let service: TestService

afterEach(() => service.close())

async function start(text: string | undefined, more: Record<string, string> = {}): Promise<void> {
  const environment = { ...(text === undefined ? {} : { MINISEAL_RISK_POLICY: text }), ...more }
  service = await startTestService({ environment })
}

async function rank(openid: string, risk_rank: number): Promise<void> {
  await service.sandbox('/sandbox/risk-ranks', { appid: service.appid, openid, risk_rank })
}

async function tryLogin(parts: LoginParts): Promise<ReceivedReply> {
  return await send(service, await prepareLogin(service, parts))
}

/** The log line of the last login. */
function lastLogin(): Record<string, unknown> {
  const lines = service.logText().trim().split('\n')
  const logins = lines.map((line) => JSON.parse(line)).filter(({ kind }) => kind === 'login')
  return logins.at(-1)
}

const transfer = (key: string): RequestParts => transferOf(100, { key })

async function confirmed(session: RawSession, openid: string, parts: RequestParts): Promise<ReceivedReply> {
  const { challenge } = (await session.send(parts)).json
  return await session.send(withStepUp(parts, await confirmation(service, openid, challenge)))
}

describe('a risk policy', () => {
  it.each([0, 1, 2])('a risk policy allows rank %i and records it in the log line', async (risk) => {
    await start(policy)
    await rank('calm', risk)
    const session = await logIn(service, { openid: 'calm' })
    expect((await session.send(transfer('a'))).status).toBe(201)
    expect(lastLogin()).toMatchObject({ status: 201, risk })
  })

  it('a risk policy refuses a rank without revealing it, creates no session, and assesses the next login anew', async () => {
    await start(policy)
    await rank('risky', 4)
    const device = newDevice()
    const { status, json } = await tryLogin({ openid: 'risky', device })
    expect([status, json.code, json.step, json.retryable]).toEqual([403, 'login_blocked', 'login', false])
    expect(Object.keys(json).sort().join(' ')).toBe(
      'code detail instance retryable status step time title type',
    )
    expect(json.detail).toBe('the login is refused as high-risk')
    expect(lastLogin()).toMatchObject({ status: 403, code: 'login_blocked', risk: 4 })
    await rank('risky', 2)
    const again = await tryLogin({ openid: 'risky', device })
    expect([again.status, again.json.device.new]).toEqual([201, true])
  })

  it('a service without a risk policy does not request ranks from WeChat', async () => {
    await start(undefined)
    await rank('risky', 4)
    await logIn(service, { openid: 'risky' })
    expect(await sandboxCalls(service, api)).toBe(0)
    expect(lastLogin()).not.toHaveProperty('risk')
  })

  it('WeChat gets the address that the limits count: from a trusted proxy, and the first of an IPv6 network', async () => {
    const addresses: string[] = []
    const wechat = await startUpstream((request, response, body) => {
      if (request.url?.startsWith('/wxa/')) addresses.push(JSON.parse(body).client_ip)
      response.end(
        JSON.stringify({
          openid: 'o1',
          session_key: 'AAAAAAAAAAAAAAAAAAAAAA==',
          access_token: 't',
          expires_in: 7200,
          risk_rank: 0,
        }),
      )
    })
    try {
      await start(policy, { MINISEAL_WECHAT_API: wechat.origin, MINISEAL_TRUSTED_PROXIES: '1' })
      for (const [index, address] of ['198.51.100.7', '2001:db8:1:2:3:4:5:6'].entries()) {
        const { frame } = await prepareLogin(service, { code: `code-${index}` })
        const type = 'application/vnd.miniseal'
        const headers = { 'content-type': type, 'x-forwarded-for': `10.9.9.9, ${address}` }
        const body = new Uint8Array(frame)
        expect((await fetch(`${service.url}/seal`, { method: 'POST', headers, body })).status).toBe(200)
      }
      await post(service, (await prepareLogin(service, { code: 'code-3' })).frame)
      expect(addresses).toEqual(['198.51.100.7', '2001:db8:1:2::', '127.0.0.1'])
    } finally {
      wechat.close()
    }
  })

  it('a user blocked by WeChat is recorded with and without a policy', async () => {
    await start(undefined, { MINISEAL_METRICS_TOKEN: 'a-token-of-this-test' })
    await service.sandbox('/sandbox/faults', { path: 'sns/jscode2session', errcode: 40226 })
    expect((await tryLogin({})).json.code).toBe('login_blocked')
    expect(lastLogin()).toMatchObject({ code: 'login_blocked', risk: 'blocked' })
    expect((await tryLogin({ code: 'no-such-code' })).json.code).toBe('login_code_invalid')
    expect(lastLogin()).not.toHaveProperty('risk')
    const headers = { authorization: 'Bearer a-token-of-this-test' }
    const text = await (await fetch(`${service.url}/metrics`, { headers })).text()
    expect(text).toContain('miniseal_logins_by_risk_total{risk="blocked"} 1')
  })
})

describe('a rank that WeChat does not give', () => {
  const faults: readonly (readonly [string, Record<string, unknown>])[] = [
    ['61007, no permission', { errcode: 61007 }],
    ['61010, no visit', { errcode: 61010 }],
    ['an unknown errcode', { errcode: 123456 }],
    ['a used-up quota', { errcode: 45009 }],
    ['a broken answer', { body: '<html>' }],
    ['a rank that there is not', { body: '{"errcode":0,"risk_rank":9}' }],
    ['a cut connection', { drop: true }],
    ['status 502', { status: 502 }],
  ]

  it.each(faults)(
    'a missing rank counts as unavailable (%s), which the policy may allow',
    async (_, fault) => {
      await start(policy)
      await service.sandbox('/sandbox/faults', { path: api, ...fault })
      const session = await logIn(service, { openid: 'u' })
      expect((await session.send(transfer('a'))).status).toBe(201)
      expect(lastLogin()).toMatchObject({ status: 201, risk: 'unavailable' })
    },
  )

  it('a rank counts as unavailable after the deadline of 3 s', async () => {
    await start(policy)
    await service.sandbox('/sandbox/faults', { path: api, delay_ms: 8_000 })
    const timeout = shortenDeadlines(4)
    await logIn(service, { openid: 'u' })
    expect(timeout).toHaveBeenCalledWith(3_000)
    expect(lastLogin()).toMatchObject({ risk: 'unavailable' })
  })

  it('a login is refused as retryable when the policy refuses an unavailable rank', async () => {
    await start(policy.replace('unavailable=allow', 'unavailable=refuse'))
    await service.sandbox('/sandbox/faults', { path: api, errcode: 61007 })
    const { status, json } = await tryLogin({ openid: 'u' })
    expect([status, json.code, json.retryable]).toEqual([503, 'wechat_unavailable', true])
    expect((await tryLogin({ openid: 'u' })).status).toBe(201)
  })

  it('a login gets a session that requires confirmations when the policy has step-up for an unavailable rank', async () => {
    await start(policy.replace('unavailable=allow', 'unavailable=step-up'))
    await service.sandbox('/sandbox/faults', { path: api, errcode: -1 })
    const session = await logIn(service, { openid: 'u' })
    expect((await session.send(transfer('a'))).json.code).toBe('step_up_required')
  })
})

describe('a session that requires confirmations', () => {
  async function marked(openid = 'marked'): Promise<RawSession> {
    await start(policy)
    await rank(openid, 3)
    return await logIn(service, { openid })
  }

  it('a marked session requires a confirmation before every handler with an effect and runs the confirmed request once', async () => {
    const session = await marked()
    const challenged = await session.send(transfer('a'))
    expect([challenged.status, challenged.json.code, challenged.json.summary]).toEqual([
      401,
      'step_up_required',
      'POST /wallet/transfers',
    ])
    expect(challenged.fields).toContainEqual([
      'www-authenticate',
      'HTTPSig error="insufficient_user_authentication", acr_values="soter"',
    ])
    expect((await session.send({ path: '/wallet/transfers' })).json.transfers).toEqual([])
    expect((await confirmed(session, 'marked', transfer('a'))).status).toBe(201)
    // The stored answer needs no confirmation; the next transfer does.
    expect((await session.send(transfer('a'))).fields).toContainEqual(['idempotency-replayed', 'true'])
    expect((await session.send(transfer('b'))).json.code).toBe('step_up_required')
    expect((await session.send({ path: '/wallet/transfers' })).json.transfers).toHaveLength(1)
  })

  it('a marked session requires a confirmation for own routes with an effect', async () => {
    const session = await marked()
    const named = { method: 'PUT', path: `/devices/${session.device.signer.keyid}`, body: { name: 'mine' } }
    expect((await session.send({ ...named, key: 'n' })).json.code).toBe('step_up_required')
    expect((await session.send({ method: 'DELETE', path: '/devices', key: 'd' })).json.code).toBe(
      'step_up_required',
    )
    expect((await session.send({ method: 'POST', path: '/nowhere', key: 'x' })).json.code).toBe(
      'step_up_required',
    )
    expect((await confirmed(session, 'marked', { ...named, key: 'n' })).status).toBeLessThan(300)
  })

  it('a marked session reads, renews its token and logs out without a confirmation, on the exact paths only', async () => {
    const session = await marked()
    expect((await session.send({ path: '/wallet' })).status).toBe(200)
    expect((await session.send({ method: 'DELETE', path: '/sessions/current?a', key: 'q' })).json.code).toBe(
      'step_up_required',
    )
    const renewed = await session.send({ method: 'POST', path: '/sessions/current/token', key: 'r' })
    expect(renewed.status).toBe(201)
    expect((await session.send({ method: 'DELETE', path: '/sessions/current', key: 'l' })).status).toBe(204)
  })

  it('a session stays marked after a restart, and a new login of the device is assessed anew', async () => {
    const session = await marked()
    const other = await ownService({
      environment: {
        MINISEAL_DATABASE: service.environment.MINISEAL_DATABASE ?? '',
        MINISEAL_DATA: service.environment.MINISEAL_DATA ?? '',
        MINISEAL_ORIGIN: service.origin,
      },
    })
    expect((await session.send(transfer('a'), other)).json.code).toBe('step_up_required')
    await rank('marked', 1)
    const next = await logIn(service, { openid: 'marked', device: session.device })
    expect((await next.send(transfer('b'))).status).toBe(201)
    expect((await session.send(transfer('c'))).json.code).toBe('step_up_required')
  })

  it('a confirmation shows the summary of the gateway route, and the backend gets acr soter', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'miniseal-risk-'))
    const upstream = await startUpstream((request, response) => {
      response.end(/acr="(\w+)"/.exec(String(request.headers['miniseal-caller']))?.[1])
    })
    const above = { member: 'amount', value: 1000 }
    const step_up = { above, summary: '{amount} 分给 {payee}' }
    const routes = [
      { path: '/pay', upstream: upstream.origin, step_up },
      { path: '/plain', upstream: upstream.origin },
      { path: '/', upstream: upstream.origin, step_up },
    ]
    const file = join(folder, 'routes.json')
    writeFileSync(file, JSON.stringify(routes))
    try {
      await start(policy, { MINISEAL_ROUTES_FILE: file })
      await rank('marked', 3)
      const session = await logIn(service, { openid: 'marked' })
      const small = { method: 'POST', path: '/pay', body: { payee: 'bob', amount: 1 }, key: 'a' }
      expect((await session.send(small)).json.summary).toBe('1 分给 bob')
      expect((await session.send({ ...small, path: '/plain', key: 'b' })).json.summary).toBe('POST /plain')
      // The service's own routes are none of the route for everything.
      const named = { method: 'PUT', path: `/devices/${session.device.signer.keyid}`, body: { name: 'mine' } }
      const challenged = await session.send({ ...named, key: 'c' })
      expect(challenged.json).toMatchObject({
        code: 'step_up_required',
        summary: expect.stringMatching(/^PUT \/devices\//),
      })
      expect((await confirmed(session, 'marked', { ...named, key: 'd' })).status).toBe(204)
      expect(upstream.arrived).toHaveLength(0)
      expect((await confirmed(session, 'marked', small)).status).toBe(200)
      expect(String(upstream.last().headers['miniseal-caller'])).toContain('acr="soter"')
      expect(String(upstream.last().headers['miniseal-caller'])).not.toMatch(/risk|rank/)
    } finally {
      upstream.close()
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
