/** No commit is acknowledged before it is on disk, and no group waits longer than necessary. */
import { setImmediate as turn } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { GroupCommit } from '../../../service/store/sqlite/group-commit.ts'
import type { WalSync } from '../../../service/store/sqlite/wal-sync.ts'
import { StoreUnavailable } from '../../../service/store/store.ts'

/** A disk whose flushes end when the test ends them. */
class SlowDisk implements WalSync {
  readonly flushes: { readonly end: () => void; readonly fail: (error: Error) => void }[] = []

  flush(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.flushes.push({ end: resolve, fail: reject })
    })
  }

  close(): void {}
}

describe('group commit', () => {
  let connection: Database.Database
  let disk: SlowDisk
  let group: GroupCommit

  beforeEach(() => {
    connection = new Database(':memory:')
    connection.exec('create table kept (value integer primary key)')
    disk = new SlowDisk()
    group = new GroupCommit(connection, disk)
  })

  afterEach(() => {
    connection.close()
  })

  const insert = (value: number) => () => {
    const { changes } = connection.prepare('insert or ignore into kept values (?)').run(value)
    return { keep: true, value: changes }
  }
  const kept = () => connection.prepare('select value from kept order by value').pluck().all()

  /** What has become of a promise by now. */
  const stateOf = async (promise: Promise<unknown>): Promise<'waiting' | 'done'> => {
    await turn()
    return await Promise.race([promise.then(() => 'done' as const), Promise.resolve('waiting' as const)])
  }

  it('a commit is acknowledged only after a flush that began after it', async () => {
    const first = group.add(insert(1))
    await turn()
    const second = group.add(insert(2))
    expect(await stateOf(first)).toBe('waiting')
    expect(kept()).toEqual([1])
    disk.flushes[0]?.end()
    expect(await first).toBe(1)
    expect(await stateOf(second)).toBe('waiting')
    disk.flushes[1]?.end()
    expect(await second).toBe(1)
  })

  it('commits that arrive during a flush share the next transaction', async () => {
    const first = group.add(insert(1))
    await turn()
    const others = [2, 3, 4].map((value) => group.add(insert(value)))
    disk.flushes[0]?.end()
    await first
    await turn()
    disk.flushes[1]?.end()
    await Promise.all(others)
    expect(disk.flushes).toHaveLength(2)
    expect(kept()).toEqual([1, 2, 3, 4])
  })

  it('a commit that loses against another of its group waits for the flush, too', async () => {
    const winner = group.add(insert(1))
    const loser = group.add(() => ({ keep: false, value: insert(1)().value }))
    expect(await stateOf(loser)).toBe('waiting')
    disk.flushes[0]?.end()
    expect(await Promise.all([winner, loser])).toEqual([1, 0])
  })

  it('work that rolls itself back or throws does not affect the rest of its group', async () => {
    const run = Promise.allSettled([
      group.add(insert(1)),
      group.add(() => ({ keep: false, value: insert(2)().value })),
      group.add(() => {
        insert(3)()
        throw new Error('not a driver error')
      }),
      group.add(insert(4)),
    ])
    await turn()
    disk.flushes[0]?.end()
    expect((await run).map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'rejected',
      'fulfilled',
    ])
    expect(kept()).toEqual([1, 4])
  })

  it('a failed flush makes its group and all later commits unavailable', async () => {
    const lost = group.add(insert(1))
    await turn()
    const waiting = group.add(insert(2))
    disk.flushes[0]?.fail(new Error('EIO'))
    await expect(lost).rejects.toBeInstanceOf(StoreUnavailable)
    await expect(waiting).rejects.toBeInstanceOf(StoreUnavailable)
    await expect(group.add(insert(3))).rejects.toBeInstanceOf(StoreUnavailable)
    expect(disk.flushes).toHaveLength(1)
    expect(kept()).toEqual([1])
  })

  it('closing waits until all accepted commits are on disk', async () => {
    const first = group.add(insert(1))
    await turn()
    const second = group.add(insert(2))
    const closed = group.close()
    await expect(group.add(insert(3))).rejects.toBeInstanceOf(StoreUnavailable)
    disk.flushes[0]?.end()
    await first
    expect(await stateOf(closed)).toBe('waiting')
    disk.flushes[1]?.end()
    await Promise.all([second, closed])
    expect(kept()).toEqual([1, 2])
  })
})
