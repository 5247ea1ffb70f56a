/** Devices: admission up to a limit, renaming, revocation with their sessions; on both engines. */
import { expect, test } from 'vitest'
import type { Write, WriteOf } from '../../../service/store/store.ts'
import { describeOnBothEngines, openForEach } from './engines.ts'
import {
  bytes,
  DAY,
  endSession,
  HOUR,
  insertSession,
  login,
  NOW,
  putDevice,
  putUser,
  touchSession,
} from './records.ts'

const admit = (device: string, limit: number, user = 'user-1'): WriteOf<'admit-device'> => {
  return { kind: 'admit-device', user, device, limit, seenAfter: NOW - 90 * DAY }
}
const revoke = (id = 'device-1', user = 'user-1'): WriteOf<'revoke-device'> => {
  return { kind: 'revoke-device', id, user, now: NOW + 1 }
}
const revokeOthers = (except: string | null, user = 'user-1'): WriteOf<'revoke-other-devices'> => {
  return { kind: 'revoke-other-devices', user, except, now: NOW + 1 }
}
const endOthers = (except: Uint8Array | null): WriteOf<'end-other-sessions'> => {
  return { kind: 'end-other-sessions', user: 'user-1', except, reason: 'revoked', now: NOW + 1 }
}
const endOfRevoked: Write = {
  kind: 'end-sessions-of-revoked-devices',
  user: 'user-1',
  reason: 'device-revoked',
  now: NOW + 1,
}
const sessionOn = (seed: number, device: string): WriteOf<'insert-session'> => {
  const { kind, session } = insertSession(seed)
  return { kind, session: { ...session, device } }
}

describeOnBothEngines('devices', (create) => {
  const at = openForEach(create)
  const { expectCommitted, expectRefused } = at

  async function endedSeeds(): Promise<(number | undefined)[]> {
    const sessions = await at.store.listSessions('user-1')
    return sessions.filter(({ endedAt }) => endedAt !== null).map(({ id }) => id[0])
  }
  const seeds = (...numbers: number[]) => numbers.map((seed) => bytes(1, seed)[0])

  test('a new device is admitted below the limit, a known one always', async () => {
    await expectCommitted(putUser(), admit('device-1', 1), putDevice('device-1'))
    await expectRefused(admit('device-2', 1))
    await expectCommitted(admit('device-1', 1), admit('device-2', 2), putDevice('device-2'))
    await expectCommitted(admit('device-1', 1))
    await expectRefused(admit('device-3', 0, 'nobody'))
  })

  test('devices of other users, revoked devices and long unused devices do not count', async () => {
    await expectCommitted(
      putUser(),
      putUser('user-2'),
      putDevice('device-1'),
      putDevice('device-2', 'user-2'),
    )
    await expectRefused(admit('device-3', 1))
    await expectCommitted(revoke(), admit('device-3', 1))
    await expectCommitted(putDevice('device-4', 'user-1', NOW - 90 * DAY), admit('device-3', 1))
    await expectCommitted(putDevice('device-5', 'user-1', NOW - 90 * DAY + 1))
    await expectRefused(admit('device-3', 1))
  })

  test('only its user renames a device, until it is revoked', async () => {
    const name = (text: string, user = 'user-1') =>
      ({ kind: 'rename-device', id: 'device-1', user, name: text }) as const
    await login(at.store)
    await expectCommitted(name('我的手机'), name('phone'))
    expect(await at.store.findDevice('device-1')).toMatchObject({ name: 'phone' })
    await expectRefused(name('mine now', 'user-2'))
    await expectRefused({ ...name('x'), id: 'nothing' })
    await expectCommitted(revoke())
    await expectRefused(name('late'))
    expect(await at.store.findDevice('device-1')).toMatchObject({ name: 'phone' })
  })

  test('only its user revokes a device, once, and only its sessions end', async () => {
    await login(at.store)
    await expectCommitted(putDevice('device-2'), insertSession(2), insertSession(3), sessionOn(4, 'device-2'))
    await expectCommitted(endSession(3, NOW))
    await expectRefused(revoke('device-1', 'user-2'))
    await expectRefused(revoke('nothing'))
    await expectCommitted(revoke(), endOfRevoked)
    await expectRefused(revoke())
    expect(await at.store.findDevice('device-1')).toMatchObject({ revokedAt: NOW + 1 })
    expect((await endedSeeds()).sort()).toEqual(seeds(1, 2, 3).sort())
    expect(await at.store.findSession(bytes(16, 1))).toMatchObject({
      endedAt: NOW + 1,
      endReason: 'device-revoked',
    })
    expect(await at.store.findSession(bytes(16, 3))).toMatchObject({ endedAt: NOW, endReason: 'logout' })
    await expectCommitted(touchSession(4))
    await expectRefused(insertSession(1))
  })

  test('all devices, or all other devices, are revoked in one write, which may find none', async () => {
    await login(at.store)
    await expectCommitted(putUser('user-2'), putDevice('device-9', 'user-2'))
    await expectCommitted(revokeOthers('device-1'))
    await expectCommitted(putDevice('device-2'), putDevice('device-3'), revoke('device-3'))
    await expectCommitted({ ...revokeOthers('device-1'), now: NOW + 7 })
    const revokedAt = async (id: string) => (await at.store.findDevice(id))?.revokedAt
    expect(await Promise.all(['device-1', 'device-2', 'device-3', 'device-9'].map(revokedAt))).toEqual([
      null,
      NOW + 7,
      NOW + 1,
      null,
    ])
    await expectCommitted(revokeOthers(null), revokeOthers(null))
    expect(await Promise.all(['device-1', 'device-9'].map(revokedAt))).toEqual([NOW + 1, null])
  })

  test('all sessions, or all other sessions, that are active end in one write', async () => {
    await login(at.store)
    await expectCommitted(insertSession(2), insertSession(3, NOW - 2 * HOUR), putUser('user-2'))
    await expectCommitted(insertSession(4, NOW, 'user-2'), endOthers(bytes(16, 1)))
    expect(await endedSeeds()).toEqual(seeds(2))
    await expectCommitted(touchSession(1), touchSession(4), endOthers(bytes(16, 1)), endOthers(null))
    expect((await endedSeeds()).sort()).toEqual(seeds(1, 2).sort())
    await expectRefused(touchSession(1))
    await expectCommitted(touchSession(4), endOthers(null))
  })

  test('a bulk write is undone with the rest of its commit', async () => {
    await login(at.store)
    const result = await at.store.commit([revokeOthers(null), endOthers(null), endSession(77)])
    expect(result).toMatchObject({ kind: 'refused', index: 2 })
    await expectCommitted(touchSession(1))
  })

  test("a user's devices are listed newest first, including revoked ones", async () => {
    await login(at.store)
    await expectCommitted(putDevice('device-3', 'user-1', NOW + 2), putDevice('device-2', 'user-1', NOW + 1))
    await expectCommitted(putUser('user-2'), putDevice('device-4', 'user-2'), revoke('device-2'))
    const devices = await at.store.listDevices('user-1')
    expect(devices.map(({ id, revokedAt }) => [id, revokedAt])).toEqual([
      ['device-3', null],
      ['device-2', NOW + 1],
      ['device-1', null],
    ])
    expect(devices[2]).toEqual(await at.store.findDevice('device-1'))
    expect(await at.store.listDevices('nobody')).toEqual([])
  })
})

describeOnBothEngines('races about devices', (create) => {
  const at = openForEach(create, 2)

  const enrol = (i: number) => {
    const device = `device-${i}`
    const writes: Write[] = [putUser(), admit(device, 10), putDevice(device), sessionOn(i, device)]
    return at.either(i).commit(writes)
  }

  test('of 40 simultaneous logins with new devices exactly as many succeed as the limit allows', async () => {
    const results = await Promise.all(Array.from({ length: 40 }, (_, i) => enrol(i)))
    expect(results.filter(({ kind }) => kind === 'committed')).toHaveLength(10)
    const refused = results.flatMap((result) => (result.kind === 'refused' ? [result.write.kind] : []))
    expect(new Set(refused)).toEqual(new Set(['admit-device']))
    expect(await at.store.listDevices('user-1')).toHaveLength(10)
  })

  test('no session of a device outlives its revocation, whatever logins run at the same time', async () => {
    await login(at.store)
    for (let round = 0; round < 5; round++) {
      const device = `round-${round}`
      await at.store.commit([putDevice(device)])
      const logins = Array.from({ length: 10 }, (_, i) => {
        return at.either(i).commit([putUser(), putDevice(device), sessionOn(round * 20 + i + 20, device)])
      })
      const revoked = at.other.commit([revoke(device), endOfRevoked])
      expect(await revoked).toEqual({ kind: 'committed' })
      await Promise.all(logins)
      const alive = (await at.store.listSessions('user-1')).filter((session) => {
        return session.device === device && session.endedAt === null
      })
      expect(alive).toEqual([])
    }
  })
})
