/** A SQLite file that is removed, replaced or restored while a service runs. */
import { copyFileSync, mkdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openStore } from '../../../service/store/open-store.ts'
import { openWalSync } from '../../../service/store/sqlite/wal-sync.ts'
import { StoreUnavailable } from '../../../service/store/store.ts'
import { newMachine } from '../../support/opened-log.ts'
import { logIn, type RawSession } from '../../support/raw-client.ts'
import { type OwnService, startTestService } from '../../support/service.ts'

let service: OwnService
let session: RawSession
let path: string
let paid = 0

const backend = {
  answer: async () => {
    paid++
    return { status: 201, fields: [], content: new Uint8Array(0) }
  },
}

beforeEach(async () => {
  paid = 0
  service = await startTestService({ backend })
  path = service.environment.MINISEAL_DATABASE?.replace('sqlite:', '') ?? ''
  session = await logIn(service)
})

afterEach(() => service.close())

const pay = () => session.send({ method: 'POST', path: '/pay', body: {} })
const unavailable = { status: 503, json: { code: 'unavailable' } }
const readiness = async (): Promise<number> => (await fetch(`${service.url}/readyz`)).status
const metric = async (): Promise<string> => await (await fetch(`${service.url}/metrics`)).text()

describe.each([
  ['removed', () => rmSync(path)],
  [
    'replaced by a copy',
    () => {
      copyFileSync(path, `${path}.copy`)
      renameSync(`${path}.copy`, path)
    },
  ],
  ['moved away', () => renameSync(path, `${path}.old`)],
  ['left without its -wal', () => rmSync(`${path}-wal`)],
  [
    'given another -wal',
    () => {
      rmSync(`${path}-wal`)
      writeFileSync(`${path}-wal`, '')
    },
  ],
  ['left without its -shm', () => rmSync(`${path}-shm`)],
])('a database file that is %s', (_, disturb) => {
  it('the service refuses everything from the next commit until a restart', async () => {
    expect((await pay()).status).toBe(201)
    expect(await readiness()).toBe(200)
    expect(await metric()).toContain('miniseal_database_failed 0')
    disturb()
    expect(await pay()).toMatchObject(unavailable)
    expect(paid).toBe(1)
    expect(await pay()).toMatchObject(unavailable)
    expect(await readiness()).toBe(503)
    expect(await metric()).toContain('miniseal_database_failed 1')
    const lines = service.logText().split('\n')
    expect(lines.filter((line) => line.includes('"database.failed"'))).toEqual([
      expect.stringMatching(/"level":60.*"reason":"file-replaced"/),
    ])
  })
})

it('the service keeps refusing after the original database file is restored', async () => {
  renameSync(path, `${path}.old`)
  expect(await pay()).toMatchObject(unavailable)
  renameSync(`${path}.old`, path)
  expect(await pay()).toMatchObject(unavailable)
  expect(await readiness()).toBe(503)
  expect(paid).toBe(0)
})

it('a replaced database file is detected between the flush and the acknowledgement of a batch', async () => {
  const machine = newMachine()
  const file = join(machine.folder, 'some.db')
  for (const ending of ['', '-wal', '-shm']) writeFileSync(file + ending, '')
  const wal = openWalSync(file)
  await wal.flush()
  const flushing = wal.flush()
  renameSync(file, `${file}.old`)
  await expect(flushing).rejects.toThrow(/was removed or replaced/)
  wal.close()
  machine.remove()
})

it('the database file and its side files are readable by their owner only', () => {
  for (const ending of ['', '-wal', '-shm']) expect(statSync(path + ending).mode & 0o777).toBe(0o600)
})

it('a folder named as the database is left unchanged', async () => {
  const machine = newMachine()
  const folder = join(machine.folder, 'a-folder')
  mkdirSync(folder, { mode: 0o755 })
  await expect(openStore({ kind: 'sqlite', path: folder })).rejects.toThrow(StoreUnavailable)
  expect(statSync(folder).mode & 0o777).toBe(0o755)
  machine.remove()
})
