/** What holds for commits as a whole, and for the store's own upkeep, on both engines. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openStore } from '../../service/store/open-store.ts'
import { type Store, StoreUnavailable, type Write } from '../../service/store/store.ts'
import { describeOnBothEngines, type TestDatabase } from './engines.ts'
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

describeOnBothEngines('commits and upkeep', (create) => {
  let database: TestDatabase
  let store: Store

  beforeEach(async () => {
    database = await create()
    store = await openStore(database.location)
  })

  afterEach(async () => {
    await store.close()
    await database.remove()
  })

  async function expectCommitted(...writes: Write[]): Promise<void> {
    expect(await store.commit(writes)).toEqual({ kind: 'committed' })
  }

  async function expectRefused(write: Write): Promise<void> {
    expect(await store.commit([write])).toEqual({ kind: 'refused', write, index: 0 })
  }

  async function count(table: string): Promise<number> {
    const [row] = await database.sql(`select count(*) as n from ${table}`)
    return Number(row?.n)
  }

  test('times beyond 32 bits are kept', async () => {
    await expectCommitted(putUser('user-1', 2 ** 40))
    expect(await store.findUser('user-1')).toMatchObject({ createdAt: 2 ** 40 })
  })

  test('when one write is refused nothing of the list has happened, and the first refused one is named', async () => {
    await login(store)
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
    const result = await store.commit(writes)
    expect(result).toEqual({ kind: 'refused', write: refused, index: 3 })
    expect(result.kind === 'refused' && result.write).toBe(refused)
    expect(await store.findSession(bytes(16, 1))).toMatchObject({ lastSeenAt: NOW })
    expect(await store.findUser('user-2')).toBeUndefined()
    await expectCommitted(claimNonce(2), claimNonce(3))
  })

  test('a constraint that a later write breaks undoes the earlier ones', async () => {
    const orphan = putDevice('device-9', 'nobody')
    expect(await store.commit([claimNonce(1), orphan])).toEqual({ kind: 'refused', write: orphan, index: 1 })
    await expectCommitted(claimNonce(1))
  })

  test('the same claim twice in one list refuses the second', async () => {
    const second = claimNonce(1)
    expect(await store.commit([claimNonce(1), second])).toEqual({ kind: 'refused', write: second, index: 1 })
    expect(await count('nonces')).toBe(0)
  })

  test('no writes commit', async () => {
    await expectCommitted()
  })

  test('pruning takes what has expired and leaves what is still needed', async () => {
    await login(store)
    await expectCommitted(
      insertSession(2, NOW - 3 * HOUR),
      insertSession(3, NOW - 2 * DAY),
      endSession(1, NOW + 1),
    )
    await expectCommitted(claimNonce(1, NOW - 1), claimNonce(2, NOW), claimNonce(3, NOW + 1))
    await expectCommitted(claimLoginCode(1, NOW - 1), claimLoginCode(2, NOW))
    expect(await store.prune(NOW, 100)).toBe(3)
    await expectRefused(claimNonce(2))
    await expectRefused(claimNonce(3))
    await expectRefused(claimLoginCode(2))
    await expectCommitted(claimNonce(1), claimLoginCode(1))
    expect((await store.listSessions('user-1')).map(({ id }) => id[0])).toEqual([
      bytes(1, 1)[0],
      bytes(1, 2)[0],
    ])
    expect(await store.prune(NOW, 100)).toBe(0)
  })

  test('an ended session is pruned a day after its end, however long it would have lived', async () => {
    await login(store)
    const { kind, session } = insertSession(2)
    await expectCommitted({ kind, session: { ...session, expiresAt: NOW + 30 * DAY } }, endSession(2, NOW))
    await expectCommitted({ kind, session: { ...session, id: bytes(16, 3), expiresAt: NOW + 30 * DAY } })
    await expectCommitted(endSession(1, NOW))
    expect(await store.prune(NOW + DAY, 100)).toBe(0)
    expect(await store.prune(NOW + DAY + 1, 100)).toBe(2)
    await expectCommitted(touchSession(3, NOW + DAY))
    expect(await store.findUser('user-1')).toBeDefined()
    expect(await store.findDevice('device-1')).toBeDefined()
  })

  test('pruning stays within its limit and goes on the next time', async () => {
    const claims = [1, 2, 3, 4, 5].map((seed) => claimNonce(seed, NOW - 1))
    await expectCommitted(...claims, claimLoginCode(1, NOW - 1), claimLoginCode(2, NOW - 1))
    expect(await store.prune(NOW, 3)).toBe(3)
    expect(await count('nonces')).toBe(2)
    expect(await store.prune(NOW, 3)).toBe(3)
    expect(await store.prune(NOW, 3)).toBe(1)
    expect(await count('login_codes')).toBe(0)
  })

  test('proving that the store is writable leaves nothing behind', async () => {
    await Promise.all([store.assertWritable(), store.assertWritable(), store.assertWritable()])
    expect(await count('nonces')).toBe(0)
  })

  test('closing waits for the commits that were accepted', async () => {
    const commits = Array.from({ length: 50 }, (_, seed) => store.commit([claimNonce(seed)]))
    await store.close()
    expect(await Promise.all(commits)).toEqual(commits.map(() => ({ kind: 'committed' })))
    expect(await count('nonces')).toBe(50)
  })

  test('a closed store is unavailable, and closing again is harmless', async () => {
    await store.close()
    await store.close()
    await expect(store.commit([claimNonce(1)])).rejects.toThrow(StoreUnavailable)
    await expect(store.findUser('user-1')).rejects.toThrow(StoreUnavailable)
    await expect(store.listSessions('user-1')).rejects.toThrow(StoreUnavailable)
    await expect(store.prune(NOW, 1)).rejects.toThrow(StoreUnavailable)
    await expect(store.assertWritable()).rejects.toThrow(StoreUnavailable)
  })

  test('what was committed is there when the database is opened again', async () => {
    await login(store)
    await store.close()
    store = await openStore(database.location)
    await expectCommitted(touchSession())
  })
})
