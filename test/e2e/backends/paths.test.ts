/** An attacker with a session writes one path in many ways to make the gateway and a backend disagree. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Hono } from 'hono'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { decodedSegments } from '../../../crypto/http-signatures/message-rules.ts'
import { parseFilter } from '../../../service/admin/api/search.ts'
import type { InnerApp, InnerVariables } from '../../../service/gateway/backend.ts'
import { mountApp } from '../../../service/gateway/backend.ts'
import { sendCrafted } from '../../support/crafted-request.ts'
import type { RawSession } from '../../support/raw-client.ts'
import { logIn } from '../../support/raw-client.ts'
import { readLog } from '../../support/read-log.ts'
import type { OwnService } from '../../support/service.ts'
import { startTestService } from '../../support/service.ts'
import type { TestUpstream } from '../../support/upstream.ts'
import { startUpstream } from '../../support/upstream.ts'
import type { Reading, RunningReader } from './readers/reader.ts'
import { readers, startReader } from './readers/reader.ts'

const folder = mkdtempSync(join(tmpdir(), 'miniseal-paths-'))
const running: RunningReader[] = []
/** The backend of `/wallet`, which records its requests. */
let wallet: TestUpstream
let service: OwnService
let session: RawSession

beforeAll(async () => {
  wallet = await startUpstream((_request, response) => response.end('done'))
  const routes = [
    { path: '/wallet', upstream: wallet.origin },
    { path: '/wallet/transfers', upstream: wallet.origin, step_up: { always: true } },
  ]
  for (const reader of readers) {
    const { origin, close } = await startReader(reader)
    running.push({ origin, close })
    routes.push({ path: `/${reader}`, upstream: origin })
    routes.push({ path: `/${reader}/transfers`, upstream: origin, step_up: { always: true } })
  }
  writeFileSync(join(folder, 'routes.json'), JSON.stringify(routes))
  service = await startTestService({ environment: { MINISEAL_ROUTES_FILE: join(folder, 'routes.json') } })
  session = await logIn(service)
}, 120_000)

afterAll(async () => {
  for (const reader of running) await reader.close()
  await service.close()
  wallet.close()
  rmSync(folder, { recursive: true, force: true })
})

/** Refused before signature verification. `B` is the route. */
const refused = [
  'B/%74ransfers',
  'B//transfers',
  '/B/transfers',
  'B/transfers//',
  'B/transfers;x=1',
  'B;x/transfers',
  'B/transfers;/1',
  'B/;/transfers',
  'B/transfers%3Bx',
  'B/./transfers',
  'B/%2e/transfers',
  'B/%2E/transfers',
  'B/x/../transfers',
  'B/x/%2e%2e/transfers',
  'B/x%2F../transfers',
  'B/x/..%2ftransfers',
  'B/x%5C..%5Ctransfers',
  'B/x\\..\\transfers',
  'B%2Ftransfers',
  'B/transfers/.',
  'B/transfers/..',
  'B/transfers%00',
  'B/transfers%0A',
  'B/transfers%7F',
  'B/transfers%2500',
  'B/%2574ransfers',
  'B/%c3%a9',
  'B/%C3%28',
  'B/%C0%AE%C0%AE/transfers',
  'B/%ED%A0%80',
  'B/transfers%',
  'B/transfers#x',
  'B/transfers?',
  'B/x?%c3%a9',
]

/** Accepted, with the same reading in the gateway and every backend. */
const accepted = [
  'B',
  'B/',
  'B/transfers',
  'B/transfers/',
  'B/transfers/1',
  'B/transfers?x=1;y=/../%2E%2E',
  'B/TRANSFERS',
  'B/transfers.',
  'B/...',
  'B/transfers%20',
  'B/transfers+',
  'B/transfers%2B',
  'B/transfers%3Fx=1',
  'B/transfers%23x',
  'B/%E5%8D%88',
  'B/caf%C3%A9/cafe%CC%81',
  'B/a@b/a%40b',
  "B/a!$&'()*,=:",
  'B/a%21%24%26%27%28%29%2A%2C%3D%3A',
  'B/%3C%3E%22%7B%7D%5B%5D%5E%60%7C',
]

const at = (template: string, base: string): string => template.replace('B', base)

async function post(path: string) {
  return await sendCrafted(session, { method: 'POST', path })
}

it.each(refused)('the gateway refuses %s and does not forward it', async (template) => {
  const before = wallet.arrived.length
  const reply = await post(at(template, '/wallet'))
  expect(reply.json).toMatchObject({ code: 'payload_invalid', step: 'binary-http', status: 400 })
  expect(wallet.arrived).toHaveLength(before)
})

describe.each(readers)('a backend in %s', (reader) => {
  it.each([...refused, ...accepted])(
    'a backend does not run an unconfirmed transfer for %s',
    async (template) => {
      const path = at(template, `/${reader}`)
      const reply = await post(path)
      if (reply.json?.code === 'payload_invalid' || reply.json?.code === 'step_up_required') return
      const { handler, path: read } = reply.json as Reading
      expect({ handler, read }).toEqual({ handler: 'other', read: `/${decodedSegments(path).join('/')}` })
    },
  )

  it('a backend reads every accepted path as the gateway does', async () => {
    for (const template of accepted) {
      const path = at(template, `/${reader}`)
      const reply = await session.send({ path })
      expect({ path, read: (reply.json as Reading).path }).toEqual({
        path,
        read: `/${decodedSegments(path).join('/')}`,
      })
    }
  })
})

it('a step-up rule covers its route and the paths below, and paths are case-sensitive', async () => {
  for (const path of [
    '/wallet/transfers',
    '/wallet/transfers/',
    '/wallet/transfers/1',
    '/wallet/transfers?x',
  ])
    expect((await post(path)).json).toMatchObject({ code: 'step_up_required' })
  expect((await post('/Wallet/transfers')).json).toMatchObject({ code: 'not_found' })
  expect((await post('/wallet/Transfers')).status).toBe(200)
  expect(wallet.last().url).toBe('/wallet/Transfers')
})

it('the log indexes every spelling of a path as one path', async () => {
  for (const path of ['/wallet/notes/a@b', '/wallet/notes/a%40b?page=2']) {
    expect((await session.send({ path, method: 'PUT', body: {} })).status).toBe(200)
  }
  const tags = new Set<string>()
  const spellings = new Set<unknown>()
  for (const { row, groups } of await readLog(service.environment)) {
    if (!String(groups.core?.path).startsWith('/wallet/notes/')) continue
    spellings.add(groups.core?.path)
    tags.add(Buffer.from(row.pathBlindIndex ?? []).toString('hex'))
  }
  expect(spellings).toEqual(new Set(['/wallet/notes/a@b', '/wallet/notes/a%40b?page=2']))
  expect(tags.size).toBe(1)
  expect(parseFilter({ path: '/wallet/notes/a%40b' })).toEqual(parseFilter({ path: '/wallet/notes/a@b' }))
})

describe('a mounted app', () => {
  it('a mounted app matches its patterns against the canonical path', async () => {
    const app: InnerApp = new Hono<{ Variables: InnerVariables }>()
    app.use('/vault/k@1/*', async (c) => c.text('closed', 403))
    app.get('/vault/:key/:page', (c) => c.text(c.req.path))
    const mounted = await startTestService({ backend: mountApp(app) })
    try {
      const own = await logIn(mounted)
      expect((await own.send({ path: '/vault/k@1/x' })).status).toBe(403)
      expect((await own.send({ path: '/vault/k%401/x' })).status).toBe(403)
      expect((await own.send({ path: '/vault/k2/%E5%8D%88' })).status).toBe(200)
    } finally {
      await mounted.close()
    }
  })
})
