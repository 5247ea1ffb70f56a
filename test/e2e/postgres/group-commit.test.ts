/** Group commit on PostgreSQL: shared transactions, few round trips, a result for each commit. */
import { Client } from 'pg'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openPostgresStore, type PostgresOptions } from '../../../service/store/postgres/store.ts'
import type { CommitReport, Store } from '../../../service/store/store.ts'
import { createPostgres } from '../../integration/store/engines.ts'
import {
  bytes,
  claimIdempotency,
  claimNonce,
  holdSubjectKey,
  insertSession,
  insertSubjectKey,
  login,
  NOW,
  pushEvent,
  putDevice,
  putIntent,
  touchSession,
} from '../../integration/store/records.ts'
import { type PostgresProxy, startPostgresProxy } from '../../support/postgres-proxy.ts'

describe('commits on PostgreSQL', () => {
  let database: Awaited<ReturnType<typeof createPostgres>>
  let proxy: PostgresProxy
  let store: Store
  let other: Client
  let reports: CommitReport[] = []

  beforeEach(async () => {
    database = await createPostgres()
    proxy = await startPostgresProxy(database.url)
    store = await open(proxy)
    other = new Client({ connectionString: database.url })
    await other.connect()
  })

  afterEach(async () => {
    await store.close()
    await proxy.close()
    await other.end()
    await database.remove()
  })

  async function open({ url }: { readonly url: string }, options: PostgresOptions = {}): Promise<Store> {
    reports = []
    return await openPostgresStore(url, { onCommit: (report) => reports.push(report), ...options })
  }

  const seeds = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1)

  test('a commit takes two round trips, however many writes it has', async () => {
    await store.commit([claimNonce(1)])
    await store.commit([insertSubjectKey()])
    proxy.take()
    const writes = [claimNonce(2), claimIdempotency('a'), holdSubjectKey(), putIntent(1)]
    expect(await store.commit(writes)).toEqual({ kind: 'committed' })
    expect(proxy.take()).toMatchObject({ syncs: 1, queries: 1 })
  })

  test('waiting commits share transactions, and each gets its own result', async () => {
    await store.commit([claimNonce(7), claimNonce(300)])
    reports.length = 0
    const results = await Promise.all(seeds(200).map((seed) => store.commit([claimNonce(seed)])))
    expect(results.map(({ kind }) => kind)).toEqual(
      seeds(200).map((seed) => (seed === 7 ? 'refused' : 'committed')),
    )
    expect(reports.reduce((sum, { size }) => sum + size, 0)).toBe(200)
    expect(reports.length).toBeLessThan(100)
    const refused = claimNonce(300)
    const mixed = await Promise.all([
      store.commit([claimNonce(401), refused, claimNonce(402)]),
      ...seeds(20).map((seed) => store.commit([claimNonce(500 + seed)])),
    ])
    expect(mixed[0]).toEqual({ kind: 'refused', write: refused, index: 1 })
    expect(new Set(mixed.slice(1).map(({ kind }) => kind))).toEqual(new Set(['committed']))
    expect(await store.commit([claimNonce(401), claimNonce(402)])).toEqual({ kind: 'committed' })
  })

  test('a commit that violates a constraint is refused, and the others of its transaction succeed', async () => {
    const short = { ...claimNonce(1), nonce: bytes(15, 1) }
    const results = await Promise.all(
      [short, ...seeds(10).map((seed) => claimNonce(seed))].map((w) => store.commit([w])),
    )
    expect(results[0]).toEqual({ kind: 'refused', write: short, index: 0 })
    expect(new Set(results.slice(1).map(({ kind }) => kind))).toEqual(new Set(['committed']))
  })

  test('a locked row delays only the commit that needs it', async () => {
    // Longer than this test.
    const patient = await open(proxy, { statementTimeout: 60_000 })
    await login(patient)
    await patient.commit([insertSession(2)])
    await other.query('begin')
    await other.query('update sessions set last_seen_at = 1 where id = $1', [bytes(16, 1)])
    let isHeldDone = false
    const held = patient.commit([touchSession(1, NOW + 9)]).then((result) => {
      isHeldDone = true
      return result
    })
    const free = seeds(40).map((seed) => patient.commit([touchSession(2, NOW + 9), claimNonce(seed)]))
    expect(new Set((await Promise.all(free)).map(({ kind }) => kind))).toEqual(new Set(['committed']))
    expect(isHeldDone).toBe(false)
    await other.query('commit')
    expect(await held).toEqual({ kind: 'committed' })
    await patient.close()
  })

  test('a write that is not shareable commits alone', async () => {
    await login(store)
    reports.length = 0
    await Promise.all(seeds(20).map((seed) => store.commit([pushEvent(seed)])))
    expect(reports.map(({ size }) => size)).toEqual(seeds(20).map(() => 1))
    expect(await store.listEvents('user-1', 0, 100)).toMatchObject({ first: 1, last: 20 })
  })

  test('frequent statements are prepared once for each connection', async () => {
    const narrow = await open(proxy, { poolSize: 1 })
    proxy.take()
    for (const seed of seeds(60)) {
      await narrow.commit([claimNonce(seed)])
      await narrow.findUser('nobody')
    }
    const { names } = proxy.take()
    expect(names.length).toBeGreaterThan(1)
    expect(new Set(names).size).toBe(names.length)
    const refusals = await Promise.all(seeds(9).map((seed) => narrow.commit([claimNonce(seed)])))
    expect(new Set(refusals.map(({ kind }) => kind))).toEqual(new Set(['refused']))
    await narrow.close()
  })

  test('a prepared statement that the server has dropped is prepared again', async () => {
    const narrow = await open(proxy, { poolSize: 1 })
    for (const seed of seeds(40)) await narrow.commit([claimNonce(seed)])
    await other.query(`alter table nonces add column more text`)
    await other.query(`alter table nonces alter column scope type varchar(99)`)
    expect(await narrow.commit([claimNonce(41)])).toEqual({ kind: 'committed' })
    await narrow.close()
  })

  test('through a pooler nothing is prepared and settings are per transaction; statements still time out', async () => {
    const pooler = await startPostgresProxy(database.url, true)
    const behind = await open(pooler, { statementTimeout: 300, poolSize: 2 })
    for (const seed of seeds(60)) await behind.commit([claimNonce(seed)])
    expect(pooler.take().names).toEqual([])
    await other.query('begin; lock table nonces')
    await expect(behind.commit([claimNonce(70)])).rejects.toThrow(/unavailable \(57014\)/)
    await other.query('rollback')
    expect(await behind.commit([claimNonce(70)])).toEqual({ kind: 'committed' })
    expect(await behind.commit([putDevice('device-9', 'nobody')])).toMatchObject({
      kind: 'refused',
      index: 0,
    })
    await behind.close()
    await pooler.close()
  })

  test('nothing is written when the transaction cannot be opened', async () => {
    const { createPostgresPool } = await import('../../../service/store/postgres/pool.ts')
    const { runBatch } = await import('../../../service/store/postgres/transaction.ts')
    const pool = createPostgresPool({
      ...{ url: database.url, size: 1, statementTimeout: 1_000, connectionTimeout: 1_000 },
      keepIdle: false,
    })
    const result = await pool.withClient((lent) =>
      runBatch(
        lent,
        [{ text: `insert into auditors values ('a', 'b', 'full', 1, 1, null)`, values: [] }],
        ['set local no_such_setting = 1'],
      ),
    )
    expect(result).toMatchObject({ kind: 'failed', at: -1, error: { code: '42704' } })
    await pool.end()
    expect((await other.query('select * from auditors')).rows).toEqual([])
  })
})
