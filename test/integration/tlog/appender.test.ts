/** The journal on both engines: intents, late outcomes, keys that change while a leaf is made, gaps. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { parseLeaf } from '../../../crypto/tlog/audit-leaf.ts'
import { createSecretWrapper } from '../../../service/keys/wrapping.ts'
import { openStore } from '../../../service/store/open-store.ts'
import { type Store, StoreUnavailable } from '../../../service/store/store.ts'
import { type Appender, createAppender } from '../../../service/tlog/appender.ts'
import { createBlindIndex } from '../../../service/tlog/blind-index.ts'
import type { AppenderDependencies } from '../../../service/tlog/commit-entries.ts'
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

  function appenderOn(parts: Partial<AppenderDependencies> = {}): Appender {
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

  test('an entry is inserted as pending with its blind indexes and encrypted details, and the sequencer is notified', async () => {
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

  test('a refused write undoes the insertion of the entry and is named', async () => {
    await store.commit([claimNonce(1)])
    const write = claimNonce(1)
    const result = await appender.commit({ writes: [write], leaves: [entryInput()] })
    expect(result).toMatchObject({ kind: 'refused', write })
    expect(await staged()).toEqual([])
    expect(woken).toBe(0)
  })

  test('an intent becomes the entry of its outcome with the same id', async () => {
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

  test('a lost intent is logged once by many processes, with its known facts, and not before its time', async () => {
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

  test('an outcome after that is logged with another id and a reference to the first entry', async () => {
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

  test('the entry of a lost intent of an erased user has no details', async () => {
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

  test('a subject key that was rewrapped meanwhile is reread and encrypts the details', async () => {
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

  test('the entry of a user who was erased meanwhile keeps only its commitments', async () => {
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

  test('two processes with the first entries of one user use one subject key', async () => {
    const journals = Array.from({ length: 8 }, () =>
      appenderOn({ keys: createSubjectKeys(store, wrapper, () => NOW) }),
    )
    await Promise.all(journals.map((one) => one.commit({ writes: [], leaves: [entryInput()] })))
    for (let i = 0; i < 8; i++) expect(await opened(i)).toMatchObject({ sub: '{"user":"user-1"}' })
  })

  test('the first successful commit logs the gap of entries that could not be logged, once', async () => {
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

  test('refusals over the budget become one entry for each code', async () => {
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
