/** A malicious auditor, or a thief of an auditor's token. */
import { beforeAll, expect, it } from 'vitest'
import { makeTraffic, newAuditor, signIn, type Traffic } from '../../support/audit-traffic.ts'
import { sharedService } from '../../support/hooks.ts'
import { logIn } from '../../support/raw-client.ts'
import { ofKind, readLog } from '../../support/read-log.ts'

let traffic: Traffic
let token: string
let cookie: string

const metrics = 'the token of the metrics'.replaceAll(' ', '-')
const service = sharedService({ environment: { MINISEAL_METRICS_TOKEN: metrics } })

beforeAll(async () => {
  traffic = await makeTraffic(service)
  token = await newAuditor(service, 'lin', 'reader')
  cookie = await signIn(service, token)
})

it('an auditor token gives access only to log entries and the audit pages', async () => {
  const headers = { authorization: `Bearer ${token}`, cookie }
  expect((await fetch(`${service.url}/metrics`, { headers })).status).toBe(401)
  for (const path of ['/wallet', '/sessions', '/receipts/x', '/events'])
    expect((await fetch(`${service.url}${path}`, { headers })).status).toBe(404)
  const push = { method: 'POST', headers, body: '{}' }
  expect((await fetch(`${service.url}/push`, push)).status).toBe(404)
  const session = await logIn(service)
  expect((await session.send({ token })).json.code).toBe('token_invalid')
})

it('the audit pages have no route that writes', async () => {
  for (const path of ['entries', 'session', 'overview', 'integrity', 'timeline'])
    for (const method of ['PUT', 'PATCH', ...(path === 'session' ? [] : ['POST', 'DELETE'])]) {
      const response = await fetch(`${service.url}/audit/api/${path}`, { method, headers: { cookie } })
      expect(response.status, `${method} ${path}`).toBe(404)
    }
})

it('a reader cannot find out the address of an entry by searching for it', async () => {
  for (const path of ['entries?ip=127.0.0.1', 'entries?after=0&ip=127.0.0.1', 'timeline?ip=127.0.0.1']) {
    const response = await fetch(`${service.url}/audit/api/${path}`, { headers: { cookie } })
    expect(response.status, path).toBe(403)
    expect(await response.json()).toMatchObject({ code: 'not_for_your_role' })
  }
})

it('nothing served to a discloser contains a body, an openid or a session key', async () => {
  const discloser = await newAuditor(service, 'wei', 'discloser')
  const own = await signIn(service, discloser)
  const get = async (path: string): Promise<string> =>
    await (await fetch(`${service.url}/audit/api/${path}`, { headers: { cookie: own } })).text()
  const page = await get(`entries?user=${traffic.payer}`)
  const { entries } = JSON.parse(page) as { entries: readonly { id: string }[] }
  const all = [page, await get('export?format=jsonl')]
  for (const { id } of entries) all.push(await get(`entries/${id}`))
  expect(all.join('\n')).toContain(traffic.payer)
  for (const secret of ['"payee"', '"amount"', 'openid-of-a-payer', 'session_key'])
    expect(all.join('\n')).not.toContain(secret)
})

it('signing out invalidates copies of the cookie and other browser sessions', async () => {
  const own = await newAuditor(service, 'mei', 'reader')
  const status = async (shown: string, method = 'GET'): Promise<number> =>
    (await fetch(`${service.url}/audit/api/session`, { method, headers: { cookie: shown } })).status
  const [tab, elsewhere] = [await signIn(service, own), await signIn(service, own)]
  expect([await status(tab), await status(elsewhere)]).toEqual([200, 200])
  expect(await status(tab, 'DELETE')).toBe(204)
  expect([await status(tab), await status(elsewhere)]).toEqual([401, 401])
  // Another auditor stays signed in, and the same one can sign in again at once.
  expect(await status(cookie)).toBe(200)
  const next = await signIn(service, own)
  expect(await status(next)).toBe(200)
  // An invalid cookie signs no session out.
  await status(elsewhere, 'DELETE')
  await status('miniseal-audit=forged', 'DELETE')
  expect(await status(next)).toBe(200)
})

it('every read of an auditor is logged with account name and address', async () => {
  const reads = ofKind(await readLog(service.environment), 'audit-read')
  expect(reads.length).toBeGreaterThan(0)
  for (const { leaf, groups } of reads) {
    expect(leaf.facts).toMatchObject({ auditor: expect.stringMatching(/^(lin|wei)$/) })
    expect(groups.net?.ip).toBe('127.0.0.1')
  }
})
