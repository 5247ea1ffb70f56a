/** Two services on one database: a response of one holds for the other from its next request on. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { publishedSet } from '../../support/forwarded.ts'
import { logIn, newDevice, prepareLogin, type ReceivedReply, send } from '../../support/raw-client.ts'
import type { TestService } from '../../support/service.ts'
import { startTwoServices, type TwoServices } from '../../support/two-services.ts'
import { describeOnBothEngines, type TestDatabase } from '../store/engines.ts'

describeOnBothEngines('two processes', (create) => {
  let database: TestDatabase
  let services: TwoServices
  let here: TestService
  let there: TestService
  const effects: string[] = []

  /** Says which of the two had the effect. */
  const backendOf = (name: string) => ({
    answer: async ({ path }: { path: string }) => {
      effects.push(`${name} ${path}`)
      return { status: 201, fields: [['x-process', name] as const], content: new Uint8Array(0) }
    },
    close: async () => {},
  })

  beforeAll(async () => {
    database = await create()
    services = await startTwoServices(database, { MINISEAL_MAX_DEVICES: '3' }, backendOf)
    ;({ here, there } = services)
  })

  afterAll(async () => {
    await services.close()
    await database.remove()
  })

  function expectRefused(reply: ReceivedReply, code: string, status: number): void {
    expect(reply).toMatchObject({ kind: 'sealed', status, json: { code } })
  }

  it('two processes that start together create one set of keys', async () => {
    expect(there.url).not.toBe(here.url)
    expect(there.origin).toBe(here.origin)
    expect(here.roots).toHaveLength(1)
    expect(there.roots).toEqual(here.roots)
    for (const name of ['jwks.json', 'miniseal-keys.json'] as const)
      expect(await publishedSet(there, name)).toEqual(await publishedSet(here, name))
    const rows = await database.sql('select kind from service_keys')
    const kinds = rows.map(({ kind }) => kind).sort()
    expect(kinds).toEqual([...new Set(kinds)])
    expect(kinds).toContain('agreement')
  })

  it('both processes serve a session that one of them opened', async () => {
    const session = await logIn(here)
    expect((await session.send({ path: '/things' })).fields).toContainEqual(['x-process', 'here'])
    expect((await session.send({ path: '/things' }, there)).fields).toContainEqual(['x-process', 'there'])
    const renewed = await session.send({ method: 'POST', path: '/sessions/current/token' }, there)
    session.token = renewed.json.access_token
    expect((await session.send({ path: '/things' }, here)).status).toBe(201)
  })

  it('a frame that one process has accepted is refused by the other: replayed', async () => {
    const session = await logIn(here)
    const prepared = session.prepare({ method: 'POST', path: '/replayed', body: {} })
    expect((await send(here, prepared)).status).toBe(201)
    expectRefused(await send(there, prepared), 'replayed', 409)
    expect(effects.filter((effect) => effect.endsWith('/replayed'))).toEqual(['here /replayed'])
  })

  it('of many copies of a frame that reach both processes at once exactly one is accepted', async () => {
    const session = await logIn(there)
    const prepared = session.prepare({ method: 'POST', path: '/copies', body: {} })
    const reply = await Promise.all(
      Array.from({ length: 20 }, (_, i) => send(i % 2 === 0 ? here : there, prepared)),
    )
    expect(reply.filter(({ status }) => status === 201)).toHaveLength(1)
    expect(reply.filter(({ json }) => json?.code === 'replayed')).toHaveLength(19)
    expect(effects.filter((effect) => effect.endsWith('/copies'))).toHaveLength(1)
  })

  it('a login code is exchanged once by whichever process receives it', async () => {
    const code = await here.code()
    await logIn(here, { code })
    expectRefused(await send(there, await prepareLogin(there, { code })), 'login_code_used', 401)
  })

  it('each process replays the stored responses of the other, and the effect happens once', async () => {
    const session = await logIn(here)
    const parts = { method: 'POST', path: '/once', body: { size: 1 }, key: 'once' }
    await session.send(parts, here)
    const again = await session.send(parts, there)
    expect(again.status).toBe(201)
    expect(again.fields).toContainEqual(['x-process', 'here'])
    expect(again.fields).toContainEqual(['idempotency-replayed', 'true'])
    expectRefused(await session.send({ ...parts, body: { size: 2 } }, there), 'idempotency_mismatch', 422)
    expect(effects.filter((effect) => effect.endsWith('/once'))).toEqual(['here /once'])
  })

  it('a session that was ended at one process is refused by the other at its next request', async () => {
    const openid = 'openid-sessions'
    const session = await logIn(here, { openid })
    const other = await logIn(there, { openid })
    // The session is in use over both, so both would have it if they kept anything.
    for (const process of [here, there]) expect((await session.send({}, process)).status).toBe(201)
    const path = `/sessions/${Buffer.from(session.id).toString('base64url')}`
    expect((await other.send({ method: 'DELETE', path }, there)).status).toBe(204)
    for (const process of [here, there]) expectRefused(await session.send({}, process), 'session_ended', 401)
    const third = await logIn(here, { openid })
    expect((await other.send({ method: 'DELETE', path: '/sessions' }, there)).json).toEqual({ ended: 1 })
    expectRefused(await third.send({}, here), 'session_ended', 401)
    expect((await other.send({}, here)).status).toBe(201)
  })

  it('a device that was revoked at one process is refused by the other at its next request and login', async () => {
    const openid = 'openid-devices'
    const stolen = await logIn(here, { openid })
    const phone = await logIn(there, { openid })
    expect((await stolen.send({}, here)).status).toBe(201)
    const path = `/devices/${stolen.device.signer.keyid}`
    expect((await phone.send({ method: 'DELETE', path }, there)).status).toBe(204)
    expectRefused(await stolen.send({}, here), 'key_revoked', 401)
    const login = await prepareLogin(here, { openid, device: stolen.device })
    expectRefused(await send(here, login), 'key_revoked', 401)
    const second = await logIn(here, { openid })
    expect((await phone.send({ method: 'DELETE', path: '/devices' }, there)).json).toEqual({ revoked: 1 })
    expectRefused(await second.send({}, here), 'key_revoked', 401)
  })

  it('no request of a session has an effect after its end was acknowledged, at either process', async () => {
    const openid = 'openid-race'
    const session = await logIn(here, { openid })
    const other = await logIn(there, { openid })
    let isOver = false
    const late: ReceivedReply[] = []
    const requests = Array.from({ length: 8 }, async (_, i) => {
      for (let turn = 0; turn < 12; turn++) {
        const isLate = isOver
        const reply = await session.send({ path: '/race' }, i % 2 === 0 ? here : there)
        if (isLate) late.push(reply)
      }
    })
    const end = other.send({ method: 'DELETE', path: `/devices/${session.device.signer.keyid}` }, there)
    expect((await end).status).toBe(204)
    isOver = true
    await Promise.all(requests)
    expect(late.length).toBeGreaterThan(0)
    for (const reply of late) expectRefused(reply, 'key_revoked', 401)
  })

  it('both processes together admit no more new devices of a user than the limit', async () => {
    const openid = 'openid-limit'
    const logins = await Promise.all(
      Array.from({ length: 12 }, async (_, i) => {
        const process = i % 2 === 0 ? here : there
        return { process, prepared: await prepareLogin(process, { openid, device: newDevice() }) }
      }),
    )
    const reply = await Promise.all(logins.map(({ process, prepared }) => send(process, prepared)))
    expect(reply.filter(({ status }) => status === 201)).toHaveLength(3)
    expect(reply.filter(({ json }) => json.code === 'device_key_refused')).toHaveLength(9)
  })
})
