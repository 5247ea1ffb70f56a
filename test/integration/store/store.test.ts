/** The contract of single writes and reads, on both engines. */
import { expect, test } from 'vitest'
import { describeOnBothEngines, openForEach } from './engines.ts'
import {
  bytes,
  claimIdempotency,
  claimLoginCode,
  claimNonce,
  DAY,
  endServiceKey,
  endSession,
  HOUR,
  insertServiceKey,
  insertSession,
  login,
  NOW,
  putDevice,
  putUser,
  touchSession,
} from './records.ts'

describeOnBothEngines('store', (create) => {
  const at = openForEach(create)
  const { expectCommitted, expectRefused } = at

  test('a nonce is claimed once', async () => {
    await expectCommitted(claimNonce(1))
    await expectRefused(claimNonce(1))
    await expectRefused(claimNonce(1, NOW + 9999))
  })

  test('the same nonce in another scope and another nonce in the same scope are claimed independently', async () => {
    await expectCommitted(claimNonce(1), { ...claimNonce(1), scope: 'other' }, claimNonce(2))
  })

  test('a nonce of another length than 16 bytes is refused', async () => {
    await expectRefused({ ...claimNonce(1), nonce: bytes(15, 1) })
    await expectRefused({ ...claimNonce(1), nonce: bytes(17, 1) })
  })

  test('a login code is claimed once', async () => {
    await expectCommitted(claimLoginCode(1))
    await expectRefused(claimLoginCode(1))
    await expectCommitted(claimLoginCode(2))
  })

  test('a user is inserted, then updated, and is read back byte for byte', async () => {
    await expectCommitted(putUser())
    expect(await at.store.findUser('user-1')).toEqual({
      id: 'user-1',
      app: 'wxapp',
      openidWrapped: bytes(40, 1),
      sessionKeyWrapped: bytes(48, 2),
      createdAt: NOW,
      updatedAt: NOW,
    })
    await expectCommitted({ ...putUser('user-1', NOW + 9), sessionKeyWrapped: bytes(48, 9) })
    expect(await at.store.findUser('user-1')).toMatchObject({
      sessionKeyWrapped: bytes(48, 9),
      createdAt: NOW,
      updatedAt: NOW + 9,
    })
    expect(await at.store.findUser('nobody')).toBeUndefined()
  })

  test('a user of one app is refused for another app', async () => {
    await expectCommitted(putUser())
    await expectRefused({ ...putUser(), app: 'another' })
  })

  test('a device is inserted and is read back byte for byte', async () => {
    await expectCommitted(putUser(), putDevice())
    expect(await at.store.findDevice('device-1')).toEqual({
      id: 'device-1',
      user: 'user-1',
      publicKey: bytes(32, 3),
      name: null,
      platform: 'ios',
      createdAt: NOW,
      lastSeenAt: NOW,
      revokedAt: null,
    })
    expect(await at.store.findDevice('nothing')).toBeUndefined()
  })

  test('a known device is updated and keeps its platform when none is given', async () => {
    const { platform: _, ...silent } = putDevice('device-1', 'user-1', NOW + 7)
    await expectCommitted(putUser(), putDevice(), silent)
    expect(await at.store.findDevice('device-1')).toMatchObject({
      platform: 'ios',
      createdAt: NOW,
      lastSeenAt: NOW + 7,
    })
    await expectCommitted({ ...putDevice('device-1', 'user-1', NOW + 8), platform: 'android' })
    expect(await at.store.findDevice('device-1')).toMatchObject({ platform: 'android' })
  })

  test('a device is refused for another user, with another key, without its user, and with a short key', async () => {
    await expectCommitted(putUser(), putUser('user-2'), putDevice())
    await expectRefused(putDevice('device-1', 'user-2'))
    await expectRefused({ ...putDevice(), publicKey: bytes(32, 99) })
    await expectRefused(putDevice('device-2', 'nobody'))
    await expectRefused({ ...putDevice('device-2'), publicKey: bytes(31, 3) })
  })

  test('a revoked device is refused forever and its sessions cannot be used', async () => {
    await login(at.store)
    await expectCommitted({ kind: 'revoke-device', id: 'device-1', user: 'user-1', now: NOW })
    await expectRefused(putDevice('device-1', 'user-1', NOW + DAY))
    await expectRefused(touchSession())
    expect(await at.store.findSession(bytes(16, 1))).toMatchObject({ deviceRevokedAt: NOW, endedAt: null })
  })

  test('a session is read back with its device, byte for byte', async () => {
    await login(at.store)
    expect(await at.store.findSession(bytes(16, 1))).toEqual({
      ...insertSession().session,
      lastSeenAt: NOW,
      endedAt: null,
      endReason: null,
      devicePublicKey: bytes(32, 3),
      deviceRevokedAt: null,
      deviceName: null,
      devicePlatform: 'ios',
    })
    const { session } = insertSession(2)
    await expectCommitted({ kind: 'insert-session', session: { ...session, requiredAcr: 'soter' } })
    expect(await at.store.findSession(bytes(16, 2))).toMatchObject({ requiredAcr: 'soter' })
    expect(await at.store.findSession(bytes(16, 77))).toBeUndefined()
  })

  test('byte columns are plain Uint8Arrays that do not share memory', async () => {
    await login(at.store)
    const key = (await at.store.findDevice('device-1'))?.publicKey
    expect(key?.constructor).toBe(Uint8Array)
    expect(key?.buffer.byteLength).toBe(32)
  })

  test('a session is refused with a used id, without its user, and without its device', async () => {
    await login(at.store)
    await expectRefused(insertSession())
    await expectRefused(insertSession(2, NOW, 'nobody'))
    const { kind, session } = insertSession(2)
    await expectRefused({ kind, session: { ...session, device: 'nothing' } })
    await expectRefused({ kind, session: { ...session, id: bytes(8, 2) } })
  })

  test('an active session is touched', async () => {
    await login(at.store)
    await expectCommitted(touchSession(1, NOW + 5))
    expect(await at.store.findSession(bytes(16, 1))).toMatchObject({ lastSeenAt: NOW + 5 })
  })

  test('a session is not touched when it is unknown, or from the second in which it expires', async () => {
    await login(at.store)
    await expectRefused(touchSession(2))
    await expectCommitted(touchSession(1, NOW + 2 * HOUR - 1))
    await expectRefused(touchSession(1, NOW + 2 * HOUR))
  })

  test('a session ends once and is not touched after that', async () => {
    await login(at.store)
    await expectCommitted(endSession(1, NOW + 3))
    await expectRefused(touchSession(1, NOW + 1))
    await expectRefused({ ...endSession(1, NOW + 4), reason: 'revoked' })
    expect(await at.store.findSession(bytes(16, 1))).toMatchObject({ endedAt: NOW + 3, endReason: 'logout' })
  })

  test('a session is not ended by another user, nor when it has expired', async () => {
    await login(at.store)
    await expectRefused(endSession(1, NOW + 3, 'user-2'))
    await expectRefused(endSession(1, NOW + 2 * HOUR))
    await expectCommitted(touchSession())
  })

  test("a user's sessions are listed newest first, including ended ones", async () => {
    await login(at.store)
    await expectCommitted(insertSession(3, NOW + 20), insertSession(2, NOW + 10), endSession(2, NOW + 11))
    await expectCommitted(putUser('user-2'), insertSession(4, NOW + 30, 'user-2'))
    const sessions = await at.store.listSessions('user-1')
    expect(sessions.map(({ id, endedAt }) => [id[0], endedAt])).toEqual([
      [bytes(1, 3)[0], null],
      [bytes(1, 2)[0], NOW + 11],
      [bytes(1, 1)[0], null],
    ])
    expect(await at.store.listSessions('nobody')).toEqual([])
  })

  test('a service key is inserted once, listed, and retired once', async () => {
    await expectCommitted(insertServiceKey('key-2', NOW + 1), insertServiceKey('key-1', NOW))
    await expectRefused(insertServiceKey('key-1', NOW + 2))
    const { key } = insertServiceKey('key-1')
    expect((await at.store.listServiceKeys()).map(({ kid }) => kid)).toEqual(['key-1', 'key-2'])
    expect((await at.store.listServiceKeys())[0]).toEqual(key)
    await expectCommitted(endServiceKey('key-1'))
    await expectRefused(endServiceKey('key-1'))
    await expectRefused(endServiceKey('nothing'))
    await expectRefused({ ...endServiceKey('key-2'), keyKind: 'token' })
    expect((await at.store.listServiceKeys()).map(({ kid, notAfter }) => [kid, notAfter])).toEqual([
      ['key-1', NOW + 5],
      ['key-2', 0],
    ])
    await expectCommitted({ kind: 'insert-service-key', key: { ...key, kind: 'token' } })
  })

  test('pruning erases ended agreement keys and no other keys', async () => {
    const { key } = insertServiceKey('key-1')
    const agreement = (kid: string, notAfter: number) =>
      ({ kind: 'insert-service-key', key: { ...key, kind: 'agreement', kid, notAfter } }) as const
    await expectCommitted(agreement('ended', NOW), agreement('ending', NOW + 2), agreement('endless', 0))
    await expectCommitted({ kind: 'insert-service-key', key: { ...key, kind: 'token', notAfter: NOW } })
    expect(await at.store.prune(NOW + 1, 10)).toBe(1)
    expect((await at.store.listServiceKeys()).map(({ kid }) => kid).sort()).toEqual([
      'ending',
      'endless',
      'key-1',
    ])
  })

  test('only its holder abandons an idempotency claim, which can then be taken over at once', async () => {
    await expectCommitted(claimIdempotency('key'))
    const own = { user: 'user-1', key: 'key' }
    const abandon = { kind: 'abandon-idempotency', ...own, startedAt: NOW } as const
    await expectRefused({ ...abandon, startedAt: NOW + 1 })
    await expectRefused({ ...abandon, user: 'user-2' })
    await expectCommitted(abandon)
    expect(await at.store.findIdempotency('user-1', 'key')).toMatchObject({ startedAt: 0, completedAt: null })
    await expectRefused({ ...abandon, kind: 'release-idempotency' })
    const anew = { kind: 'take-over-idempotency', ...own, startedBefore: NOW - 60, now: NOW + 1 } as const
    await expectCommitted(anew)
    await expectRefused(anew)
    const settle = {
      kind: 'complete-idempotency',
      ...own,
      responseWrapped: bytes(4, 1),
      now: NOW + 2,
    } as const
    await expectCommitted({ ...settle, startedAt: NOW + 1 })
    await expectRefused({ ...abandon, startedAt: NOW + 1 })
  })

  test('an idempotency key is claimed once, completed once, and released only while it is open', async () => {
    const claim = claimIdempotency('key')
    const open = { kind: 'release-idempotency', user: 'user-1', key: 'key', startedAt: NOW } as const
    const settle = {
      kind: 'complete-idempotency',
      user: 'user-1',
      key: 'key',
      startedAt: NOW,
      responseWrapped: bytes(9, 4),
      now: NOW + 1,
    } as const
    await expectCommitted(claim)
    await expectRefused(claim)
    await expectCommitted(claimIdempotency('key', 'user-2'))
    expect(await at.store.findIdempotency('user-1', 'key')).toMatchObject({
      completedAt: null,
      responseWrapped: null,
    })
    await expectCommitted(open)
    await expectRefused(open)
    await expectRefused(settle)
    await expectCommitted(claim, settle)
    await expectRefused(settle)
    await expectRefused(open)
    expect(await at.store.findIdempotency('user-1', 'key')).toEqual({
      user: 'user-1',
      key: 'key',
      fingerprint: claim.fingerprint,
      startedAt: NOW,
      completedAt: NOW + 1,
      responseWrapped: bytes(9, 4),
      expiresAt: claim.expiresAt,
    })
    await at.store.prune(claim.expiresAt + 1, 10)
    expect(await at.store.findIdempotency('user-1', 'key')).toBeUndefined()
    // Nobody knows what came of the other one, so its key is not free for a long time.
    expect(await at.store.findIdempotency('user-2', 'key')).toBeDefined()
    await at.store.prune(claim.expiresAt + 90 * 86_400 + 1, 10)
    expect(await at.store.findIdempotency('user-2', 'key')).toBeUndefined()
  })
})
