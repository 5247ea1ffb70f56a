/** Garbage collection of old checkpoints, which leaves the log unchanged. */
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openStore } from '../../../service/store/open-store.ts'
import type { Store, Write } from '../../../service/store/store.ts'
import { createCheckpointGc } from '../../../service/tlog/checkpoint-gc.ts'
import { describeOnBothEngines, type TestDatabase } from '../store/engines.ts'
import { bytes } from '../store/records.ts'

const hour = 3_600
const day = 24 * hour
/** The beginning of an hour. */
const start = 490_000 * hour
const line = (name: string): string => `— ${name} AAAA\n`

describeOnBothEngines('thinning', (create) => {
  let database: TestDatabase
  let store: Store

  beforeEach(async () => {
    database = await create()
    store = await openStore(database.location)
    for (const log of [0, 1])
      await commit({
        kind: 'insert-log-state',
        state: { log, origin: `o${log}`, size: 9_999, root: bytes(32, log), mac: null },
      })
  })

  afterEach(async () => {
    await store.close()
    await database.remove()
  })

  async function commit(...writes: Write[]): Promise<void> {
    expect(await store.commit(writes)).toEqual({ kind: 'committed' })
  }

  const insert = (size: number, signedAt: number, log = 0): Write => {
    return { kind: 'insert-checkpoint', log, size, signedAt, note: `note ${size}` }
  }

  const cosign = (size: number, to: string): Write => {
    return { kind: 'replace-cosignatures', log: 0, size, from: '', to }
  }

  async function sizes(log = 0): Promise<readonly number[]> {
    return (await store.listCheckpointsFrom(log, 0, 5_000)).map(({ size }) => size)
  }

  it('garbage collection keeps the last checkpoint of each hour, and all younger than a day', async () => {
    await commit(...[1, 2, 3].map((size) => insert(size, start + size)))
    await commit(...[4, 5].map((size) => insert(size, start + hour + size)))
    await commit(...[6, 7].map((size) => insert(size, start + 2 * hour + size)))
    await createCheckpointGc(store).run(start + 2 * hour + day)
    expect(await sizes()).toEqual([3, 5, 6, 7])
  })

  it('garbage collection keeps the last checkpoint with the most cosignatures, and those with a timestamp', async () => {
    await commit(...[1, 2, 3, 4, 5, 6, 7].map((size) => insert(size, start + size)))
    await commit(cosign(2, line('a') + line('b')), cosign(3, line('a') + line('b')), cosign(4, line('a')))
    await commit({ kind: 'set-timestamp', log: 0, size: 1, token: bytes(9, 1) }, cosign(6, line('a')))
    await createCheckpointGc(store).run(start + 2 * day)
    expect(await sizes()).toEqual([1, 3, 6, 7])
  })

  it('garbage collection keeps the newest checkpoint of each log, and one to be reissued', async () => {
    await commit(...[1, 2].map((size) => insert(size, start + size)))
    await commit(...[1, 2].map((size) => insert(size, start + size, 1)))
    await commit({ kind: 'request-checkpoint-reissue', log: 1, size: 1 })
    await createCheckpointGc(store).run(start + 900 * day)
    expect([await sizes(), await sizes(1)]).toEqual([[2], [1, 2]])
  })

  it('garbage collection continues where it stopped within an hour of many checkpoints', async () => {
    const many = Array.from({ length: 1_200 }, (_, i) => insert(i + 1, start + i))
    for (let at = 0; at < many.length; at += 200) await commit(...many.slice(at, at + 200))
    await commit(cosign(7, line('a')))
    const checkpointGc = createCheckpointGc(store)
    await checkpointGc.run(start + day + 60)
    expect(await sizes()).toHaveLength(1_200)
    await checkpointGc.run(start + day + hour)
    expect(await sizes()).toEqual([7, 1_200])
    await commit(...[1_201, 1_202].map((size) => insert(size, start + hour + size)))
    await checkpointGc.run(start + day + 2 * hour)
    expect(await sizes()).toEqual([7, 1_200, 1_202])
  })

  it('garbage collection deletes no checkpoint that was reissued or timestamped after it was read', async () => {
    await commit(...[1, 2].map((size) => insert(size, start + size)))
    await commit({ kind: 'set-timestamp', log: 0, size: 2, token: bytes(9, 1) })
    await commit({ kind: 'delete-checkpoint', log: 0, size: 1, signedAt: start })
    await commit({ kind: 'delete-checkpoint', log: 0, size: 2, signedAt: start + 2 })
    expect(await sizes()).toEqual([1, 2])
  })
})
