/** The contents of the log, over HTTP: every response has its leaf, and no leaf contains private data. */
import { expect, it } from 'vitest'
import { findField } from '../../../crypto/frames/binary-http.ts'
import { encodeBase64Url } from '../../../crypto/text.ts'
import { describeWithBothDatabases } from '../../support/both-databases.ts'
import { confirm, stepUpField, withStepUp } from '../../support/confirmation.ts'
import { sharedDatabase, sharedService, sharedSession } from '../../support/hooks.ts'
import type { ReceivedReply } from '../../support/raw-client.ts'
import { logIn, newDevice, post, prepareLogin, random, send, transferOf } from '../../support/raw-client.ts'
import { ofKind, type ReadLeaf, readLog, withStore } from '../../support/read-log.ts'

describeWithBothDatabases('the log of a service', (create) => {
  const openid = 'openid-canary-7d21'

  const database = sharedDatabase(create)
  const service = sharedService(() => ({
    environment: { ...database.environment, MINISEAL_LIMITS: 'user=1000/60' },
  }))
  const session = sharedSession(service, { openid })

  const receiptOf = (reply: ReceivedReply): string => findField(reply.fields, 'miniseal-receipt') ?? ''
  const hashOf = ({ row }: ReadLeaf): string => `:${Buffer.from(row.hash).toString('base64')}:`

  async function leafOf(reply: ReceivedReply): Promise<ReadLeaf> {
    const found = (await readLog(service.environment)).filter((leaf) => hashOf(leaf) === receiptOf(reply))
    if (found[0] === undefined || found.length > 1) throw new Error(`${found.length} leaves of a receipt`)
    return found[0]
  }

  it('the leaf of a safe request has its user, device, address, request and response', async () => {
    const reply = await session.send({ path: '/wallet?page=1' })
    const { leaf, groups, row } = await leafOf(reply)
    expect(leaf).toMatchObject({ kind: 'request', result: 'ok', retention: '1y', app: service.appid })
    expect(groups.core).toMatchObject({ method: 'GET', path: '/wallet?page=1', status: 200 })
    expect(groups.core).not.toHaveProperty('refusal')
    expect(groups.net).toMatchObject({ ip: '127.0.0.1', forwarded: 'false', user_agent: 'node' })
    expect(groups.pay).toMatchObject({
      request_size: 0,
      response_digest: findField(reply.fields, 'content-digest'),
    })
    const sid = encodeBase64Url(session.id)
    const { keyid } = session.device.signer
    expect(groups.sub).toEqual({ acr: 'session', device: keyid, session: sid, user: session.user })
    expect(groups.sig).toMatchObject({ keyid, public_key: session.device.x })
    expect(groups.sig?.base).toContain('"@path": /wallet\n')
    expect(row.detailExpiresAt).toBe(Math.floor(row.at / 1000) + 365 * 86_400)
  })

  it('the leaf of an unsafe request is retained for five years, contains its key and replaces the intent', async () => {
    const body = { payee: 'bob', amount: 5, currency: 'CNY' }
    const reply = await session.send({
      method: 'POST',
      path: '/wallet/transfers',
      body,
      key: 'key-of-a-transfer',
    })
    expect(reply.status).toBe(201)
    const { leaf, groups } = await leafOf(reply)
    expect(leaf).toMatchObject({ kind: 'request', result: 'ok', retention: '5y' })
    expect(groups.core).toMatchObject({ idempotency_key: '"key-of-a-transfer"', status: 201 })
    expect(groups.pay).toHaveProperty('request_digest')
    const again = await session.send({
      method: 'POST',
      path: '/wallet/transfers',
      body,
      key: 'key-of-a-transfer',
    })
    expect(receiptOf(again)).not.toBe(receiptOf(reply))
    const repeated = await leafOf(again)
    expect(repeated.groups.core).toMatchObject({ replayed: 'true', status: 201 })
    expect(await intents()).toBe(0)
  })

  async function intents(): Promise<number> {
    return await withStore(service.environment, async (store) => {
      return (await store.listIntents(Number.MAX_SAFE_INTEGER, 100)).length
    })
  }

  it('the log has a leaf for a request that the channel or the backend refused', async () => {
    const mismatch = { method: 'POST', path: '/wallet/transfers', key: 'key-of-a-transfer' } as const
    const other = await session.send({ ...mismatch, body: { payee: 'eve', amount: 1, currency: 'CNY' } })
    expect(other.json.code).toBe('idempotency_mismatch')
    const refused = await leafOf(other)
    expect(refused.leaf).toMatchObject({ kind: 'request', result: 'refused' })
    expect(refused.row.code).toBe('idempotency_mismatch')
    expect(refused.groups.core).toMatchObject({ refusal: 'idempotency_mismatch', step: 'idempotency' })
    const missing = await session.send({
      method: 'POST',
      path: '/wallet/transfers',
      key: undefined,
      body: {},
    })
    expect((await leafOf(missing)).row.code).toBe('idempotency_missing')
    const nothing = await session.send({ path: '/nothing-here' })
    const notFound = await leafOf(nothing)
    expect(notFound.leaf).toMatchObject({ kind: 'request', result: 'refused' })
    expect(notFound.groups.core).toMatchObject({ refusal: 'not_found', step: 'handler', status: 404 })
    expect(await intents()).toBe(0)
  })

  it('the log has a leaf for an unsafe request without a key', async () => {
    const reply = await session.send({ method: 'POST', path: '/sessions/current/token' })
    expect(reply.status).toBe(201)
    const subscription = await session.send({ method: 'POST', path: '/events/subscription', key: undefined })
    expect((await leafOf(subscription)).leaf).toMatchObject({ kind: 'request', retention: '5y' })
    expect(await intents()).toBe(0)
  })

  it('the log has a leaf for a login and one for its new device, with the device key', async () => {
    const device = newDevice()
    const prepared = await prepareLogin(service, { openid, device })
    const reply = await send(service, prepared)
    const { user, session: made } = reply.json
    const login = await leafOf(reply)
    expect(login.leaf).toMatchObject({ kind: 'login', result: 'ok', retention: '190d', app: service.appid })
    expect(login.groups.sub).toMatchObject({ user, session: made.id, device: device.signer.keyid })
    const added = ofKind(await readLog(service.environment), 'device-added').filter(
      ({ groups }) => groups.sub?.device === device.signer.keyid,
    )
    expect(added).toHaveLength(1)
    expect(added[0]?.groups.sig).toMatchObject({ keyid: device.signer.keyid, public_key: device.x })
    await logIn(service, { openid, device })
    const later = ofKind(await readLog(service.environment), 'device-added').filter(
      ({ groups }) => groups.sub?.device === device.signer.keyid,
    )
    expect(later).toHaveLength(1)
  })

  it('the leaf of a refused login belongs to no user and is found by its device', async () => {
    const device = newDevice()
    const reply = await send(service, await prepareLogin(service, { device, code: 'no-such-code' }))
    expect(reply.json.code).toBe('login_code_invalid')
    const { leaf, groups, row } = await leafOf(reply)
    expect(leaf).toMatchObject({ kind: 'refused', result: 'refused', retention: '190d' })
    expect(groups.core).toMatchObject({ refusal: 'login_code_invalid', step: 'login', path: '/sessions' })
    expect(groups.sub).toEqual({ device: device.signer.keyid })
    expect(row.userBlindIndex).toBeNull()
    expect(row.deviceBlindIndex).not.toBeNull()
  })

  it('the log has a leaf for a refusal in the clear and for a refusal before the claim', async () => {
    const before = ofKind(await readLog(service.environment), 'refused').length
    await post(service, random(64))
    await post(service, random(64), 'text/plain')
    const replay = session.prepare()
    await send(service, replay)
    const replayed = await send(service, replay)
    expect(replayed.json.code).toBe('replayed')
    expect((await leafOf(replayed)).leaf.kind).toBe('refused')
    const tampered = await session.send({
      after: (message) => ({ ...message, fields: message.fields.filter(([name]) => name !== 'signature') }),
    })
    expect((await leafOf(tampered)).row.code).toBe('signature_missing')
    const all = ofKind(await readLog(service.environment), 'refused')
    expect(
      all
        .map(({ row }) => row.code)
        .slice(before)
        .sort(),
    ).toEqual(['malformed_frame', 'malformed_frame', 'replayed', 'signature_missing'])
    const clear = all.slice(before).filter(({ row }) => row.code === 'malformed_frame')
    for (const { groups } of clear) {
      expect(groups.core).toMatchObject({ refusal: 'malformed_frame', step: 'frame', status: 400 })
    }
  })

  it('the log has a leaf for each end of a session: logout, another one, all others, a device', async () => {
    const person = 'openid-of-many-sessions'
    const [one, two, three] = [
      await logIn(service, { openid: person }),
      await logIn(service, { openid: person }),
      await logIn(service, { openid: person }),
    ]
    await one.send({ method: 'DELETE', path: `/sessions/${encodeBase64Url(two.id)}` })
    await one.send({ method: 'DELETE', path: `/devices/${three.device.signer.keyid}` })
    await one.send({ method: 'DELETE', path: '/devices' })
    await one.send({ method: 'DELETE', path: '/sessions' })
    await one.send({ method: 'DELETE', path: '/sessions/current' })
    const ends = ofKind(await readLog(service.environment), 'session-ended').filter(
      ({ groups }) => groups.sub?.user === one.user,
    )
    expect(ends.map(({ leaf }) => leaf.facts)).toEqual([
      { by: 'user', reason: 'revoked', scope: 'session' },
      { by: 'user', reason: 'device-revoked', scope: 'device' },
      { by: 'user', reason: 'device-revoked', scope: 'other-devices' },
      { by: 'user', reason: 'revoked', scope: 'other-sessions' },
      { by: 'user', reason: 'logout', scope: 'session' },
    ])
    expect(ends[0]?.groups.sub).toEqual({ user: one.user, session: encodeBase64Url(two.id) })
    expect(ends[1]?.groups.sub).toEqual({ user: one.user, device: three.device.signer.keyid })
    // What was refused has ended nothing.
    const gone = await one.send({ method: 'DELETE', path: `/sessions/${encodeBase64Url(two.id)}` })
    expect(gone.status).toBe(401)
    expect(ofKind(await readLog(service.environment), 'session-ended')).toHaveLength(ends.length)
  })

  it('the leaf of a confirmed request has the acr soter and the SOTER counter', async () => {
    const transfer = transferOf(200_000, { key: 'key-of-a-large-transfer' })
    const challenged = await session.send(transfer)
    const { row, leaf, groups } = await leafOf(challenged)
    expect(row.code).toBe('step_up_required')
    expect(leaf).toMatchObject({ kind: 'request', result: 'refused' })
    expect(groups.core).toMatchObject({ refusal: 'step_up_required', step: 'handler', status: 401 })
    const { challenge } = challenged.json
    const result = await confirm(service, openid, challenge)
    const done = await session.send(withStepUp(transfer, stepUpField(challenge, result)))
    expect(done.status).toBe(201)
    const { sub } = (await leafOf(done)).groups
    expect(sub).toMatchObject({ acr: 'soter', soter_counter: JSON.parse(result.resultJSON).counter })
  })

  it('the log contains no body, code, openid, session key, phone number or key, and a token only in signed text', async () => {
    const canary = 'body-canary-93f1'
    const code = await service.code(openid)
    const device = newDevice()
    const other = await logIn(service, { openid, code, device })
    await other.send({
      method: 'POST',
      path: '/wallet/transfers',
      body: { payee: 'bob', amount: 1, currency: 'CNY', note: canary },
    })
    const phone = await service.sandbox('/sandbox/phone-codes', { appid: service.appid, openid })
    const { code: phoneCode, phoneNumber } = phone as { code: string; phoneNumber: string }
    const phoneReply = await other.send({ method: 'POST', path: '/phone-number', body: { code: phoneCode } })
    expect(phoneReply.json.phone_number).toBe(phoneNumber)
    expect((await leafOf(phoneReply)).groups.pay).not.toHaveProperty('response_digest')
    const [, , signatureOfToken = ''] = other.token.split('.')
    const leaves = await readLog(service.environment)
    const secret = Buffer.from(device.signer.secretKey)
    const forbidden = [canary, code, openid, phoneCode, phoneNumber, phoneNumber.slice(-8)]
    forbidden.push(secret.toString('latin1'), secret.toString('base64'), encodeBase64Url(other.keys.c2s))
    for (const { text, groups, leaf } of leaves) {
      for (const word of forbidden) expect(text, leaf.kind).not.toContain(word)
      const withoutBase = text.replaceAll(JSON.stringify(groups.sig?.base ?? 'no base').slice(1, -1), '')
      expect(withoutBase, leaf.kind).not.toContain(signatureOfToken)
    }
  })

  it('a leaf contains no personal data', async () => {
    for (const { row, leaf } of await readLog(service.environment)) {
      // The origin of a log is the service's own address.
      if (leaf.kind === 'log-started') continue
      const bytes = Buffer.from(row.leaf).toString('latin1')
      for (const word of [session.user, session.device.signer.keyid, '127.0.0.1', '/wallet', openid]) {
        expect(bytes, leaf.kind).not.toContain(word)
      }
    }
  })
})
