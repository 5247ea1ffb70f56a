/** Races in one process, over two connections, and between processes. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readMigrations } from '../../../service/store/migrations.ts'
import { openStore } from '../../../service/store/open-store.ts'
import type { Store } from '../../../service/store/store.ts'
import { describeOnBothEngines, openForEach, type TestDatabase } from './engines.ts'
import { startChild } from './processes.ts'
import {
  bytes,
  claimIdempotency,
  claimLoginCode,
  claimNonce,
  endSession,
  insertSession,
  login,
  NOW,
  putDevice,
  putUser,
  touchSession,
} from './records.ts'

const MANY = Array.from({ length: 100 }, (_, i) => i)

describeOnBothEngines('races', (create) => {
  const at = openForEach(create, 2)

  test('of 100 claims of one nonce over two connections exactly one commits', async () => {
    const results = await Promise.all(MANY.map((i) => at.either(i).commit([claimNonce(7)])))
    expect(results.filter(({ kind }) => kind === 'committed')).toHaveLength(1)
  })

  test('of 100 claims of one login code over two connections exactly one commits', async () => {
    const results = await Promise.all(MANY.map((i) => at.either(i).commit([claimLoginCode(7)])))
    expect(results.filter(({ kind }) => kind === 'committed')).toHaveLength(1)
  })

  test('of 100 claims of one nonce in one process exactly one commits', async () => {
    const results = await Promise.all(MANY.map(() => at.store.commit([claimNonce(7)])))
    expect(results.filter(({ kind }) => kind === 'committed')).toHaveLength(1)
  })

  test('each of 100 nonces that two connections claim at once is claimed by one of them', async () => {
    const winners = await Promise.all(
      MANY.map(async (i) => {
        const pair = await Promise.all([at.store.commit([claimNonce(i)]), at.other.commit([claimNonce(i)])])
        return pair.filter(({ kind }) => kind === 'committed').length
      }),
    )
    expect(winners).toEqual(MANY.map(() => 1))
  })

  test('of a cancellation and simultaneous requests with its key exactly one claims the key', async () => {
    for (const i of MANY.slice(0, 25)) {
      const key = `key-${i}`
      const fence = { ...claimIdempotency(key), fingerprint: new Uint8Array(32) }
      const responseWrapped = bytes(8, 1)
      const settled = { user: 'user-1', key, startedAt: NOW, responseWrapped, now: NOW }
      const settle = { kind: 'complete-idempotency', ...settled } as const
      const claims = [claimIdempotency(key), claimIdempotency(key)]
      const results = await Promise.all([
        at.store.commit([fence, settle]),
        ...claims.map((claim, n) => at.either(n).commit([claimNonce(2 * i + n), claim])),
      ])
      expect(results.filter(({ kind }) => kind === 'committed')).toHaveLength(1)
      const found = await at.other.findIdempotency('user-1', key)
      const isFenced = results[0].kind === 'committed'
      expect(found?.completedAt).toBe(isFenced ? NOW : null)
      expect(found?.fingerprint).toEqual(isFenced ? fence.fingerprint : claims[0]?.fingerprint)
    }
  })

  test('an acknowledged nonce is visible to the other connection', async () => {
    const { scope, nonce } = claimNonce(7)
    expect(await at.other.hasNonce(scope, nonce)).toBe(false)
    await at.store.commit([claimNonce(7)])
    expect(await at.other.hasNonce(scope, nonce)).toBe(true)
    expect(await at.other.hasNonce('another', nonce)).toBe(false)
    expect(await at.other.hasNonce(scope, claimNonce(8).nonce)).toBe(false)
  })

  test('refused commits do not affect commits that share their transaction', async () => {
    await at.store.commit([claimNonce(1000)])
    const results = await Promise.all(
      MANY.map((i) => at.store.commit([claimNonce(i), ...(i % 3 === 0 ? [claimNonce(1000)] : [])])),
    )
    expect(results.map(({ kind }) => kind)).toEqual(MANY.map((i) => (i % 3 === 0 ? 'refused' : 'committed')))
    const again = await Promise.all(MANY.map((i) => at.store.commit([claimNonce(i)])))
    expect(again.map(({ kind }) => kind)).toEqual(MANY.map((i) => (i % 3 === 0 ? 'committed' : 'refused')))
  })

  test('no claim that begins after the end of its session was acknowledged gets through', async () => {
    await login(at.store)
    for (let round = 2; round < 12; round++) {
      await at.store.commit([insertSession(round)])
      let acknowledged = false
      const late: string[] = []
      const request = async (store: Store, i: number) => {
        for (let turn = 0; turn < 15; turn++) {
          const isLate = acknowledged
          const seed = round * 1000 + i * 20 + turn
          const result = await store.commit([touchSession(round), claimNonce(seed)])
          if (isLate) late.push(result.kind)
        }
      }
      const requests = [0, 1, 2, 3, 4, 5].map((i) => request(at.either(i), i))
      const end = at.other.commit([endSession(round)]).then(({ kind }) => {
        acknowledged = true
        return kind
      })
      expect(await end).toBe('committed')
      await Promise.all(requests)
      expect(new Set(late)).toEqual(new Set(['refused']))
    }
  })

  test('of many simultaneous ends of one session exactly one commits', async () => {
    await login(at.store)
    const results = await Promise.all(MANY.map((i) => at.either(i).commit([endSession()])))
    expect(results.filter(({ kind }) => kind === 'committed')).toHaveLength(1)
  })

  test('all of many simultaneous logins of one user and device commit', async () => {
    const results = await Promise.all(
      MANY.map((i) => at.either(i).commit([claimLoginCode(i), putUser(), putDevice(), insertSession(i)])),
    )
    expect(results).toEqual(MANY.map(() => ({ kind: 'committed' })))
    expect(await at.store.listSessions('user-1')).toHaveLength(100)
  })

  test('commits that touch the same rows in opposite order all succeed', async () => {
    await login(at.store)
    await at.store.commit([insertSession(2)])
    const results = await Promise.all(
      [0, 1, 2, 3].map((i) => {
        const order = i % 2 === 0 ? [1, 2] : [2, 1]
        return at.either(i).commit(order.map((seed) => touchSession(seed, NOW + i)))
      }),
    )
    expect(results).toEqual([0, 1, 2, 3].map(() => ({ kind: 'committed' })))
  })

  test('concurrent pruning deletes each row once', async () => {
    await at.store.commit(MANY.map((i) => claimNonce(i, NOW - 1)))
    const deleted = await Promise.all(MANY.slice(0, 20).map((i) => at.either(i).prune(NOW, 5)))
    const rest = await at.store.prune(NOW, 1000)
    expect(deleted.reduce((sum, rows) => sum + rows, rest)).toBe(100)
  })

  test('a commit is visible to the other connection', async () => {
    await login(at.store)
    expect(await at.other.findSession(bytes(16, 1))).toMatchObject({ user: 'user-1' })
    await at.other.commit([endSession()])
    expect(await at.store.findSession(bytes(16, 1))).toMatchObject({ endReason: 'logout' })
  })
})

describeOnBothEngines('simultaneous opening', (create) => {
  let database: TestDatabase

  beforeEach(async () => {
    database = await create()
  })

  afterEach(() => database.remove())

  test('several processes migrate a new database together', async () => {
    const children = await Promise.all([1, 2, 3].map(() => startChild('open', database.location)))
    for (const child of children) child.go()
    expect(await Promise.all(children.map((child) => child.exit))).toEqual([0, 0, 0])
    const [row] = await database.sql('select count(*) as n from applied_migrations')
    expect(Number(row?.n)).toBe(readMigrations(database.location.kind).length)
  })

  test('several stores of one process migrate a new database together', async () => {
    const stores = await Promise.all([1, 2, 3, 4, 5].map(() => openStore(database.location)))
    const results = await Promise.all(stores.map((store) => store.commit([claimNonce(1)])))
    expect(results.filter(({ kind }) => kind === 'committed')).toHaveLength(1)
    await Promise.all(stores.map((store) => store.close()))
  })
})
