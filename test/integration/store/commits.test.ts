/** Commits as a whole, pruning, and closing, on both engines. */
import { expect, test } from 'vitest'
import { StoreUnavailable } from '../../../service/store/store.ts'
import { describeOnBothEngines, openForEach } from './engines.ts'
import {
  bytes,
  claimLoginCode,
  claimNonce,
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

describeOnBothEngines('commits and maintenance', (create) => {
  const at = openForEach(create)
  const { expectCommitted, expectRefused } = at

  async function count(table: string): Promise<number> {
    const [row] = await at.database.sql(`select count(*) as n from ${table}`)
    return Number(row?.n)
  }

  test('times beyond 32 bits are stored exactly', async () => {
    await expectCommitted(putUser('user-1', 2 ** 40))
    expect(await at.store.findUser('user-1')).toMatchObject({ createdAt: 2 ** 40 })
  })

  test('a refused write undoes its whole commit, and the result names the first refused write', async () => {
    await login(at.store)
    await expectCommitted(claimNonce(1))
    const refused = claimNonce(1)
    const writes = [
      touchSession(1, NOW + 50),
      claimNonce(2),
      putUser('user-2'),
      refused,
      claimNonce(1),
      claimNonce(3),
    ]
    const result = await at.store.commit(writes)
    expect(result).toEqual({ kind: 'refused', write: refused, index: 3 })
    expect(result.kind === 'refused' && result.write).toBe(refused)
    expect(await at.store.findSession(bytes(16, 1))).toMatchObject({ lastSeenAt: NOW })
    expect(await at.store.findUser('user-2')).toBeUndefined()
    await expectCommitted(claimNonce(2), claimNonce(3))
  })

  test('a violated constraint undoes the earlier writes of the commit', async () => {
    const orphan = putDevice('device-9', 'nobody')
    expect(await at.store.commit([claimNonce(1), orphan])).toEqual({
      kind: 'refused',
      write: orphan,
      index: 1,
    })
    await expectCommitted(claimNonce(1))
  })

  test('the second of two equal claims in one commit is refused', async () => {
    const second = claimNonce(1)
    expect(await at.store.commit([claimNonce(1), second])).toEqual({
      kind: 'refused',
      write: second,
      index: 1,
    })
    expect(await count('nonces')).toBe(0)
  })

  test('a commit without writes succeeds', async () => {
    await expectCommitted()
  })

  test('pruning deletes expired rows and keeps the others', async () => {
    await login(at.store)
    await expectCommitted(
      insertSession(2, NOW - 3 * HOUR),
      insertSession(3, NOW - 2 * DAY),
      endSession(1, NOW + 1),
    )
    await expectCommitted(claimNonce(1, NOW - 1), claimNonce(2, NOW), claimNonce(3, NOW + 1))
    await expectCommitted(claimLoginCode(1, NOW - 1), claimLoginCode(2, NOW))
    expect(await at.store.prune(NOW, 100)).toBe(3)
    await expectRefused(claimNonce(2))
    await expectRefused(claimNonce(3))
    await expectRefused(claimLoginCode(2))
    await expectCommitted(claimNonce(1), claimLoginCode(1))
    expect((await at.store.listSessions('user-1')).map(({ id }) => id[0])).toEqual([
      bytes(1, 1)[0],
      bytes(1, 2)[0],
    ])
    expect(await at.store.prune(NOW, 100)).toBe(0)
  })

  test('an ended session is pruned 22 hours after its end, whatever its expiry', async () => {
    await login(at.store)
    const { kind, session } = insertSession(2)
    await expectCommitted({ kind, session: { ...session, expiresAt: NOW + 30 * DAY } }, endSession(2, NOW))
    await expectCommitted({ kind, session: { ...session, id: bytes(16, 3), expiresAt: NOW + 30 * DAY } })
    await expectCommitted(endSession(1, NOW))
    expect(await at.store.prune(NOW + 22 * HOUR, 100)).toBe(0)
    expect(await at.store.prune(NOW + 22 * HOUR + 1, 100)).toBe(2)
    await expectCommitted(touchSession(3, NOW + DAY))
    expect(await at.store.findUser('user-1')).toBeDefined()
    expect(await at.store.findDevice('device-1')).toBeDefined()
  })

  test('pruning deletes at most its limit and continues the next time', async () => {
    const claims = [1, 2, 3, 4, 5].map((seed) => claimNonce(seed, NOW - 1))
    await expectCommitted(...claims, claimLoginCode(1, NOW - 1), claimLoginCode(2, NOW - 1))
    expect(await at.store.prune(NOW, 3)).toBe(3)
    expect(await count('nonces')).toBe(2)
    expect(await at.store.prune(NOW, 3)).toBe(3)
    expect(await at.store.prune(NOW, 3)).toBe(1)
    expect(await count('login_codes')).toBe(0)
  })

  test('the write probe leaves no row behind', async () => {
    await Promise.all([at.store.assertWritable(), at.store.assertWritable(), at.store.assertWritable()])
    expect(await count('nonces')).toBe(0)
  })

  test('closing waits for accepted commits', async () => {
    const commits = Array.from({ length: 50 }, (_, seed) => at.store.commit([claimNonce(seed)]))
    await at.store.close()
    expect(await Promise.all(commits)).toEqual(commits.map(() => ({ kind: 'committed' })))
    expect(await count('nonces')).toBe(50)
  })

  test('a closed store is unavailable, and closing it again does nothing', async () => {
    await at.store.close()
    await at.store.close()
    await expect(at.store.commit([claimNonce(1)])).rejects.toThrow(StoreUnavailable)
    await expect(at.store.findUser('user-1')).rejects.toThrow(StoreUnavailable)
    await expect(at.store.listSessions('user-1')).rejects.toThrow(StoreUnavailable)
    await expect(at.store.prune(NOW, 1)).rejects.toThrow(StoreUnavailable)
    await expect(at.store.assertWritable()).rejects.toThrow(StoreUnavailable)
  })

  test('a commit is visible after the database is reopened', async () => {
    await login(at.store)
    await at.openAgain()
    await expectCommitted(touchSession())
  })
})
