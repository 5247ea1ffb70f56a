/** Stale cached sessions: the database changes without a notification, and the next request comes before the cache expires. */
import Database from 'better-sqlite3'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { logIn, post, type RawSession, transferOf } from '../../support/raw-client.ts'
import { type OwnService, startTestService } from '../../support/service.ts'
import { freePort } from '../../support/service-process.ts'

let service: OwnService
let session: RawSession

beforeEach(async () => {
  service = await startTestService({ environment: { PORT: String(await freePort()) } })
  session = await logIn(service)
})

afterEach(() => service.close())

/** Runs SQL on the database without a notification of the service. @returns the value or the number of changes */
function changeDatabase(sql: string): number {
  const database = new Database((service.environment.MINISEAL_DATABASE ?? '').replace('sqlite:', ''))
  try {
    const statement = database.prepare(sql)
    return statement.reader ? Number(statement.pluck().get()) : statement.run().changes
  } finally {
    database.close()
  }
}

const transfer = transferOf(1)

it.each([{ path: '/wallet' }, transfer])(
  'an ended session is refused in a process that has it cached: $path',
  async (request) => {
    expect((await session.send()).status).toBe(200)
    expect(changeDatabase(`update sessions set ended_at = 1, end_reason = 'revoked'`)).toBe(1)
    expect(await session.send(request)).toMatchObject({
      status: 401,
      json: { code: 'session_ended', step: 'claim' },
    })
    expect(await session.send(request)).toMatchObject({ status: 401, json: { code: 'session_ended' } })
  },
)

it.each([{ path: '/wallet' }, transfer])(
  'a revoked device is refused in a process that has its session cached: $path',
  async (request) => {
    expect((await session.send()).status).toBe(200)
    expect(changeDatabase('update devices set revoked_at = 1')).toBe(1)
    expect(await session.send(request)).toMatchObject({
      status: 401,
      json: { code: 'key_revoked', step: 'key' },
    })
    expect(await session.send(request)).toMatchObject({ status: 401, json: { code: 'key_revoked' } })
  },
)

it('a deleted session is refused in a process that has it cached', async () => {
  expect((await session.send()).status).toBe(200)
  expect(changeDatabase('delete from sessions')).toBe(1)
  // `unknown_session` where the service has noticed the change before the request came.
  expect(await session.send()).toMatchObject({
    status: 401,
    json: { code: expect.stringMatching(/^(?:session_ended|unknown_session)$/) },
  })
})

it.each([{ path: '/wallet' }, transfer])(
  'a user who was erased gets no subject key again: $path',
  async (request) => {
    const keys = 'select count(*) from subject_keys where subject_index <> zeroblob(8)'
    expect(changeDatabase(keys)).toBe(1)
    // Nothing is cached; then the session is, since its frame does not open, but no subject key.
    service = await service.restart()
    const frame = session.prepare().frame.slice()
    frame.set([(frame.at(-1) ?? 0) ^ 1], frame.length - 1)
    expect(await (await post(service, frame)).json()).toMatchObject({ code: 'cannot_open' })
    changeDatabase(`update sessions set ended_at = 1, end_reason = 'erased'`)
    changeDatabase('delete from subject_keys where subject_index <> zeroblob(8)')
    const received = await session.send(request, service)
    expect(received).toMatchObject({ status: 401, json: { code: 'session_ended' } })
    expect(changeDatabase(keys)).toBe(0)
  },
)

it('the response of a request that ran during an erasure creates no subject key', async () => {
  await service.close()
  let finish = (): void => {}
  const done = new Promise<void>((resolve) => {
    finish = resolve
  })
  let begun = (): void => {}
  const running = new Promise<void>((resolve) => {
    begun = resolve
  })
  const backend = {
    answer: async () => {
      begun()
      await done
      return { status: 200, fields: [], content: new Uint8Array(0) }
    },
  }
  service = await startTestService({ backend })
  session = await logIn(service)
  const received = session.send(transfer, service)
  await running
  changeDatabase(`update sessions set ended_at = 1, end_reason = 'erased'`)
  expect(changeDatabase('delete from subject_keys where subject_index <> zeroblob(8)')).toBe(1)
  finish()
  expect((await received).status).toBe(200)
  expect(changeDatabase('select count(*) from subject_keys where subject_index <> zeroblob(8)')).toBe(0)
})
