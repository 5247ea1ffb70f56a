/** What cannot be logged is not done: 503, no effect, and a gap in the log once it can be written again. */
import Database from 'better-sqlite3'
import { Client } from 'pg'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type Field, findField } from '../../../crypto/frames/binary-http.ts'
import { stepUpRequired } from '../../../service/gateway/step-up.ts'
import { describeWithBothDatabases, disturb, type ServiceDatabase } from '../../support/both-databases.ts'
import { logIn, post, prepareLogin, type RawSession, random, send } from '../../support/raw-client.ts'
import { ofKind, readLog } from '../../support/read-log.ts'
import { type OwnService, startTestService, type TestService } from '../../support/service.ts'

/** Holds every writer back, as a write that hangs does. @returns lets them go */
async function hang(service: TestService): Promise<() => Promise<void>> {
  const { MINISEAL_DATABASE: url = '' } = service.environment
  if (url.startsWith('sqlite:')) {
    const connection = new Database(url.slice('sqlite:'.length))
    connection.exec('begin immediate')
    return async () => {
      connection.exec('rollback')
      connection.close()
    }
  }
  const client = new Client({ connectionString: url })
  await client.connect()
  await client.query('begin')
  await client.query('lock table tlog_intents, tlog_pending in access exclusive mode')
  return async () => {
    await client.query('rollback')
    await client.end()
  }
}

describeWithBothDatabases('a log that cannot be written', (create) => {
  let database: ServiceDatabase
  let service: OwnService
  let session: RawSession
  let seen: string[] = []
  // What names a leaf is the channel's own word.
  const forged: readonly Field[] = [['miniseal-receipt', ':Zm9yZ2Vk:']]

  beforeEach(async () => {
    seen = []
    database = await create()
    const backend = {
      answer: async ({ method, path }: { method: string; path: string }) => {
        seen.push(`${method} ${path}`)
        if (path === '/careful') throw stepUpRequired('confirm this')
        return { status: 200, fields: forged, content: new Uint8Array(0) }
      },
    }
    service = await startTestService({
      environment: database.environment,
      backend,
      statementTimeout: 500,
    })
    session = await logIn(service)
  })

  afterEach(async () => {
    await service.close()
    await database.remove()
  })

  const pay = (key: string) => session.send({ method: 'POST', path: '/pay', body: {}, key })
  const unavailable = { kind: 'sealed', status: 503, json: { code: 'unavailable', retryable: true } }

  it('the service executes no unsafe request while the log cannot be written, and records the gap with the next one', async () => {
    await disturb(service, 'alter table tlog_intents rename to gone')
    for (const key of ['one', 'two']) expect(await pay(key)).toMatchObject(unavailable)
    expect(seen).toEqual([])
    await disturb(service, 'alter table gone rename to tlog_intents')
    const reply = await pay('one')
    expect(reply.status).toBe(200)
    expect(findField(reply.fields, 'miniseal-receipt')).toBeDefined()
    expect(seen).toEqual(['POST /pay'])
    const gaps = ofKind(await readLog(service.environment), 'gap')
    expect(gaps.map(({ leaf }) => leaf)).toMatchObject([{ result: 'unknown', facts: { n: 2 } }])
    const { from, to } = gaps[0]?.leaf.facts ?? {}
    expect(Number(from)).toBeLessThanOrEqual(Number(to))
    expect(Number(to)).toBeLessThanOrEqual(gaps[0]?.leaf.at ?? 0)
  })

  it('the service sends no response to a safe request that cannot be logged', async () => {
    await disturb(service, 'alter table tlog_pending rename to gone')
    const reply = await session.send({ path: '/read' })
    expect(reply).toMatchObject(unavailable)
    expect(findField(reply.fields, 'miniseal-receipt')).toBeUndefined()
    await disturb(service, 'alter table gone rename to tlog_pending')
    expect((await session.send({ path: '/read' })).status).toBe(200)
    expect(ofKind(await readLog(service.environment), 'gap').map(({ leaf }) => leaf.facts?.n)).toEqual([1])
  })

  const noStaging = () =>
    disturb(
      service,
      `create trigger no_staging before insert on tlog_pending begin select raise(abort, 'disk full'); end`,
      `create function no_staging() returns trigger language plpgsql as $$ begin raise exception 'read-only' using errcode = '25006'; end $$;
       create trigger no_staging before insert on tlog_pending for each row execute function no_staging()`,
    )

  it('a request that ran and could not be logged has an unknown outcome, keeps its intent and is not run again', async () => {
    await noStaging()
    expect(await pay('once')).toMatchObject({ status: 503, json: { outcome: 'unknown' } })
    expect(seen).toEqual(['POST /pay'])
    await disturb(service, 'drop trigger no_staging', 'drop trigger no_staging on tlog_pending')
    expect(await pay('once')).toMatchObject({ status: 409, json: { code: 'idempotency_in_progress' } })
    expect(seen).toEqual(['POST /pay'])
  })

  it('a stored response is sent only after the replay is logged', async () => {
    expect((await pay('stored')).status).toBe(200)
    await noStaging()
    const reply = await pay('stored')
    expect(reply).toMatchObject({ ...unavailable, json: { code: 'unavailable', step: 'idempotency' } })
    expect(reply.json).not.toHaveProperty('outcome')
    expect(findField(reply.fields, 'idempotency-replayed')).toBeUndefined()
    await disturb(service, 'drop trigger no_staging', 'drop trigger no_staging on tlog_pending')
    const again = await pay('stored')
    expect(again.status).toBe(200)
    expect(findField(again.fields, 'idempotency-replayed')).toBe('true')
    expect(seen).toEqual(['POST /pay'])
  })

  it('the service sends no step-up challenge that was not stored', async () => {
    const careful = { method: 'POST', path: '/careful', body: {}, key: 'careful' }
    await noStaging()
    const reply = await session.send(careful)
    expect(reply).toMatchObject(unavailable)
    expect(reply.json).not.toHaveProperty('challenge')
    await disturb(service, 'drop trigger no_staging', 'drop trigger no_staging on tlog_pending')
    expect((await session.send({ ...careful, key: 'next' })).json).toHaveProperty('challenge')
  })

  it('the service removes the receipt field from the response of a backend', async () => {
    const reply = await pay('forged')
    expect(reply.status).toBe(200)
    const fields = reply.fields.filter(([name]) => name === 'miniseal-receipt')
    expect(fields).toHaveLength(1)
    expect(fields[0]?.[1]).toMatch(/^:[A-Za-z0-9+/]{43}=:$/)
  })

  it('the service accepts no login that cannot be logged', async () => {
    const prepared = await prepareLogin(service)
    await disturb(service, 'alter table tlog_pending rename to gone')
    expect(await send(service, prepared)).toMatchObject(unavailable)
    await disturb(service, 'alter table gone rename to tlog_pending')
    expect(ofKind(await readLog(service.environment), 'login')).toHaveLength(1)
    expect(ofKind(await readLog(service.environment), 'device-added')).toHaveLength(1)
  })

  it('refusals keep their codes while the log cannot be written, and the gap entry counts them', async () => {
    await disturb(service, 'alter table tlog_pending rename to gone')
    const clear = await post(service, random(64))
    expect(clear.status).toBe(400)
    expect(await clear.json()).toMatchObject({ code: 'malformed_frame' })
    const unsigned = await session.send({
      after: (message) => ({ ...message, fields: message.fields.filter(([name]) => name !== 'signature') }),
    })
    expect(unsigned).toMatchObject({ status: 401, json: { code: 'signature_missing' } })
    await disturb(service, 'alter table gone rename to tlog_pending')
    await session.send({ path: '/read' })
    const leaves = await readLog(service.environment)
    expect(ofKind(leaves, 'gap').map(({ leaf }) => leaf.facts?.n)).toEqual([2])
    expect(ofKind(leaves, 'refused')).toEqual([])
  })

  it('the service refuses requests while a write hangs and continues afterwards', async () => {
    const release = await hang(service)
    const waiting = pay('hung')
    expect(await waiting).toMatchObject(unavailable)
    await release()
    expect(seen).toEqual([])
    expect((await pay('hung')).status).toBe(200)
    expect(seen).toEqual(['POST /pay'])
    expect(ofKind(await readLog(service.environment), 'gap').map(({ leaf }) => leaf.facts?.n)).toEqual([1])
  }, 60_000)

  it('the service writes a pending gap entry when it stops', async () => {
    await disturb(service, 'alter table tlog_pending rename to gone')
    await post(service, random(64))
    await disturb(service, 'alter table gone rename to tlog_pending')
    await service.stop()
    const gaps = ofKind(await readLog(service.environment), 'gap')
    expect(gaps.map(({ leaf }) => leaf.facts?.n)).toEqual([1])
  })
})
