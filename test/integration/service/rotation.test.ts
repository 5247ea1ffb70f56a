/** Key rotation and restarts with a new master key under load. */

import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { readConfig } from '../../../service/config/config.ts'
import type { RunningService } from '../../../service/server.ts'
import { startService } from '../../../service/server.ts'
import { sandboxApp } from '../../../service/wechat/apps.ts'
import { createSandbox } from '../../../service/wechat/sandbox/sandbox.ts'
import { runKeys } from '../../support/command.ts'
import { sharedFolder } from '../../support/hooks.ts'
import { logIn, type RawSession, transferOf } from '../../support/raw-client.ts'
import { sandboxClient, type TestService } from '../../support/service.ts'

const clients = 6
/** Milliseconds. */
const maintenancePeriod = 200
const [older, newer] = [randomBytes(32).toString('base64'), randomBytes(32).toString('base64')]
const folder = sharedFolder()
const sandbox = createSandbox({ apps: [sandboxApp] })
let environment: Record<string, string>
let current: RunningService
let isDone = false
const count = { requests: 0, logins: 0, renewals: 0 }
const failures: unknown[] = []

const now = (): number => Math.floor(Date.now() / 1000)

/** Starts one process of the service; clients use the current one, as behind a load balancer. */
async function startOne(masterKey: string): Promise<RunningService> {
  const config = readConfig({ ...environment, MINISEAL_MASTER_KEY: masterKey })
  return await startService(config, pino({ level: 'silent' }), { now, maintenancePeriod })
}

let service: TestService

beforeAll(async () => {
  const { url } = await sandbox.start(0, '127.0.0.1')
  environment = {
    PORT: '0',
    MINISEAL_ORIGIN: 'http://127.0.0.1:1',
    MINISEAL_DATA: folder,
    MINISEAL_DATABASE: `sqlite:${join(folder, 'miniseal.db')}`,
    MINISEAL_WECHAT_API: url,
  }
  current = await startOne(older)
  service = {
    get origin() {
      return current.url
    },
    sandboxUrl: url,
    roots: current.roots,
    appid: sandboxApp.appid,
    environment,
    logText: () => '',
    advanceClock: () => {},
    now,
    ...sandboxClient(url),
    close: async () => {},
  }
})

afterAll(async () => {
  await current.stop()
  await sandbox.close()
})

const transfer = transferOf(1)

/** Reads, pays and renews the token. @throws Error for any unexpected response */
async function work(session: RawSession): Promise<void> {
  for (const [request, status] of [
    [{}, 200],
    [transfer, 201],
    [{ method: 'POST', path: '/sessions/current/token' }, 201],
  ] as const) {
    const reply = await session.send(request)
    if (reply.status !== status) throw new Error(`${reply.status}: ${JSON.stringify(reply.json)}`)
    count.requests += 1
    if (!('path' in request) || request.path !== '/sessions/current/token') continue
    session.token = reply.json.access_token
    count.renewals += 1
  }
}

/** Logs in and works until the test is done. */
async function live(): Promise<void> {
  while (!isDone) {
    try {
      const session = await logIn(service)
      count.logins += 1
      for (let i = 0; i < 8 && !isDone; i++) await work(session)
    } catch (error) {
      failures.push(error)
    }
  }
}

const rotate = async (kind: string, masterKey: string): Promise<string> =>
  (await runKeys(['rotate', kind], { ...environment, MINISEAL_MASTER_KEY: masterKey })).out

/** Starts a new process for new requests and stops the old one. */
async function restart(masterKey: string): Promise<void> {
  const next = await startOne(masterKey)
  const last = current
  current = next
  // Requests on their way to the old process arrive before it closes its connections.
  await sleep(500)
  await last.stop()
}

it('agreement, signing, token and master keys rotate under load without a failed request', {
  timeout: 120_000,
}, async () => {
  const living = Array.from({ length: clients }, live)
  await expect.poll(() => count.logins).toBeGreaterThan(0)
  for (const kind of ['agreement', 'signing', 'token']) {
    await rotate(kind, older)
    await sleep(maintenancePeriod)
  }
  // The maintenance job reloads the keys.
  await sleep(maintenancePeriod * 4)
  await restart(`${older},${newer}`)
  await restart(`${newer},${older}`)
  expect(await rotate('master', `${newer},${older}`)).toContain('the old key can be removed')
  await restart(newer)
  isDone = true
  await Promise.all(living)
  console.log(
    `${count.requests} requests, ${count.logins} logins, ${count.renewals} renewals: ${failures.length} failed`,
  )
  expect(failures).toEqual([])
  expect(count.requests).toBeGreaterThan(50)
  expect(count.logins).toBeGreaterThan(clients)
})
