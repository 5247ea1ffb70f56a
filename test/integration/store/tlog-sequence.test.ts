/** Sequencing on both engines: every pending entry gets one index, whichever process sequences. */
import { expect, it } from 'vitest'
import { openStore } from '../../../service/store/open-store.ts'
import { StoreUnavailable } from '../../../service/store/store.ts'
import { globalIndexOf } from '../../../service/store/tlog-entries.ts'
import {
  appendPending,
  emptyLog,
  pendingEntry,
  plainGrow,
  sealedPendingEntry,
  sealedState,
} from '../../support/log-records.ts'
import { plainRoot, plainTiles } from '../../support/plain-tree.ts'
import { describeOnBothEngines, openForEach } from './engines.ts'

describeOnBothEngines('sequencing', (create) => {
  const at = openForEach(create)

  const startLog = () => at.store.commit([{ kind: 'insert-log-state', state: emptyLog }])

  it('sequencing does nothing without a log or without pending entries', async () => {
    const { grow } = plainGrow()
    await appendPending(at.store, pendingEntry(1))
    expect(await at.store.sequence(grow, 256)).toEqual({ kind: 'no-log' })
    await startLog()
    expect(await at.store.sequence(grow, 256)).toMatchObject({ kind: 'sequenced', leaves: 1 })
    expect(await at.store.sequence(grow, 256)).toEqual({ kind: 'idle' })
  })

  it('sequencing moves entries unchanged, with their blind indexes, and counts their hour', async () => {
    await startLog()
    const entry = pendingEntry(7, {
      at: 1_764_003_600_000 + 59,
      result: 'refused',
      code: 'replayed',
      ipBlindIndex: Uint8Array.of(8, 8, 8, 8, 8, 8, 8, 8),
    })
    await appendPending(
      at.store,
      entry,
      pendingEntry(8, { at: entry.at, result: 'refused', code: 'replayed' }),
    )
    await at.store.sequence(plainGrow().grow, 256)
    const found = await at.store.findLogEntryById(entry.id)
    expect(found).toEqual({ ...entry, globalIndex: found?.globalIndex })
    expect(await at.store.findLogEntryByHash(entry.hash)).toEqual(found)
    expect(await at.store.findLogEntry(found?.globalIndex ?? -1)).toEqual(found)
    expect(await at.store.countPending()).toBe(0)
    expect(await at.store.hasPending()).toBe(false)
    await appendPending(at.store, pendingEntry(9, { at: entry.at, result: 'refused', code: 'replayed' }))
    expect(await at.store.hasPending()).toBe(true)
    await at.store.sequence(plainGrow().grow, 256).catch(() => {})
    const hours = await at.database.sql('select * from tlog_hourly_counts')
    expect(
      hours.map(({ hour, kind, result, code, entries }) => [
        Number(hour),
        kind,
        result,
        code,
        Number(entries),
      ]),
    ).toEqual([[1_764_003_600, 'request', 'refused', 'replayed', expect.any(Number)]])
  })

  it('tiles and root match RFC 6962 after batches of every size', async () => {
    await startLog()
    const { grow, hashes } = plainGrow()
    let seed = 0
    for (const batch of [1, 2, 5, 8, 9, 64, 65, 100, 1, 256, 256, 3]) {
      const entries = Array.from({ length: batch }, () => pendingEntry(seed++))
      await appendPending(at.store, ...entries)
      expect(await at.store.sequence(grow, 256)).toMatchObject({ kind: 'sequenced', leaves: batch })
    }
    expect(hashes).toHaveLength(seed)
    const state = await at.store.findLogState()
    expect(state).toEqual(sealedState({ ...emptyLog, size: seed, root: plainRoot(hashes) }))
    const entries = await at.store.listLogEntries(0, globalIndexOf(1, 0), seed + 1)
    expect(entries.map(({ globalIndex }) => globalIndex)).toEqual(hashes.map((_, i) => i))
    expect(entries.map(({ hash }) => hash)).toEqual(hashes)
    expect(await at.store.listLeaves(3, 6, 10)).toEqual(
      entries.slice(3, 6).map(({ globalIndex, leaf }) => ({ globalIndex, leaf })),
    )
    for (const [name, tile] of plainTiles(hashes)) {
      const [level = 0, index = 0] = name.split('/').map(Number)
      expect((await at.store.findTile(0, level, index))?.hashes).toEqual(tile)
    }
  })

  it('a batch receives the partial tiles of the tree', async () => {
    await startLog()
    const { grow } = plainGrow()
    const seen: string[][] = []
    for (const [i, batch] of [255, 1, 4, 252, 1].entries()) {
      await appendPending(at.store, ...Array.from({ length: batch }, (_, j) => pendingEntry(i * 1000 + j)))
      await at.store.sequence((given) => {
        seen.push(
          given.edge.map(({ level, index, hashes }) => `${level}/${index}:${hashes.length / 32}`).sort(),
        )
        return grow(given)
      }, 256)
    }
    expect(seen).toEqual([[], ['0/0:255'], ['1/0:1'], ['0/1:4', '1/0:1'], ['1/0:2']])
  })

  it('an entry that commits late, with an earlier id and time, is sequenced later', async () => {
    await startLog()
    const { grow, hashes } = plainGrow()
    const late = pendingEntry(1, { id: new Uint8Array(16), at: 1 })
    await appendPending(at.store, pendingEntry(2), pendingEntry(3))
    await at.store.sequence(grow, 256)
    await appendPending(at.store, late)
    await at.store.sequence(grow, 256)
    expect(hashes).toHaveLength(3)
    expect((await at.store.findLogEntryByHash(late.hash))?.globalIndex).toBe(2)
  })

  it('a batch takes at most its limit', async () => {
    await startLog()
    const { grow } = plainGrow()
    await appendPending(at.store, ...Array.from({ length: 20 }, (_, i) => pendingEntry(i)))
    expect(await at.store.sequence(grow, 12)).toMatchObject({ leaves: 12 })
    expect(await at.store.countPending()).toBe(8)
    expect(await at.store.sequence(grow, 12)).toMatchObject({ leaves: 8, state: { size: 20 } })
  })

  it('a batch whose tree cannot be computed is undone, and the reason is returned', async () => {
    await startLog()
    await appendPending(at.store, pendingEntry(1))
    const cause = new Error('no')
    const grow = () => {
      throw cause
    }
    expect(await at.store.sequence(grow, 256)).toEqual({ kind: 'refused', cause })
    expect(await at.store.countPending()).toBe(1)
    expect(await at.store.findLogState()).toEqual(emptyLog)
  })

  it('a batch is undone when a tile, the state or an index changed meanwhile', async () => {
    await startLog()
    const { grow } = plainGrow()
    await appendPending(at.store, pendingEntry(1))
    await at.store.sequence(grow, 256)
    await appendPending(at.store, pendingEntry(2))
    await at.database.sql('update tlog_tiles set hashes = leaf from tlog_entries where global_index = 0')
    await expect(at.store.sequence(grow, 256)).rejects.toThrow()
    expect(await at.store.countPending()).toBe(1)
    expect((await at.store.findLogState())?.size).toBe(1)
    expect(await at.store.findLogEntry(1)).toBeUndefined()
  })

  it('a batch with a taken index fails, and other work of its transaction commits', async () => {
    await startLog()
    await at.store.commit([{ kind: 'insert-log-entry', entry: { ...pendingEntry(50), globalIndex: 0 } }])
    await appendPending(at.store, pendingEntry(1))
    const [sequenced, neighbour] = await Promise.allSettled([
      at.store.sequence(plainGrow().grow, 256),
      at.store.commit([{ kind: 'insert-pending-entry', entry: sealedPendingEntry(pendingEntry(2)) }]),
    ])
    expect(sequenced).toMatchObject({ status: 'rejected', reason: expect.any(StoreUnavailable) })
    expect(neighbour).toMatchObject({ status: 'fulfilled', value: { kind: 'committed' } })
  })

  it('four connections that sequence at once lose and duplicate no entry', async () => {
    await startLog()
    const others = await Promise.all([1, 2, 3].map(() => openStore(at.database.location)))
    const stores = [at.store, ...others]
    // The connections share one tree: each batch continues the one before.
    const { grow, hashes } = plainGrow()
    const total = 400
    let staged = 0
    const work = stores.map(async (mine) => {
      while (staged < total || (await mine.hasPending())) {
        if (staged < total) {
          const from = staged
          staged += 5
          await appendPending(mine, ...[0, 1, 2, 3, 4].map((i) => pendingEntry(from + i)))
        }
        await mine.sequence(grow, 16)
      }
    })
    await Promise.all(work)
    await Promise.all(others.map((other) => other.close()))
    expect(await at.store.findLogState()).toEqual(
      sealedState({ ...emptyLog, size: total, root: plainRoot(hashes) }),
    )
    const entries = await at.store.listLogEntries(0, total + 1, total + 1)
    expect(entries.map(({ globalIndex }) => globalIndex)).toEqual(Array.from({ length: total }, (_, i) => i))
    expect(entries.map(({ hash }) => hash)).toEqual(hashes)
  })

  it('sequencing continues in a newly started log, with indexes beyond all others', async () => {
    await startLog()
    const first = plainGrow()
    await appendPending(at.store, pendingEntry(1))
    await at.store.sequence(first.grow, 256)
    const { root } = (await at.store.findLogState()) ?? emptyLog
    const next = { ...emptyLog, log: 1, origin: `${emptyLog.origin}-2` }
    const hold = { kind: 'lock-log-state', log: 0, size: 1 } as const
    const start = { kind: 'insert-log-state', state: next } as const
    expect(await at.store.commit([{ ...hold, root: new Uint8Array(32) }, start])).toMatchObject({
      kind: 'refused',
      index: 0,
    })
    expect(await at.store.commit([{ ...hold, root }, start])).toEqual({ kind: 'committed' })
    await appendPending(at.store, pendingEntry(2))
    await at.store.sequence(plainGrow().grow, 256)
    expect((await at.store.findLogEntryByHash(pendingEntry(2).hash))?.globalIndex).toBe(globalIndexOf(1, 0))
    expect((await at.store.listLogStates()).map(({ log, size }) => [log, size])).toEqual([
      [0, 1],
      [1, 1],
    ])
  })
})
