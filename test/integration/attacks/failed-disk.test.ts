/** A disk that stops storing what the service writes. */
import type { NoParamCallback } from 'node:fs'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { logIn } from '../../support/raw-client.ts'
import { type OwnService, startTestService } from '../../support/service.ts'

const disk = vi.hoisted((): { failure: Error | null } => ({ failure: null }))

vi.mock('node:fs', async (load) => {
  const real = await load<typeof import('node:fs')>()
  const fdatasync = (file: number, done: NoParamCallback): void =>
    real.fdatasync(file, (error) => done(disk.failure ?? error))
  return { ...real, fdatasync }
})

let service: OwnService
let paid = 0
let onPaid: () => void

const backend = {
  answer: async () => {
    paid++
    onPaid()
    return { status: 201, fields: [], content: new Uint8Array(0) }
  },
}

beforeEach(async () => {
  paid = 0
  onPaid = () => {}
  service = await startTestService({ backend })
})

afterEach(async () => {
  disk.failure = null
  await service.close()
})

const failFlushes = (): void => {
  disk.failure = Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' })
}
const metrics = async (): Promise<string> => await (await fetch(`${service.url}/metrics`)).text()

it('after a failed flush the service refuses everything until a restart, logs it once and counts it', async () => {
  const session = await logIn(service)
  const pay = () => session.send({ method: 'POST', path: '/pay', body: {} })
  expect((await pay()).status).toBe(201)
  expect(await metrics()).toContain('miniseal_database_failed 0')
  failFlushes()
  expect(await pay()).toMatchObject({ status: 503, json: { code: 'unavailable' } })
  disk.failure = null
  expect(await pay()).toMatchObject({ status: 503, json: { code: 'unavailable' } })
  expect(paid).toBe(1)
  expect((await fetch(`${service.url}/readyz`)).status).toBe(503)
  expect(await metrics()).toContain('miniseal_database_failed 1')
  const lines = service.logText().split('\n')
  expect(lines.filter((line) => line.includes('"database.failed"'))).toEqual([
    expect.stringMatching(/"level":60.*"reason":"disk-failed","errno":"EIO"/),
  ])
})

it('a payment whose outcome cannot be flushed is reported as unknown', async () => {
  const session = await logIn(service)
  onPaid = failFlushes
  const answer = await session.send({ method: 'POST', path: '/pay', body: {} })
  expect(answer).toMatchObject({ status: 503, json: { code: 'unavailable', outcome: 'unknown' } })
  expect(paid).toBe(1)
})
