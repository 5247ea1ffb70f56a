/** SIGTERM: requests in process are answered, new ones refused, the database is intact, exit code 0. */
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { logIn, type RawSession } from '../../support/raw-client.ts'
import { type ServiceProcess, startServiceProcess } from '../../support/service-process.ts'
import { startUpstream, type TestUpstream } from '../../support/upstream.ts'

let child: ServiceProcess
let backend: TestUpstream
let session: RawSession
/** Answers the request that waits at the backend. */
let finish: () => void
let arrived: Promise<void>

beforeEach(async () => {
  let arrive: () => void
  arrived = new Promise((resolve) => {
    arrive = resolve
  })
  backend = await startUpstream((_request, response) => {
    finish = () => response.writeHead(201, { 'content-type': 'application/json' }).end('{"made":true}')
    arrive()
  })
  child = await startServiceProcess({ MINISEAL_UPSTREAMS: `/slow=${backend.origin}` })
  session = await logIn(child.service)
})

afterEach(async () => {
  await child.close()
  backend.close()
})

const finished = () => child.command().finished

async function open(): Promise<Socket> {
  const socket = connect(child.port, '127.0.0.1')
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
  child.command().child.kill('SIGTERM')
  await child.command().waitFor('stopping')
}

it('SIGTERM finishes the request in process, refuses new connections and exits with 0', async () => {
  const running = session.send({ method: 'POST', path: '/slow', body: {} })
  await arrived
  await stop()
  while (!(await isRefused())) await sleep(5)
  await sleep(300)
  expect(child.command().child.exitCode).toBe(null)
  finish()
  expect(await running).toMatchObject({ kind: 'sealed', status: 201, json: { made: true } })
  expect(await finished()).toMatchObject({ code: 0, err: '' })
})

it('SIGTERM leaves a checkpointed database with the last response', async () => {
  const running = session.send({ method: 'POST', path: '/slow', body: {}, key: 'kept' })
  await arrived
  await stop()
  finish()
  await running
  await finished()
  const path = join(child.folder, 'miniseal.db')
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
  const ready = await fetch(`${child.service.origin}/readyz`)
  expect([ready.status, ((await ready.json()) as { stopping: unknown }).stopping]).toEqual([200, false])
  await stop()
  socket.write('\r\n')
  let answer = ''
  for await (const chunk of socket) answer += String(chunk)
  expect(answer).toMatch(/^HTTP\/1\.1 503 /)
  expect(answer).toContain('"stopping":true')
  expect(answer).toMatch(/\r\nconnection: close\r\n/i)
  expect((await finished()).code).toBe(0)
})

it('a second signal exits at once with 1', async () => {
  const running = session.send({ method: 'POST', path: '/slow', body: {} }).catch(() => 'cut')
  await arrived
  await stop()
  child.command().child.kill('SIGTERM')
  expect((await finished()).code).toBe(1)
  expect(await running).toBe('cut')
})
