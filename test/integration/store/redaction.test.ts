/** Intents, subject keys and redaction, on both engines. */
import { expect, test } from 'vitest'
import {
  appendPending,
  emptyLog,
  pendingEntry,
  plainGrow,
  sealedPendingEntry,
} from '../../support/log-records.ts'
import { describeOnBothEngines, openForEach } from './engines.ts'
import { bytes, DAY, holdSubjectKey, insertSubjectKey, login, NOW, putIntent } from './records.ts'

const MANY = Array.from({ length: 40 }, (_, i) => i)

describeOnBothEngines('intents, subject keys and redaction', (create) => {
  const at = openForEach(create, 2)
  const { commit } = at
  const deleteIntent = (seed: number) => ({ kind: 'delete-intent', id: bytes(16, seed) }) as const

  async function sequenceAll(): Promise<void> {
    await commit({ kind: 'insert-log-state', state: emptyLog })
    const result = await at.store.sequence(plainGrow().grow, 256)
    if (result.kind !== 'sequenced') throw new Error(result.kind)
  }

  test('intents that began before a time are listed, oldest first', async () => {
    await commit(putIntent(1, NOW, bytes(8, 5)), putIntent(2, NOW - 9), putIntent(3, NOW + 1))
    const listed = await at.store.listIntents(NOW + 1, 10)
    expect(listed).toEqual([putIntent(2, NOW - 9).intent, putIntent(1, NOW, bytes(8, 5)).intent])
    expect(await at.store.listIntents(NOW + 1, 1)).toHaveLength(1)
  })

  test('an intent is inserted once', async () => {
    expect(await commit(putIntent(1))).toBe('committed')
    expect(await commit(putIntent(1))).toBe('refused')
  })

  test('of many simultaneous deletions of an intent over two connections exactly one commits', async () => {
    await commit(putIntent(1))
    const results = await Promise.all(
      MANY.map((i) =>
        at
          .either(i)
          .commit([
            deleteIntent(1),
            { kind: 'insert-pending-entry', entry: sealedPendingEntry(pendingEntry(i)) },
          ]),
      ),
    )
    expect(results.filter(({ kind }) => kind === 'committed')).toHaveLength(1)
    expect(await at.store.countPending()).toBe(1)
    expect(await commit(deleteIntent(1))).toBe('refused')
  })

  test('of many simultaneous subject keys for one person exactly one commits', async () => {
    const results = await Promise.all(MANY.map((i) => at.either(i).commit([insertSubjectKey(1, i)])))
    const winner = results.findIndex(({ kind }) => kind === 'committed')
    expect(results.filter(({ kind }) => kind === 'committed')).toHaveLength(1)
    expect((await at.other.findSubjectKey(bytes(8, 1)))?.keyWrapped).toEqual(bytes(60, winner))
  })

  test('a subject key is locked only in its current form, and not after it was deleted', async () => {
    await commit(insertSubjectKey(1, 1))
    expect(await commit(holdSubjectKey(1, 1))).toBe('committed')
    expect(await commit(holdSubjectKey(1, 2))).toBe('refused')
    expect(await commit({ kind: 'delete-subject-key', subjectIndex: bytes(8, 1) })).toBe('committed')
    expect(await commit(holdSubjectKey(1, 1))).toBe('refused')
    expect(await commit({ kind: 'delete-subject-key', subjectIndex: bytes(8, 1) })).toBe('refused')
  })

  test('an entry that is inserted with a locked key is visible to the deletion of the key, or is refused', async () => {
    for (const round of MANY) {
      await commit(insertSubjectKey(round, 1))
      const entry = sealedPendingEntry(pendingEntry(round, { userBlindIndex: bytes(8, round) }))
      const [staged] = await Promise.all([
        at.store.commit([holdSubjectKey(round, 1), { kind: 'insert-pending-entry', entry }]),
        at.other.commit([
          { kind: 'delete-subject-key', subjectIndex: bytes(8, round) },
          { kind: 'redact-pending-entries', blindIndex: bytes(8, round) },
        ]),
      ])
      const found = await at.store.findPending(entry.id)
      expect(found === undefined ? 'absent' : found.userBlindIndex).toBe(
        staged.kind === 'committed' ? null : 'absent',
      )
    }
  })

  test('a pending entry is found by id and by hash', async () => {
    const entry = sealedPendingEntry(pendingEntry(3))
    await appendPending(at.store, entry)
    expect(await at.store.findPending(entry.id)).toEqual(entry)
    expect(await at.store.findPending(entry.hash)).toEqual(entry)
    expect(await at.store.findPending(pendingEntry(4).hash)).toBeUndefined()
  })

  test("redaction erases a person's blind indexes and details, pending or sequenced, in bounded steps", async () => {
    const tags = {
      deviceBlindIndex: bytes(8, 7),
      ipBlindIndex: bytes(8, 8),
      pathBlindIndex: bytes(8, 9),
      areaBlindIndex: bytes(8, 10),
    }
    const person = bytes(8, 1)
    await appendPending(
      at.store,
      ...[1, 2, 3].map((seed) => pendingEntry(seed, { ...tags, userBlindIndex: person })),
    )
    await appendPending(at.store, pendingEntry(4, { ...tags, userBlindIndex: bytes(8, 2) }))
    await sequenceAll()
    await appendPending(at.store, pendingEntry(5, { ...tags, userBlindIndex: person }))
    expect(await at.store.hasEntriesWith(person)).toBe(true)
    await commit(
      { kind: 'redact-pending-entries', blindIndex: person },
      { kind: 'redact-entries', blindIndex: person, limit: 2 },
    )
    expect(await at.store.hasEntriesWith(person)).toBe(true)
    await commit({ kind: 'redact-entries', blindIndex: person, limit: 2 })
    expect(await at.store.hasEntriesWith(person)).toBe(false)
    const blank = {
      userBlindIndex: null,
      deviceBlindIndex: null,
      ipBlindIndex: null,
      pathBlindIndex: null,
      areaBlindIndex: null,
      detail: null,
    }
    for (const seed of [1, 2, 3]) {
      const { hash, leaf } = pendingEntry(seed)
      expect(await at.store.findLogEntryByHash(hash)).toMatchObject({ ...blank, leaf })
    }
    expect(await at.store.findPending(pendingEntry(5).id)).toMatchObject(blank)
    expect(await at.store.findLogEntryByHash(pendingEntry(4).hash)).toMatchObject({
      ...tags,
      userBlindIndex: bytes(8, 2),
      detail: pendingEntry(4).detail,
    })
  })

  test('redaction by device covers only entries without a user', async () => {
    const device = bytes(8, 7)
    await appendPending(at.store, pendingEntry(1, { userBlindIndex: null, deviceBlindIndex: device }))
    await appendPending(at.store, pendingEntry(2, { userBlindIndex: bytes(8, 2), deviceBlindIndex: device }))
    await sequenceAll()
    await commit({ kind: 'redact-entries', blindIndex: device, limit: 10 })
    expect(await at.store.findLogEntryByHash(pendingEntry(1).hash)).toMatchObject({
      deviceBlindIndex: null,
      detail: null,
    })
    expect(await at.store.findLogEntryByHash(pendingEntry(2).hash)).toMatchObject({
      deviceBlindIndex: device,
    })
  })

  test('redaction removes the user from their intents', async () => {
    await commit(putIntent(1, NOW, bytes(8, 1)), putIntent(2, NOW, bytes(8, 2)))
    await commit({ kind: 'redact-intents', blindIndex: bytes(8, 1) })
    const tags = (await at.store.listIntents(NOW + 1, 10)).map(({ userBlindIndex }) => userBlindIndex)
    expect(tags).toContainEqual(null)
    expect(tags).toContainEqual(bytes(8, 2))
  })

  test("redaction erases a user's secrets and the names of their devices", async () => {
    await login(at.store)
    await commit({ kind: 'rename-device', id: 'device-1', user: 'user-1', name: 'Phone' })
    const blanked = await commit(
      { kind: 'redact-user', id: 'user-1', now: NOW },
      { kind: 'redact-device-names', user: 'user-1' },
    )
    expect(blanked).toBe('committed')
    const nothing = new Uint8Array(0)
    expect(await at.store.findUser('user-1')).toMatchObject({
      openidWrapped: nothing,
      sessionKeyWrapped: nothing,
    })
    expect(await at.store.findDevice('device-1')).toMatchObject({ name: null, platform: null })
    // Erased values are not rewrapped.
    expect(await at.store.countWrapped('users.openid_wrapped', bytes(5, 99))).toBe(0)
    expect(await commit({ kind: 'redact-user', id: 'user-2', now: NOW })).toBe('refused')
  })

  test('pruning erases expired details and their blind indexes in small steps, and keeps the leaves', async () => {
    await appendPending(
      at.store,
      ...[1, 2, 3].map((seed) => pendingEntry(seed, { detailExpiresAt: NOW - 1 })),
      pendingEntry(4, { detailExpiresAt: NOW + DAY }),
    )
    await sequenceAll()
    expect(await at.store.prune(NOW, 2)).toBe(2)
    expect(await at.store.prune(NOW, 2)).toBe(1)
    expect(await at.store.prune(NOW, 2)).toBe(0)
    const { hash, leaf } = pendingEntry(1)
    expect(await at.store.findLogEntryByHash(hash)).toMatchObject({
      leaf,
      detail: null,
      userBlindIndex: null,
    })
    expect(await at.store.findLogEntryByHash(pendingEntry(4).hash)).toMatchObject({
      detail: pendingEntry(4).detail,
    })
  })
})
