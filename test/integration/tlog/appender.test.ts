/** The journal on both engines: intents, late outcomes, keys that change while a leaf is made, gaps. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { parseLeaf } from '../../../crypto/tlog/audit-leaf.ts'
import { createSecretWrapper } from '../../../service/keys/wrapping.ts'
import { openStore } from '../../../service/store/open-store.ts'
import { type Store, StoreUnavailable } from '../../../service/store/store.ts'
import { type Appender, createAppender } from '../../../service/tlog/appender.ts'
import { createBlindIndex } from '../../../service/tlog/blind-index.ts'
import type { AppenderParts } from '../../../service/tlog/commit-entries.ts'
import { eraseUser } from '../../../service/tlog/crypto-shredding.ts'
import type { LogEntryInput } from '../../../service/tlog/entry.ts'
import { leafIdText } from '../../../service/tlog/entry.ts'
import { openDetail } from '../../../service/tlog/sealed-details.ts'
import { parseRetention } from '../../../service/tlog/settings.ts'
import { createSubjectKeys, type SubjectKeys } from '../../../service/tlog/subject-keys.ts'
import { testMacs } from '../../support/log-records.ts'
import { describeOnBothEngines, type TestDatabase } from '../store/engines.ts'
import { claimNonce, login, NOW } from '../store/records.ts'

const wrapper = createSecretWrapper([new Uint8Array(32).fill(7)])
const blindIndexOf = createBlindIndex(new Uint8Array(32).fill(9))
const user = 'user-1'
const tag = blindIndexOf('user', user)

describeOnBothEngines('the journal of a process', (create) => {
  let database: TestDatabase
  let store: Store
  let keys: SubjectKeys
  let appender: Appender
  let woken = 0

  function appenderOn(parts: Partial<AppenderParts> = {}): Appender {
    return createAppender({
      store,
      keys,
      blindIndexOf,
      macs: testMacs,
      retention: parseRetention(undefined),
      now: () => NOW,
      notify: () => {
        woken += 1
      },
      ...parts,
    })
  }

  beforeEach(async () => {
    woken = 0
    database = await create()
    store = await openStore(database.location)
    keys = createSubjectKeys(store, wrapper, () => NOW)
    appender = appenderOn()
  })

  afterEach(async () => {
    await store.close()
    await database.remove()
  })

  const entryInput = (kind: LogEntryInput['kind'] = 'request'): LogEntryInput => ({
    kind,
    result: 'ok',
    at: NOW * 1000,
    retention: appender.retentionOf('request', 'writes'),
    app: 'wxapp',
    groups: {
      core: { method: 'POST', path: '/wallet/transfers?x=1' },
      net: { ip: '10.0.0.1' },
      sub: { user },
    },
  })

  async function staged() {
    return (await store.listPending(100)).map((row) => ({ row, leaf: parseLeaf(row.leaf) }))
  }

  async function opened(index = 0): Promise<unknown> {
    const row = (await staged())[index]?.row
    const key = await keys.find(row?.userBlindIndex ?? null)
    if (row?.detail == null || key === undefined) return undefined
    return Object.fromEntries(
      [...openDetail(row.detail, row.id, key.key)].map(([label, { value }]) => [label, value]),
    )
  }

  test('stages a leaf with its tags, sealed for its person, and wakes the sequencer', async () => {
    const result = await appender.commit({ writes: [claimNonce(1)], leaves: [entryInput()] })
    const [first] = await staged()
    expect(result).toEqual({ kind: 'committed', receipt: first?.row.hash })
    expect(first?.row).toMatchObject({
      userBlindIndex: tag,
      ipBlindIndex: blindIndexOf('ip', '10.0.0.1'),
      pathBlindIndex: blindIndexOf('path', '/wallet/transfers'),
      areaBlindIndex: blindIndexOf('area', '/wallet'),
      deviceBlindIndex: null,
      app: 'wxapp',
    })
    expect(await opened()).toMatchObject({ sub: '{"user":"user-1"}' })
    expect(woken).toBe(1)
  })

  test('a write that is refused takes the leaf with it, and is named', async () => {
    await store.commit([claimNonce(1)])
    const write = claimNonce(1)
    const result = await appender.commit({ writes: [write], leaves: [entryInput()] })
    expect(result).toMatchObject({ kind: 'refused', write })
    expect(await staged()).toEqual([])
    expect(woken).toBe(0)
  })

  test('an intent becomes the leaf of its outcome, under its id', async () => {
    const begun = await appender.commitIntent([claimNonce(1)], entryInput())
    if (begun.kind === 'refused') throw new Error('refused')
    expect(await store.listIntents(NOW + 1, 10)).toMatchObject([
      { id: begun.intent, userBlindIndex: tag, startedAt: NOW },
    ])
    expect(await staged()).toEqual([])
    await appender.commit({ writes: [], leaves: [entryInput()], intent: begun.intent, isOutcome: true })
    expect((await staged())[0]?.leaf.id).toBe(leafIdText(begun.intent))
    expect(await store.listIntents(NOW + 1, 10)).toEqual([])
  })

  test('an intent that is lost is told of once by many processes, with what was known, and not before its time', async () => {
    const begun = await appender.commitIntent([], entryInput())
    await appender.logAbandonedIntents(NOW)
    expect(await staged()).toEqual([])
    await Promise.all(Array.from({ length: 6 }, () => appenderOn().logAbandonedIntents(NOW + 1)))
    const all = await staged()
    expect(all).toHaveLength(1)
    expect(all[0]?.leaf).toMatchObject({
      kind: 'outcome-unknown',
      result: 'unknown',
      app: 'wxapp',
      id: begun.kind === 'committed' && leafIdText(begun.intent),
    })
    expect(all[0]?.row.userBlindIndex).toEqual(tag)
    expect(await opened()).toMatchObject({
      core: `{"method":"POST","path":"/wallet/transfers?x=1","started_at":${NOW}}`,
    })
  })

  test('an outcome that comes after that is told too, under another id, and says which leaf it follows', async () => {
    const begun = await appender.commitIntent([], entryInput())
    if (begun.kind === 'refused') throw new Error('refused')
    await appender.logAbandonedIntents(NOW + 1)
    const late = { writes: [claimNonce(1)], leaves: [entryInput()], intent: begun.intent, isOutcome: true }
    expect((await appender.commit(late)).kind).toBe('committed')
    const all = await staged()
    expect(all.map(({ leaf }) => leaf.kind).sort()).toEqual(['outcome-unknown', 'request'])
    const request = all.find(({ leaf }) => leaf.kind === 'request')?.leaf
    expect(request?.facts).toEqual({ follows: leafIdText(begun.intent) })
    expect(request?.id).not.toBe(leafIdText(begun.intent))
  })

  test('of a lost intent whose person was erased nothing is told but that there was something', async () => {
    await login(store)
    await appender.commitIntent([], entryInput())
    await eraseUser(
      { store, appender, blindIndexOf, now: () => NOW },
      { user, reason: 'law', why: 'a court said so' },
    )
    await appenderOn().logAbandonedIntents(NOW + 1)
    const unknown = (await staged()).find(({ leaf }) => leaf.kind === 'outcome-unknown')
    expect(unknown?.leaf.commitments).toBeUndefined()
    expect(unknown?.row).toMatchObject({ userBlindIndex: null, ipBlindIndex: null, detail: null })
  })

  test('a key that was wrapped anew meanwhile is read again, and the leaf is sealed with it', async () => {
    await appender.ensureSubjectKey(user)
    const before = await store.findSubjectKey(tag)
    if (before === undefined) throw new Error('no key')
    const column = `subject_keys.key_wrapped` as const
    const secret = (await keys.find(tag))?.key ?? new Uint8Array(0)
    const { secretContext } = await import('../../../service/keys/wrapping.ts')
    const to = wrapper.wrap(secret, secretContext(column, [tag]))
    await store.commit([{ kind: 'replace-wrapped', column, row: [tag], from: before.keyWrapped, to }])
    expect((await appender.commit({ writes: [], leaves: [entryInput()], isOutcome: true })).kind).toBe(
      'committed',
    )
    expect(await opened()).toMatchObject({ sub: '{"user":"user-1"}' })
  })

  test('an outcome of a person who was erased meanwhile keeps its commitments, and nothing else', async () => {
    await login(store)
    await appender.ensureSubjectKey(user)
    await eraseUser(
      { store, appender, blindIndexOf, now: () => NOW },
      { user, reason: 'request', why: 'asked' },
    )
    await appender.commit({ writes: [], leaves: [entryInput()], isOutcome: true })
    const request = (await staged()).find(({ leaf }) => leaf.kind === 'request')
    expect(Object.keys(request?.leaf.commitments ?? {})).toEqual(['core', 'net', 'sub'])
    expect(request?.row).toMatchObject({
      userBlindIndex: null,
      ipBlindIndex: null,
      pathBlindIndex: null,
      detail: null,
    })
    expect(await store.findSubjectKey(tag)).toBeUndefined()
  })

  test('two processes that have a first leaf of one person at once seal with one key', async () => {
    const journals = Array.from({ length: 8 }, () =>
      appenderOn({ keys: createSubjectKeys(store, wrapper, () => NOW) }),
    )
    await Promise.all(journals.map((one) => one.commit({ writes: [], leaves: [entryInput()] })))
    for (let i = 0; i < 8; i++) expect(await opened(i)).toMatchObject({ sub: '{"user":"user-1"}' })
  })

  test('what could not be logged is told by the first commit that succeeds, with it, and once', async () => {
    let isDown = true
    const failing = appenderOn({
      store: {
        ...store,
        commit: async (writes) => {
          if (isDown) throw new StoreUnavailable(new Error('down'))
          return await store.commit(writes)
        },
      },
    })
    await failing.ensureSubjectKey(user)
    const receipt = await failing.refuse(entryInput('refused'), 'replayed', '10.0.0.1')
    expect(receipt).toBeUndefined()
    failing.countGap()
    await expect(failing.commit({ writes: [], leaves: [entryInput()] })).rejects.toThrow(StoreUnavailable)
    await expect(failing.flush()).rejects.toThrow(StoreUnavailable)
    isDown = false
    await failing.commitIntent([claimNonce(1)], entryInput())
    const [gap, ...more] = await staged()
    expect(more).toEqual([])
    expect(gap?.leaf).toMatchObject({ kind: 'gap', result: 'unknown', facts: { n: 2 } })
    expect(gap?.leaf.commitments).toBeUndefined()
    await failing.flush()
    expect(await staged()).toHaveLength(1)
  })

  test('a refused write does not lose the gap', async () => {
    appender.countGap()
    await store.commit([claimNonce(1)])
    expect((await appender.commit({ writes: [claimNonce(1)], leaves: [entryInput()] })).kind).toBe('refused')
    await appender.flush()
    expect((await staged()).map(({ leaf }) => leaf.kind)).toEqual(['gap'])
  })

  test('refusals over the budget become one leaf for each code', async () => {
    for (let i = 0; i < 40; i++)
      await appender.refuse({ ...entryInput('refused'), code: 'replayed' }, 'replayed', '10.0.0.1')
    await appender.flush()
    const all = await staged()
    expect(all.filter(({ leaf }) => leaf.kind === 'refused')).toHaveLength(30)
    const [aggregate, ...more] = all.filter(({ leaf }) => leaf.kind === 'refused-aggregate')
    expect(more).toEqual([])
    expect(aggregate?.leaf).toMatchObject({ result: 'refused', facts: { code: 'replayed', n: 10 } })
    expect(aggregate?.row.code).toBe('replayed')
  })
})
