/** A service whose database was restored from a backup: no unsafe request is executed until an operator acts. */
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Backend } from '../../../service/gateway/backend.ts'
import { openStore } from '../../../service/store/open-store.ts'
import { appendPendingAs, pendingEntry } from '../../support/log-records.ts'
import { logIn, prepareLogin, type RawSession, send } from '../../support/raw-client.ts'
import { startTestService, type TestService } from '../../support/service.ts'
import { type Finished, freePort, runMiniseal } from '../../support/service-process.ts'
import { stolenMacs } from '../../support/stolen.ts'

const folder = mkdtempSync(join(tmpdir(), 'miniseal-restored-'))
const path = join(folder, 'miniseal.db')
const location = { kind: 'sqlite', path } as const
const effects: string[] = []
const backend: Backend = {
  answer: async ({ method, path: target }) => {
    if (method !== 'GET') effects.push(target)
    return { status: 200, fields: [], content: new Uint8Array(0) }
  },
  close: async () => {},
}

let environment: Record<string, string>
let service: TestService
let session: RawSession
/** Leaves in the backup, and those that were signed. */
let kept: number
let lost: number

/** The service does not call the sandbox after the login, so each start may have its own. */
const start = (): Promise<TestService> => startTestService({ environment, backend })

beforeAll(async () => {
  const port = String(await freePort())
  environment = {
    MINISEAL_DATA: folder,
    MINISEAL_DATABASE: `sqlite:${path}`,
    MINISEAL_ORIGIN: `http://127.0.0.1:${port}`,
    PORT: port,
    MINISEAL_LOG_ORIGIN: 'pay.example.com/audit/2026',
  }
  service = await start()
  session = await logIn(service)
  await service.close()
  copyFileSync(path, `${path}.backup`)
  // Signed since the backup, and lost with it.
  service = await start()
  const store = await openStore(location)
  kept = (await store.findLogState())?.size ?? 0
  await appendPendingAs(await stolenMacs(service), store, [pendingEntry(1), pendingEntry(2)])
  await service.close()
  lost = (await store.findLogState())?.size ?? 0
  await store.close()
  copyFileSync(`${path}.backup`, path)
  service = await start()
})

afterAll(async () => {
  await service.close()
  rmSync(folder, { recursive: true, force: true })
})

const command = (...args: string[]): Promise<Finished> =>
  runMiniseal(['audit', ...args], environment).finished

it('the service refuses every unsafe request without any effect', async () => {
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH']) {
    const reply = await session.send({ method, path: '/transfers', body: {} }, service)
    expect(reply).toMatchObject({ kind: 'sealed', status: 503, json: { code: 'unavailable', step: 'claim' } })
  }
  const renewal = await session.send({ method: 'POST', path: '/sessions/current/token' }, service)
  expect(renewal).toMatchObject({ status: 503, json: { code: 'unavailable' } })
  expect(effects).toEqual([])
})

it('the service refuses logins before it calls WeChat', async () => {
  const reply = await send(service, await prepareLogin(service))
  expect(reply).toMatchObject({ kind: 'sealed', status: 503, json: { code: 'unavailable' } })
})

it('the service answers safe requests', async () => {
  expect((await session.send({ path: '/things' }, service)).status).toBe(200)
})

it('the service is not ready and reports the reason in /readyz, its log and the status command', {
  timeout: 120_000,
}, async () => {
  const response = await fetch(`${service.url}/readyz`)
  expect(response.status).toBe(503)
  expect(await response.json()).toMatchObject({
    status: 'not ready',
    store: true,
    log: { status: 'database-behind', origin: 'pay.example.com/audit/2026', size: kept },
  })
  expect(await (await fetch(`${service.url}/metrics`)).text()).toMatch(/^miniseal_tlog_accepting_entries 0$/m)
  expect(service.logText()).toContain('"refusal":"database-behind"')
  const { code, out } = await command('status')
  expect(code).toBe(1)
  expect(out).toContain('the log is CLOSED (database-behind)')
  expect(lost).toBe(kept + 2)
  expect(out).toMatch(new RegExp(`^pinned +${lost} entries$`, 'm'))
  expect((await command('trust-database')).code).toBe(3)
})

it('the service continues without a restart when an operator starts a new origin', {
  timeout: 120_000,
}, async () => {
  const { code, out } = await command('new-origin')
  expect(code).toBe(0)
  expect(out).toContain('started log pay.example.com/audit/2026-2')
  expect(out).toContain(`references pay.example.com/audit/2026, ${lost} entries`)
  for (const end = Date.now() + 60_000; Date.now() < end; await sleep(100)) {
    if ((await fetch(`${service.url}/readyz`)).status === 200) break
  }
  expect((await session.send({ method: 'POST', path: '/transfers', body: {} }, service)).status).toBe(200)
  expect(effects).toEqual(['/transfers'])
  const [origin] = (await (await fetch(`${service.url}/log/checkpoint`)).text()).split('\n')
  expect(origin).toBe('pay.example.com/audit/2026-2')
  const [old] = (await (await fetch(`${service.url}/log/0/checkpoint`)).text()).split('\n')
  expect(old).toBe('pay.example.com/audit/2026')
  const jws = await (await fetch(`${service.url}/.well-known/miniseal`)).text()
  const { log } = JSON.parse(Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString())
  expect(log.origin).toBe(origin)
  expect(log.vkey).toMatch(/^pay\.example\.com\/audit\/2026-2\+[0-9a-f]{8}\+/)
  expect((await command('status')).code).toBe(0)
})
