/** When checkpoints are signed, with which keys, and in which order they become known. */
import { afterEach, beforeEach, expect, it } from 'vitest'
import { parseCheckpointNote } from '../../../crypto/tlog/checkpoint.ts'
import { makeServiceKey, openKeyring } from '../../../service/keys/keyring.ts'
import { createSecretWrapper } from '../../../service/keys/wrapping.ts'
import type { LogDependencies, LogEvent } from '../../../service/tlog/log-health.ts'
import { createPublisher, type Publisher } from '../../../service/tlog/publisher.ts'
import { startNextLog } from '../../../service/tlog/recovery.ts'
import { createSequencer } from '../../../service/tlog/sequencer.ts'
import { appendPending, pendingEntry, testOrigin } from '../../support/log-records.ts'
import { freshSeed, type Machine, newMachine, openLogDependencies } from '../../support/opened-log.ts'
import { createSqlite, type TestDatabase } from '../store/engines.ts'

const start = 1_764_000_000
const wrapper = createSecretWrapper([new Uint8Array(32).fill(7)])

let database: TestDatabase
let machine: Machine
let dependencies: LogDependencies
let now: number
let events: LogEvent[]

beforeEach(async () => {
  database = await createSqlite()
  machine = newMachine()
  dependencies = await openLogDependencies(database.location, machine.folder)
  now = start + 100
  events = []
})

afterEach(async () => {
  await dependencies.store.close()
  machine.remove()
  await database.remove()
})

const publisherOf = (changes: Partial<LogDependencies> = {}): Publisher =>
  createPublisher(
    { ...dependencies, ...changes },
    () => now,
    (event) => events.push(event),
  )

async function grow(publisher: Publisher, leaves = 1): Promise<void> {
  await appendPending(dependencies.store, ...Array.from({ length: leaves }, () => pendingEntry(freshSeed())))
  await createSequencer(dependencies, publisher, (event) => events.push(event)).drain()
}

const latest = async () => await dependencies.store.findLatestCheckpoint(0)
const signers = (note = ''): number => parseCheckpointNote(note).note.signatures.length

it('the publisher signs at the first start, then a grown tree at most once a second', async () => {
  const publisher = publisherOf()
  await publisher.step()
  expect(await latest()).toMatchObject({ size: 1, signedAt: now })
  await grow(publisher, 2)
  await publisher.step()
  expect((await latest())?.size).toBe(1)
  now += 1
  await publisher.step()
  expect(await latest()).toMatchObject({ size: 3, signedAt: now })
  await grow(publisher)
  // The last one of a stop does not wait.
  await publisher.step(true)
  expect((await latest())?.size).toBe(4)
})

it('after ten minutes without entries the publisher reissues the same note with its cosignatures', async () => {
  const publisher = publisherOf()
  await publisher.step()
  const first = await latest()
  await dependencies.store.commit([
    { kind: 'replace-cosignatures', log: 0, size: 1, from: '', to: '— w AAAA\n' },
  ])
  now += 599
  await publisher.step()
  expect((await latest())?.signedAt).toBe(first?.signedAt)
  now += 1
  await publisher.step()
  expect(await latest()).toMatchObject({ note: first?.note, signedAt: now, cosignatures: '— w AAAA\n' })
})

it('the publisher signs with every log key in use, and with no future or retired one', async () => {
  const publisher = publisherOf()
  await publisher.step()
  expect(signers((await latest())?.note)).toBe(1)
  const next = makeServiceKey('log', wrapper, { now, notBefore: now + 10 })
  const [present] = dependencies.keyring.published('log', now)
  await dependencies.store.commit([
    { kind: 'insert-service-key', key: next },
    { kind: 'retire-service-key', keyKind: 'log', kid: present?.kid ?? '', notAfter: now + 100 },
  ])
  await dependencies.keyring.reload()
  for (const [after, expected] of [
    [9, 1],
    [1, 2],
    [89, 2],
    [1, 1],
  ] as const) {
    now += after
    // Whether the log grows or not.
    if (after > 1) await grow(publisher)
    await publisher.step()
    expect(signers((await latest())?.note)).toBe(expected)
  }
  // A checkpoint that only an ended key has signed is still one of ours.
  const again = publisherOf({ keyring: await openKeyring(dependencies.store, wrapper, now) })
  await again.step()
  expect(again.health()).toBe('open')
})

it('the publisher keeps a signature of a key that it has not loaded yet', async () => {
  const publisher = publisherOf()
  await publisher.step()
  const next = makeServiceKey('log', wrapper, { now, notBefore: now })
  await dependencies.store.commit([{ kind: 'insert-service-key', key: next }])
  const other = publisherOf({ keyring: await openKeyring(dependencies.store, wrapper, now) })
  await other.step()
  expect(signers((await latest())?.note)).toBe(2)
  const health = await database.sql('select note from tlog_checkpoints')
  // This publisher has not reread its keys, so the checkpoint has a signature that it does not know.
  await publisher.step()
  expect(await database.sql('select note from tlog_checkpoints')).toEqual(health)
})

it('a checkpoint is pinned before it is served', async () => {
  const order: string[] = []
  const checkpointPin = {
    ...dependencies.checkpointPin,
    keep: async (note: string) => {
      order.push(`pinned ${parseCheckpointNote(note).checkpoint.size}, served ${(await latest())?.size}`)
      await dependencies.checkpointPin.keep(note)
    },
  }
  await publisherOf({ checkpointPin }).step()
  expect(order).toEqual(['pinned 1, served undefined'])
})

it('a checkpoint that cannot be pinned is not served', async () => {
  const full = new Error('ENOSPC')
  const checkpointPin = { ...dependencies.checkpointPin, keep: () => Promise.reject(full) }
  const publisher = publisherOf({ checkpointPin })
  await expect(publisher.step()).rejects.toBe(full)
  expect(await latest()).toBeUndefined()
  expect(publisher.health()).not.toBe('open')
  await publisherOf().step()
  expect((await latest())?.size).toBe(1)
})

it('processes that sign at the same time store one checkpoint', async () => {
  const publishers = [publisherOf(), publisherOf(), publisherOf()]
  const [first] = publishers
  await Promise.all(publishers.map((publisher) => publisher.step()))
  if (first !== undefined) await grow(first, 3)
  now += 1
  await Promise.all(publishers.map((publisher) => publisher.step()))
  const rows = await database.sql('select size from tlog_checkpoints order by size')
  expect(rows.map(({ size }) => Number(size))).toEqual([1, 4])
  for (const publisher of publishers) expect(publisher.health()).toBe('open')
})

it('the log has the configured origin, and a database with another one is refused', async () => {
  const other = publisherOf({ origin: 'pay.example.com/log', isOriginGiven: true })
  await other.step()
  expect(other.names().origin).toBe('pay.example.com/log')
  const wrong = publisherOf({ origin: testOrigin, isOriginGiven: true })
  await wrong.step()
  expect(wrong.health()).toBe('origin-differs')
  const none = publisherOf()
  await none.step()
  expect(none.health()).toBe('open')
  expect(none.names().origin).toBe('pay.example.com/log')
})

it('the publisher lists ended logs together with the origin of their successor', async () => {
  const publisher = publisherOf()
  expect(publisher.names()).toMatchObject({ origin: testOrigin, ended: [] })
  await publisher.step()
  for (const log of [1, 2]) await startNextLog(dependencies, testOrigin, now + log)
  let isAway = true
  const store = {
    ...dependencies.store,
    listLogStates: () => (isAway ? Promise.reject(new Error('away')) : dependencies.store.listLogStates()),
  }
  const other = publisherOf({ store })
  await expect(other.step()).rejects.toThrow('away')
  // Clients keep a configuration for a day: never the new name without the old ones.
  expect(other.names()).toMatchObject({ origin: testOrigin, ended: [] })
  isAway = false
  const after = { origin: `${testOrigin}-3`, ended: [`${testOrigin}-2`, testOrigin] }
  for (const each of [publisher, other]) {
    await each.step()
    expect(each.names()).toMatchObject(after)
  }
})

it('the publisher reads ended logs in its first step, also with a configured origin', async () => {
  await publisherOf().step()
  await startNextLog(dependencies, testOrigin, now)
  const given = publisherOf({ origin: `${testOrigin}-2`, isOriginGiven: true })
  await given.step()
  expect(given.names()).toMatchObject({ origin: `${testOrigin}-2`, ended: [testOrigin] })
})

it('the publisher reads no tiles while nothing changes, and verifies every change', async () => {
  let tiles = 0
  const store = {
    ...dependencies.store,
    findTile: (...where: Parameters<typeof dependencies.store.findTile>) => {
      tiles += 1
      return dependencies.store.findTile(...where)
    },
  }
  const publisher = publisherOf({ store })
  await publisher.step()
  await publisher.step()
  const before = tiles
  for (let i = 0; i < 10; i++) await publisher.step()
  expect(tiles).toBe(before)
  await grow(publisher)
  await publisher.step()
  expect(tiles).toBeGreaterThan(before)
})

it('the publisher records a refusal once', async () => {
  const publisher = publisherOf()
  await publisher.step()
  await dependencies.checkpointPin.close(testOrigin, `${testOrigin}-2`)
  await publisher.step()
  await publisher.step()
  const standings = events.flatMap((event) => (event.kind === 'health' ? [event.health] : []))
  expect(standings).toEqual(['open', 'log-continued'])
})
