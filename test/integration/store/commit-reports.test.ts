/** Metrics of the store: open sessions, and a report for every transaction that writes. */
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openStore } from '../../../service/store/open-store.ts'
import type { CommitReport, Store } from '../../../service/store/store.ts'
import { StoreUnavailable } from '../../../service/store/store.ts'
import { describeOnBothEngines, type TestDatabase } from './engines.ts'
import { claimNonce, endSession, HOUR, insertSession, NOW, putDevice, putUser } from './records.ts'

describeOnBothEngines('metrics of the store', (create) => {
  let database: TestDatabase
  let store: Store
  let reports: CommitReport[] = []

  beforeEach(async () => {
    reports = []
    database = await create()
    store = await openStore(database.location, { onCommit: (report) => reports.push(report) })
  })

  afterEach(async () => {
    await store.close()
    await database.remove()
  })

  it('sessions that have neither ended nor expired are counted', async () => {
    expect(await store.countSessions(NOW)).toBe(0)
    await store.commit([putUser(), putDevice(), ...[1, 2, 3].map((seed) => insertSession(seed))])
    await store.commit([insertSession(4, NOW - 2 * HOUR)])
    expect(await store.countSessions(NOW)).toBe(3)
    expect(await store.countSessions(NOW - 1)).toBe(4)
    await store.commit([endSession(2)])
    expect(await store.countSessions(NOW)).toBe(2)
    expect(await store.countSessions(NOW + 2 * HOUR)).toBe(0)
  })

  it('every commit is reported once, refused or not', async () => {
    await Promise.all([1, 2, 3, 4].map((seed) => store.commit([claimNonce(seed)])))
    expect(await store.commit([claimNonce(1)])).toMatchObject({ kind: 'refused' })
    expect(reports.reduce((sum, { size }) => sum + size, 0)).toBe(5)
    for (const { outcome, durationMs } of reports) {
      expect(outcome).toBe('done')
      expect(durationMs).toBeGreaterThan(0)
    }
  })

  it('a failed commit is reported as failed', async () => {
    await store.commit([claimNonce(1)])
    await database.sql('alter table nonces rename to nonces_elsewhere')
    await expect(store.commit([claimNonce(2)])).rejects.toThrow(StoreUnavailable)
    expect(reports.map(({ outcome }) => outcome)).toEqual(['done', 'failed'])
  })
})
