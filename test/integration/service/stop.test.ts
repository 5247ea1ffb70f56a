/** SIGTERM: requests in process are answered, new ones refused, the database is intact, exit code 0. */
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { sandboxApp } from '../../../service/wechat/apps.ts'
import { createSandbox, type Sandbox } from '../../../service/wechat/sandbox/sandbox.ts'
import { logIn, type RawSession } from '../../support/raw-client.ts'
import { freePort, type RunningCommand, runMiniseal } from '../../support/service-process.ts'

let folder: string
let port: number
let sandbox: Sandbox
let backend: Server
let service: RunningCommand
let session: RawSession
/** Answers the request that waits at the backend. */
let finish: () => void
let arrived: Promise<void>

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'miniseal-stop-'))
  sandbox = createSandbox({ apps: [sandboxApp] })
  const { url: sandboxUrl } = await sandbox.start(0, '127.0.0.1')
  arrived = new Promise((resolve) => {
    backend = createServer((_request, response) => {
      finish = () => response.writeHead(201, { 'content-type': 'application/json' }).end('{"made":true}')
      resolve()
    })
  })
  backend.listen(0, '127.0.0.1')
  await once(backend, 'listening')
  port = await freePort()
  service = runMiniseal(['serve'], {
    PORT: String(port),
    MINISEAL_DATA: folder,
    MINISEAL_DATABASE: `sqlite:${join(folder, 'miniseal.db')}`,
    MINISEAL_WECHAT_API: sandboxUrl,
    MINISEAL_UPSTREAMS: `/slow=http://127.0.0.1:${(backend.address() as AddressInfo).port}`,
    MINISEAL_LOG_LEVEL: 'error',
  })
  const root = /root key\s+(\S+)/.exec(await service.waitFor('Ctrl+C'))?.[1] ?? ''
  session = await logIn(outside(sandboxUrl, root))
})

afterEach(async () => {
  service.child.kill('SIGKILL')
  backend.closeAllConnections()
  backend.close()
  await sandbox.close()
  rmSync(folder, { recursive: true, force: true })
})

/** The service as its clients see it. */
function outside(sandboxUrl: string, root: string): RawSession['service'] {
  const unused = (): never => {
    throw new Error('not of a service in another process')
  }
  return {
    origin: `http://127.0.0.1:${port}`,
    sandboxUrl,
    roots: [root],
    appid: sandboxApp.appid,
    environment: {},
    logText: unused,
    advanceClock: unused,
    now: () => Math.floor(Date.now() / 1000),
    code: async () => {
      const body = JSON.stringify({ appid: sandboxApp.appid })
      const answer = await fetch(`${sandboxUrl}/sandbox/codes`, { method: 'POST', body })
      return ((await answer.json()) as { code: string }).code
    },
    sandbox: unused,
    close: unused,
  }
}

async function open(): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  return socket
}

async function isRefused(): Promise<boolean> {
  return await open().then(
    (socket) => {
      socket.destroy()
      return false
    },
    () => true,
  )
}

async function stop(): Promise<void> {
  service.child.kill('SIGTERM')
  await service.waitFor('stopping')
}

it('SIGTERM finishes the request in process, refuses new connections and exits with 0', async () => {
  const running = session.send({ method: 'POST', path: '/slow', body: {} })
  await arrived
  await stop()
  while (!(await isRefused())) await sleep(5)
  await sleep(300)
  expect(service.child.exitCode).toBe(null)
  finish()
  expect(await running).toMatchObject({ kind: 'sealed', status: 201, json: { made: true } })
  expect(await service.finished).toMatchObject({ code: 0, err: '' })
})

it('SIGTERM leaves a checkpointed database with the last response', async () => {
  const running = session.send({ method: 'POST', path: '/slow', body: {}, key: 'kept' })
  await arrived
  await stop()
  finish()
  await running
  await service.finished
  const path = join(folder, 'miniseal.db')
  expect([existsSync(`${path}-wal`), existsSync(`${path}-shm`)]).toEqual([false, false])
  const database = new Database(path, { readonly: true })
  const settled = database
    .prepare('select key from idempotency_keys where response_wrapped is not null')
    .all()
  database.close()
  expect(settled).toEqual([{ key: 'kept' }])
})

it('/readyz reports a stopping service on existing connections', async () => {
  const socket = await open()
  // A request that has begun keeps its connection; an idle one would be closed.
  socket.write('GET /readyz HTTP/1.1\r\nhost: x\r\n')
  const ready = await fetch(`http://127.0.0.1:${port}/readyz`)
  expect([ready.status, ((await ready.json()) as { stopping: unknown }).stopping]).toEqual([200, false])
  await stop()
  socket.write('\r\n')
  let answer = ''
  for await (const chunk of socket) answer += String(chunk)
  expect(answer).toMatch(/^HTTP\/1\.1 503 /)
  expect(answer).toContain('"stopping":true')
  expect(answer).toMatch(/\r\nconnection: close\r\n/i)
  expect((await service.finished).code).toBe(0)
})

it('a second signal exits at once with 1', async () => {
  const running = session.send({ method: 'POST', path: '/slow', body: {} }).catch(() => 'cut')
  await arrived
  await stop()
  service.child.kill('SIGTERM')
  expect((await service.finished).code).toBe(1)
  expect(await running).toBe('cut')
})
