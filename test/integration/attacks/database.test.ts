/** An attacker with read or write access to the database and without the master key. */
import { createHash, randomBytes } from 'node:crypto'
import { expect, it, vi } from 'vitest'
import { auditor } from '../../../service/cli/commands/auditor.ts'
import { makeTraffic, newAuditor } from '../../support/audit-traffic.ts'
import { describeWithBothDatabases, disturb } from '../../support/both-databases.ts'
import { runCommand, runKeys } from '../../support/command.ts'
import { ownService, sharedDatabase, sharedService, sharedSession } from '../../support/hooks.ts'
import { logIn, send } from '../../support/raw-client.ts'
import { ofKind, readLog, withStore } from '../../support/read-log.ts'
import { startTestService } from '../../support/service.ts'
import { stolenKey, stolenKeyring } from '../../support/stolen.ts'

describeWithBothDatabases('who has the database', (create) => {
  const isSqlite = (): boolean => service.environment.MINISEAL_DATABASE?.startsWith('sqlite:') ?? false

  const database = sharedDatabase(create)
  const service = sharedService(() => ({ environment: database.environment }))
  const alice = sharedSession(service, { openid: 'alice' })
  const mallory = sharedSession(service, { openid: 'mallory' })

  /** A literal of bytes. */
  const bytes = (value: Uint8Array): string => {
    const hex = Buffer.from(value).toString('hex')
    return isSqlite() ? `x'${hex}'` : `'\\x${hex}'::bytea`
  }
  const transfer = { method: 'POST', path: '/wallet/transfers' } as const
  const paying = (amount: number) => ({ ...transfer, body: { payee: 'bob', amount, currency: 'CNY' } })
  const balance = async (): Promise<number> => (await alice.send({ path: '/wallet' })).json.balance

  it('a database thief cannot run a service with another master key', async () => {
    const { MINISEAL_DATABASE } = service.environment
    const own = randomBytes(32).toString('base64')
    const environment = { MINISEAL_DATABASE: MINISEAL_DATABASE ?? '', MINISEAL_MASTER_KEY: own }
    await expect(startTestService({ environment })).rejects.toThrow(/master key/i)
  })

  it('the database contains nothing that signs an auditor in', async () => {
    await newAuditor(service, 'lin', 'discloser')
    const row = (await withStore(service.environment, (store) => store.listAuditors())).find(
      ({ name }) => name === 'lin',
    )
    const hash = Buffer.from(row?.tokenHash ?? []).toString('base64url')
    for (const token of [hash, `msa_${hash}`]) {
      const signIn = await fetch(`${service.url}/audit/api/session`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ token }),
      })
      expect(signIn.status).toBe(401)
      const headers = { authorization: `Bearer ${token}` }
      expect((await fetch(`${service.url}/log/tile/entries/000.p/1`, { headers })).status).toBe(401)
    }
    const cookie = `miniseal-audit=${hash}.${service.now()}.${service.now()}.${randomBytes(32).toString('base64')}`
    expect((await fetch(`${service.url}/audit/api/session`, { headers: { cookie } })).status).toBe(401)
  })

  it('a database writer cannot move wrapped session keys to another session', async () => {
    const victim = await logIn(service, { openid: 'victim' })
    const of = (id: Uint8Array): string => `(select c2s_wrapped from sessions where id = ${bytes(id)})`
    await disturb(
      service,
      `update sessions set c2s_wrapped = ${of(mallory.id)} where id = ${bytes(victim.id)}`,
    )
    // Sealed with the keys that stand in the victim's row now.
    const request = mallory.prepare()
    const frame = request.frame.slice()
    frame.set(victim.id, 2)
    const reply = await send(service, { ...request, frame })
    expect(reply).toMatchObject({ kind: 'clear' })
    expect((await victim.send()).kind).toBe('clear')
    expect((await alice.send()).status).toBe(200)
  })

  it('a database writer cannot act as another user by swapping device keys or sessions', async () => {
    const eve = await logIn(service, { openid: 'eve' })
    const victim = await logIn(service, { openid: 'victim of eve' })
    const device = victim.device.signer.keyid
    await disturb(
      service,
      `update devices set public_key = ${bytes(eve.device.publicKey)} where id = '${device}';
       update sessions set user_id = '${victim.user}', device_id = '${device}' where id = ${bytes(eve.id)}`,
    )
    const asVictim = { ...eve.device.signer, keyid: device }
    for (const signer of [eve.device.signer, asVictim]) {
      for (const token of [eve.token, victim.token]) {
        const reply = await eve.send({ ...paying(1), signer, token })
        expect(reply.status).toBe(401)
        const renewal = await eve.send({ method: 'POST', path: '/sessions/current/token', signer, token })
        expect(renewal.status).toBe(401)
      }
    }
  })

  it('a database writer can revive an ended session, and the log shows its end and later requests', async () => {
    const ended = await logIn(service, { openid: 'ended' })
    expect((await ended.send({ method: 'DELETE', path: '/sessions/current' })).status).toBe(204)
    expect((await ended.send()).json.code).toBe('session_ended')
    await disturb(
      service,
      `update sessions set ended_at = null, end_reason = null where id = ${bytes(ended.id)}`,
    )
    expect((await ended.send(paying(3))).status).toBe(201)
    const leaves = await readLog(service.environment)
    const session = Buffer.from(ended.id).toString('base64url')
    const timeOf = (kind: 'session-ended' | 'request'): number =>
      Math.max(
        ...ofKind(leaves, kind)
          .filter(({ groups }) => groups.sub?.session === session)
          .map(({ leaf }) => leaf.at),
      )
    expect(timeOf('request')).toBeGreaterThanOrEqual(timeOf('session-ended'))
    expect(timeOf('session-ended')).toBeGreaterThan(0)
  })

  it('a database writer can undo a device revocation, and the log shows the revocation with its key', async () => {
    const lost = await logIn(service, { openid: 'lost' })
    const other = await logIn(service, { openid: 'lost' })
    const device = lost.device.signer.keyid
    expect((await other.send({ method: 'DELETE', path: `/devices/${device}` })).status).toBe(204)
    expect((await lost.send()).json.code).toBe('key_revoked')
    await disturb(service, `update devices set revoked_at = null where id = '${device}'`)
    const back = await logIn(service, { openid: 'lost', device: lost.device })
    expect((await back.send()).status).toBe(200)
    const leaves = await readLog(service.environment)
    const ends = ofKind(leaves, 'session-ended').filter(({ groups }) => groups.sub?.device === device)
    const logins = ofKind(leaves, 'login').filter(({ groups }) => groups.sub?.device === device)
    expect(ends.length).toBeGreaterThan(0)
    expect(logins).toHaveLength(2)
  })

  it('a database writer cannot repeat a request by deleting its nonce, because its idempotency key has the response', async () => {
    const before = await balance()
    const prepared = alice.prepare(paying(5))
    const first = await send(service, prepared)
    expect((await send(service, prepared)).json.code).toBe('replayed')
    await disturb(service, 'delete from nonces')
    const again = await send(service, prepared)
    expect(again.json).toEqual(first.json)
    expect(again.fields).toContainEqual(['idempotency-replayed', 'true'])
    expect(await balance()).toBe(before - 5)
  })

  it('a database writer can repeat a request within two minutes by deleting nonce and idempotency record, and the log shows one signature twice', async () => {
    const own = await logIn(service, { openid: 'repeated' })
    const { balance: before } = (await own.send({ path: '/wallet' })).json
    const prepared = own.prepare(paying(5))
    expect((await send(service, prepared)).status).toBe(201)
    await disturb(service, 'delete from nonces; delete from idempotency_keys')
    const again = await send(service, prepared)
    expect(again.status).toBe(201)
    expect(again.fields.map(([name]) => name)).not.toContain('idempotency-replayed')
    // This backend keeps the key with its own record, and so has one effect.
    expect((await own.send({ path: '/wallet' })).json.balance).toBe(before - 5)
    const signatures = ofKind(await readLog(service.environment), 'request')
      .filter(({ groups }) => groups.sub?.user === own.user && groups.core?.method === 'POST')
      .map(({ groups }) => groups.sig?.signature)
    expect(signatures).toHaveLength(2)
    expect(new Set(signatures).size).toBe(1)
    service.advanceClock(131)
    await disturb(service, 'delete from nonces; delete from idempotency_keys')
    expect((await send(service, prepared)).json.code).toBe('window_invalid')
    service.advanceClock(-131)
  })

  it('a database writer can falsify the outcome of a request by deleting its idempotency record', async () => {
    const own = await logIn(service, { openid: 'misled' })
    const { balance: before } = (await own.send({ path: '/wallet' })).json
    expect((await own.send({ ...paying(5), key: 'paid-already' })).status).toBe(201)
    await disturb(service, 'delete from idempotency_keys')
    const path = `/outcomes/${Buffer.from('paid-already').toString('base64url')}`
    const cancellation = await own.send({ method: 'DELETE', path, key: undefined })
    expect(cancellation.json).toEqual({ outcome: 'none', cancelled: true })
    expect((await own.send({ path: '/wallet' })).json.balance).toBe(before - 5)
    const entries = ofKind(await readLog(service.environment), 'request').filter(
      ({ groups, leaf }) =>
        groups.sub?.user === own.user && leaf.result === 'ok' && groups.core?.method !== 'GET',
    )
    expect(entries.map(({ groups }) => groups.core?.method)).toEqual(['POST', 'DELETE'])
  })

  it('a database writer can remove the step-up requirement of a risk policy from a session', async () => {
    const policy = '0=allow,1=allow,2=allow,3=step-up,4=refuse,unavailable=allow'
    const wary = await ownService({ environment: { MINISEAL_RISK_POLICY: policy } })
    await wary.sandbox('/sandbox/risk-ranks', { appid: wary.appid, openid: 'alice', risk_rank: 3 })
    const marked = await logIn(wary, { openid: 'alice' })
    expect((await marked.send(paying(5))).json.code).toBe('step_up_required')
    await disturb(wary, 'update sessions set required_acr = null')
    await vi.waitFor(async () => expect((await marked.send(paying(5))).status).toBe(201), {
      timeout: 90_000,
    })
  })

  it('a database writer cannot move an event to another user', async () => {
    const giver = await logIn(service, { openid: 'giver' })
    const taker = await logIn(service, { openid: 'taker' })
    for (const { user } of [giver, taker]) await service.push(user, { type: 'paid', data: { to: user } })
    const of = (user: string): string => `(select payload_wrapped from events where user_id = '${user}')`
    await disturb(
      service,
      `update events set payload_wrapped = ${of(giver.user)} where user_id = '${taker.user}'`,
    )
    expect((await taker.send({ path: '/events' })).status).toBe(500)
    expect((await giver.send({ path: '/events' })).json.events).toHaveLength(1)
  })

  it('a database writer can restore an ended service key, and log and key list show its end', async () => {
    const old = (await stolenKey(service, 'token')).kid
    await runKeys(['rotate', 'token'], service.environment)
    await runKeys(['revoke', 'token', old, '--now'], service.environment)
    const inUse = async (): Promise<readonly string[]> =>
      (await stolenKeyring(service)).published('token', service.now() + 60).map(({ kid }) => kid)
    expect(await inUse()).not.toContain(old)
    await disturb(service, `update service_keys set not_after = 253402300799 where kid = '${old}'`)
    expect(await inUse()).toContain(old)
    const facts = ofKind(await readLog(service.environment), 'key-rotated').map(({ leaf }) => leaf.facts)
    expect(facts.some((each) => JSON.stringify(each).includes(old))).toBe(true)
    expect((await runKeys(['list'], service.environment)).out).toContain(old)
  })

  it('a database writer cannot create an auditor account or extend its role or lifetime', async () => {
    await makeTraffic(service)
    const reader = await newAuditor(service, 'reader-for-a-day', 'reader')
    const made = `msa_${randomBytes(32).toString('base64url')}`
    const digest = new Uint8Array(createHash('sha256').update(made).digest())
    const times = `${service.now()}, ${service.now() + 86_400}`
    await disturb(
      service,
      `insert into auditors (name, token_hash, role, created_at, expires_at) values ('unlisted', ${bytes(digest)}, 'discloser', ${times})`,
    )
    const read = async (token: string): Promise<number> => {
      const headers = { authorization: `Bearer ${token}` }
      return (await fetch(`${service.url}/log/tile/entries/000.p/1`, { headers })).status
    }
    expect(await read(made)).toBe(401)
    expect(await read(reader)).toBe(200)
    await disturb(service, `update auditors set role = 'discloser' where name = 'reader-for-a-day'`)
    expect(await read(reader)).toBe(401)
  })

  it('a database writer can restore a revoked auditor account, and its reads are logged and the list shows it', async () => {
    const token = await newAuditor(service, 'dismissed', 'reader')
    const headers = { authorization: `Bearer ${token}` }
    const read = async (): Promise<number> =>
      (await fetch(`${service.url}/log/tile/entries/000.p/1`, { headers })).status
    expect((await runCommand(auditor, ['revoke', 'dismissed'], service.environment)).code).toBe(0)
    expect(await read()).toBe(401)
    await disturb(service, `update auditors set revoked_at = null where name = 'dismissed'`)
    expect(await read()).toBe(200)
    const reads = ofKind(await readLog(service.environment), 'audit-read').map(({ leaf }) => leaf.facts)
    expect(reads).toContainEqual(expect.objectContaining({ auditor: 'dismissed' }))
    const { out } = await runCommand(auditor, ['list'], service.environment)
    expect(out).toMatch(/dismissed +reader +active/)
  })
})
