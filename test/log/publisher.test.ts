/** When checkpoints are signed, with which keys, and in which order they become known. */
import { afterEach, beforeEach, expect, it } from 'vitest'
import { parseCheckpointNote } from '../../crypto/checkpoint.ts'
import { openKeyring } from '../../service/keys/keyring.ts'
import { makeServiceKey } from '../../service/keys/service-key.ts'
import { createSecretWrapper } from '../../service/keys/wrapping.ts'
import type { LogEvent } from '../../service/log/events.ts'
import { createPublisher, type Publisher } from '../../service/log/publisher.ts'
import { startNextLog } from '../../service/log/recovery.ts'
import { createSequencer } from '../../service/log/sequencer.ts'
import type { LogPlaces } from '../../service/log/standing.ts'
import { createSqlite, type TestDatabase } from '../store/engines.ts'
import { stage, stagedLeaf, testOrigin } from '../support/log-records.ts'
import { freshSeed, type Machine, newMachine, openPlaces } from '../support/opened-log.ts'

const start = 1_764_000_000
const wrapper = createSecretWrapper([new Uint8Array(32).fill(7)])

let database: TestDatabase
let machine: Machine
let places: LogPlaces
let now: number
let events: LogEvent[]

beforeEach(async () => {
  database = await createSqlite()
  machine = newMachine()
  places = await openPlaces(database.location, machine.folder)
  now = start + 100
  events = []
})

afterEach(async () => {
  await places.store.close()
  machine.remove()
  await database.remove()
})

const publisherOf = (changes: Partial<LogPlaces> = {}): Publisher =>
  createPublisher(
    { ...places, ...changes },
    () => now,
    (event) => events.push(event),
  )

async function grow(publisher: Publisher, leaves = 1): Promise<void> {
  await stage(places.store, ...Array.from({ length: leaves }, () => stagedLeaf(freshSeed())))
  await createSequencer(places, publisher, (event) => events.push(event)).drain()
}

const latest = async () => await places.store.findLatestCheckpoint(0)
const signers = (note = ''): number => parseCheckpointNote(note).note.signatures.length

it('signs at the first start, then what has grown, at most once a second', async () => {
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

it('signs anew after ten minutes in which nothing came, the same note, with its cosignatures', async () => {
  const publisher = publisherOf()
  await publisher.step()
  const first = await latest()
  await places.store.commit([{ kind: 'swap-cosignatures', log: 0, size: 1, from: '', to: '— w AAAA\n' }])
  now += 599
  await publisher.step()
  expect((await latest())?.signedAt).toBe(first?.signedAt)
  now += 1
  await publisher.step()
  expect(await latest()).toMatchObject({ note: first?.note, signedAt: now, cosignatures: '— w AAAA\n' })
})

it('signs with every log key in use, not with one that is coming, and not with one that has ended', async () => {
  const publisher = publisherOf()
  await publisher.step()
  expect(signers((await latest())?.note)).toBe(1)
  const next = makeServiceKey('log', wrapper, { now, notBefore: now + 10 })
  const [present] = places.keyring.published('log', now)
  await places.store.commit([
    { kind: 'insert-service-key', key: next },
    { kind: 'end-service-key', keyKind: 'log', kid: present?.kid ?? '', notAfter: now + 100 },
  ])
  await places.keyring.reload()
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
  const again = publisherOf({ keyring: await openKeyring(places.store, wrapper, now) })
  await again.step()
  expect(again.standing()).toEqual({ kind: 'open' })
})

it('leaves a signature alone that is of a key which it does not know yet', async () => {
  const publisher = publisherOf()
  await publisher.step()
  const next = makeServiceKey('log', wrapper, { now, notBefore: now })
  await places.store.commit([{ kind: 'insert-service-key', key: next }])
  const other = publisherOf({ keyring: await openKeyring(places.store, wrapper, now) })
  await other.step()
  expect(signers((await latest())?.note)).toBe(2)
  const standing = await database.sql('select note from log_checkpoints')
  // This one has not reread its keys: to it the checkpoint has one signature too many.
  await publisher.step()
  expect(await database.sql('select note from log_checkpoints')).toEqual(standing)
})

it('puts a checkpoint into the anchor before anybody can see it', async () => {
  const order: string[] = []
  const anchor = {
    ...places.anchor,
    keep: async (note: string) => {
      order.push(`anchor ${parseCheckpointNote(note).checkpoint.size}, served ${(await latest())?.size}`)
      await places.anchor.keep(note)
    },
  }
  await publisherOf({ anchor }).step()
  expect(order).toEqual(['anchor 1, served undefined'])
})

it('serves nothing that the anchor could not keep', async () => {
  const full = new Error('ENOSPC')
  const anchor = { ...places.anchor, keep: () => Promise.reject(full) }
  const publisher = publisherOf({ anchor })
  await expect(publisher.step()).rejects.toBe(full)
  expect(await latest()).toBeUndefined()
  expect(publisher.standing().kind).not.toBe('open')
  await publisherOf().step()
  expect((await latest())?.size).toBe(1)
})

it('is signed once by processes that sign at once', async () => {
  const publishers = [publisherOf(), publisherOf(), publisherOf()]
  const [first] = publishers
  await Promise.all(publishers.map((publisher) => publisher.step()))
  if (first !== undefined) await grow(first, 3)
  now += 1
  await Promise.all(publishers.map((publisher) => publisher.step()))
  const rows = await database.sql('select size from log_checkpoints order by size')
  expect(rows.map(({ size }) => Number(size))).toEqual([1, 4])
  for (const publisher of publishers) expect(publisher.standing()).toEqual({ kind: 'open' })
})

it('takes the name of the configuration, and refuses a database with another one', async () => {
  const other = publisherOf({ origin: 'pay.example.com/log', isOriginGiven: true })
  await other.step()
  expect(other.names().origin).toBe('pay.example.com/log')
  const wrong = publisherOf({ origin: testOrigin, isOriginGiven: true })
  await wrong.step()
  expect(wrong.standing()).toEqual({ kind: 'refused', refusal: 'origin-differs' })
  const none = publisherOf()
  await none.step()
  expect(none.standing()).toEqual({ kind: 'open' })
  expect(none.names().origin).toBe('pay.example.com/log')
})

it('knows the logs that have ended, together with the name of the one that goes on', async () => {
  const publisher = publisherOf()
  expect(publisher.names()).toMatchObject({ origin: testOrigin, ended: [] })
  await publisher.step()
  for (const log of [1, 2]) await startNextLog(places, testOrigin, now + log)
  let isAway = true
  const store = {
    ...places.store,
    listLogStates: () => (isAway ? Promise.reject(new Error('away')) : places.store.listLogStates()),
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

it('reads the logs that have ended at its first step, also under the name that it was given', async () => {
  await publisherOf().step()
  await startNextLog(places, testOrigin, now)
  const given = publisherOf({ origin: `${testOrigin}-2`, isOriginGiven: true })
  await given.step()
  expect(given.names()).toMatchObject({ origin: `${testOrigin}-2`, ended: [testOrigin] })
})

it('reads no tile while nothing changes, and proves what does', async () => {
  let tiles = 0
  const store = {
    ...places.store,
    findTile: (...where: Parameters<typeof places.store.findTile>) => {
      tiles += 1
      return places.store.findTile(...where)
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

it('records when it stops going on, once', async () => {
  const publisher = publisherOf()
  await publisher.step()
  await places.anchor.close(testOrigin, `${testOrigin}-2`)
  await publisher.step()
  await publisher.step()
  const standings = events.flatMap((event) => (event.kind === 'standing' ? [event.standing] : []))
  expect(standings).toEqual([{ kind: 'open' }, { kind: 'refused', refusal: 'log-continued' }])
})
