/** Outboxes: numbers without gaps, pruning from the oldest event on, and change notifications. */
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeEach, expect, test } from 'vitest'
import type { Change } from '../../../service/store/changes.ts'
import { describeOnBothEngines, openForEach } from './engines.ts'
import { startChild } from './processes.ts'
import {
  bytes,
  claimNonce,
  endSession,
  HOUR,
  insertSession,
  login,
  NOW,
  pushEvent,
  putDevice,
  putUser,
} from './records.ts'

const MANY = Array.from({ length: 100 }, (_, i) => i)

function upTo(last: number): number[] {
  return Array.from({ length: last }, (_, i) => i + 1)
}

describeOnBothEngines('events', (create) => {
  const at = openForEach(create, 2)

  beforeEach(() => login(at.store))

  const { commit } = at

  async function numbers(after = 0, user = 'user-1'): Promise<number[]> {
    return (await at.store.listEvents(user, after, 1000)).events.map(({ sequence }) => sequence)
  }

  test('events of each user are numbered from 1 and are read back unchanged', async () => {
    await commit(putUser('user-2'))
    await commit(pushEvent(1))
    await commit(pushEvent(2), pushEvent(3))
    await commit(pushEvent(1, { user: 'user-2', now: NOW + 5, expiresAt: NOW + 9 }))
    expect(await numbers()).toEqual([1, 2, 3])
    const { id, payloadWrapped } = pushEvent(1)
    expect(await at.store.listEvents('user-2', 0, 10)).toEqual({
      first: 1,
      last: 1,
      events: [{ user: 'user-2', id, sequence: 1, payloadWrapped, createdAt: NOW + 5, expiresAt: NOW + 9 }],
    })
    expect((await at.store.findEvent('user-1', pushEvent(3).id))?.sequence).toBe(3)
    expect(await at.store.findEvent('user-2', pushEvent(3).id)).toBe(undefined)
  })

  test('events after a number are read page by page, and an unknown user has none', async () => {
    await commit(...upTo(9).map((seed) => pushEvent(seed)))
    const page = await at.store.listEvents('user-1', 3, 4)
    expect([page.first, page.last, page.events.map(({ sequence }) => sequence)]).toEqual([1, 9, [4, 5, 6, 7]])
    expect(await at.store.listEvents('user-1', 9, 4)).toEqual({ first: 1, last: 9, events: [] })
    expect(await at.store.listEvents('user-1', 2 ** 53 - 1, 4)).toEqual({ first: 1, last: 9, events: [] })
    expect(await at.store.listEvents('nobody', 0, 4)).toEqual({ first: 1, last: 0, events: [] })
  })

  test('an event of an unknown user or with a used id is refused and takes no number', async () => {
    expect(await commit(pushEvent(1, { user: 'nobody' }))).toBe('refused')
    expect(await commit(pushEvent(1))).toBe('committed')
    expect(await commit(pushEvent(1))).toBe('refused')
    expect(await commit(pushEvent(2), pushEvent(2))).toBe('refused')
    expect(await commit(pushEvent(3))).toBe('committed')
    expect(await numbers()).toEqual([1, 2])
  })

  test('an event is undone with its commit, and so is its number', async () => {
    await commit(claimNonce(1))
    expect(await commit(pushEvent(1), claimNonce(1))).toBe('refused')
    expect(await commit(insertSession(2), pushEvent(2))).toBe('committed')
    expect(await at.store.findSession(bytes(16, 2))).toBeDefined()
    expect(await numbers()).toEqual([1])
  })

  test('numbers have no gap when two connections append, fail and are refused at the same time', async () => {
    await commit(claimNonce(7))
    const results = await Promise.all(
      MANY.map((i) => at.either(i).commit([pushEvent(i), ...(i % 5 === 0 ? [claimNonce(7)] : [])])),
    )
    expect(results.map(({ kind }) => kind)).toEqual(MANY.map((i) => (i % 5 === 0 ? 'refused' : 'committed')))
    expect(await numbers()).toEqual(upTo(80))
  })

  test('of many simultaneous events with one id exactly one commits', async () => {
    const results = await Promise.all(
      MANY.map((i) => at.either(i).commit([pushEvent(7, { payloadWrapped: bytes(50, i) })])),
    )
    expect(results.filter(({ kind }) => kind === 'committed')).toHaveLength(1)
    expect(await numbers()).toEqual([1])
  })

  test('numbers have no gap, for writers or readers, when several processes append at the same time', async () => {
    const children = await Promise.all([1, 2, 3].map(() => startChild('push', at.database.location)))
    for (const child of children) child.go()
    const gaps: number[][] = []
    let isOver = false
    const ended = Promise.all(children.map(({ exit }) => exit)).then(() => {
      isOver = true
    })
    while (!isOver) {
      const seen = await numbers()
      if (seen.some((number, i) => number !== i + 1)) gaps.push(seen)
      await sleep(5)
    }
    await ended
    for (const { lines } of children) {
      expect(lines.filter((line) => line === 'committed')).toHaveLength(100)
    }
    expect(gaps).toEqual([])
    expect(await numbers()).toEqual(upTo(300))
  }, 60_000)

  test('pruning deletes from the oldest event up to the newest expired one', async () => {
    const ends = [NOW + 5, NOW + 90, NOW + 7, NOW + 80, NOW + 100]
    await commit(...ends.map((expiresAt, i) => pushEvent(i, { expiresAt })))
    expect(await at.store.prune(NOW + 5, 100)).toBe(0)
    await at.store.prune(NOW + 10, 100)
    expect(await at.store.listEvents('user-1', 0, 10)).toMatchObject({
      first: 4,
      last: 5,
      events: [{ sequence: 4 }, { sequence: 5 }],
    })
    await at.store.prune(NOW + HOUR, 100)
    expect(await at.store.listEvents('user-1', 0, 10)).toEqual({ first: 6, last: 5, events: [] })
    expect(await at.database.sql('select * from events')).toEqual([])
    await commit(pushEvent(1))
    expect(await numbers()).toEqual([6])
  })

  test('a reader sees no gap while events are pruned in small steps over two connections', async () => {
    await commit(putUser('user-2'))
    const old = MANY.flatMap((i) => [pushEvent(i), pushEvent(i, { user: 'user-2' })])
    await commit(...old, ...MANY.map((i) => pushEvent(i + 1000, { expiresAt: NOW + 3 * HOUR })))
    let isOver = false
    const pruned = (async () => {
      let total = 0
      for (let step = -1; step !== 0; total += step) step = await at.other.prune(NOW + 2 * HOUR, 7)
      isOver = true
      return total
    })()
    while (!isOver) {
      const { first, events } = await at.store.listEvents('user-1', 0, 1000)
      expect(events.map(({ sequence }) => sequence)).toEqual(upTo(200).slice(first - 1))
      await sleep(1)
    }
    // 200 events, and the beginnings of two outboxes.
    expect(await pruned).toBe(202)
    expect([(await numbers())[0], (await numbers(0, 'user-2')).length]).toEqual([101, 0])
  })

  test('the newest numbers of many users and the active ones of many sessions are listed', async () => {
    await commit(putUser('user-2'), putUser('user-3'), putDevice('gone'), putDevice('device-2', 'user-2'))
    await commit(pushEvent(1), pushEvent(2), pushEvent(1, { user: 'user-2' }))
    const others = Array.from({ length: 1200 }, (_, i) => `other-${i}`)
    expect(await at.store.listLastEvents([...others, 'user-2', 'user-3', 'user-1'])).toEqual(
      new Map([
        ['user-1', 2],
        ['user-2', 1],
      ]),
    )
    const { session } = insertSession(4)
    await commit(insertSession(2), insertSession(3, NOW - 2 * HOUR), {
      kind: 'insert-session',
      session: { ...session, device: 'gone' },
    })
    await commit(endSession(2), { kind: 'revoke-device', id: 'gone', user: 'user-1', now: NOW })
    const ids = [1, 2, 3, 4, 5].map((seed) => bytes(16, seed))
    const strangers = Array.from({ length: 1200 }, (_, i) => new Uint8Array(16).fill(i % 256))
    expect(await at.store.listActiveSessions([...strangers, ...ids], NOW)).toEqual([bytes(16, 1)])
    expect(await at.store.listLastEvents([])).toEqual(new Map())
    expect(await at.store.listActiveSessions([], NOW)).toEqual([])
  })

  test('listeners are notified of appended events and ended sessions, by both connections, until they stop', async () => {
    const notified: Change[] = []
    const heardThere: Change[] = []
    const stop = at.store.watch((change) => notified.push(change))
    const stopThere = at.other.watch((change) => heardThere.push(change))
    await sleep(300)
    heardThere.length = 0
    notified.length = 0
    await commit(pushEvent(1), pushEvent(2), endSession())
    expect(notified.filter(({ kind }) => kind !== 'any')).toEqual([
      { kind: 'events', user: 'user-1' },
      { kind: 'sessions', user: 'user-1' },
    ])
    while (!heardThere.some(({ kind, user }) => kind === 'any' || user === 'user-1')) await sleep(5)
    stop()
    stopThere()
    await sleep(300)
    notified.length = 0
    heardThere.length = 0
    await commit(pushEvent(3))
    await sleep(400)
    expect([...notified, ...heardThere]).toEqual([])
  })

  test('a refused commit notifies no listener', async () => {
    const notified: Change[] = []
    at.store.watch((change) => notified.push(change))
    await commit(pushEvent(1), endSession(99))
    expect(notified.filter(({ kind }) => kind !== 'any')).toEqual([])
  })
})
