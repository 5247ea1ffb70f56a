/** A log whose database is not the one that was signed, and its recovery. */
import { copyFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { ProtocolError } from '../../../crypto/errors.ts'
import { parseCheckpointNote } from '../../../crypto/tlog/checkpoint.ts'
import { globalIndexOf } from '../../../service/store/tlog-entries.ts'
import { signCheckpoint } from '../../../service/tlog/checkpoint.ts'
import type { Refusal } from '../../../service/tlog/log-health.ts'
import { RecoveryRefused, startNextLog, trustDatabase } from '../../../service/tlog/recovery.ts'
import { growAuthenticated } from '../../../service/tlog/row-macs.ts'
import { appendPending, pendingEntry, testOrigin } from '../../support/log-records.ts'
import {
  freshSeed,
  type Machine,
  newMachine,
  type OpenedLog,
  openLogDependencies,
  openTestLog,
} from '../../support/opened-log.ts'
import { until } from '../../support/until.ts'
import { createSqlite, type TestDatabase } from '../store/engines.ts'

let database: TestDatabase & { readonly path: string }
let machine: Machine
const opened: OpenedLog[] = []

beforeEach(async () => {
  database = await createSqlite()
  machine = newMachine()
})

afterEach(async () => {
  await Promise.all(opened.splice(0).map((log) => log.close()))
  machine.remove()
  await database.remove()
})

async function open(folder = machine.folder): Promise<OpenedLog> {
  const log = await openTestLog(database.location, folder)
  opened.push(log)
  return log
}

async function close(log: OpenedLog): Promise<void> {
  opened.splice(opened.indexOf(log), 1)
  await log.close()
}

/** Appends entries and stops the log, which sequences and signs them. */
async function add(count: number): Promise<void> {
  const log = await open()
  await appendPending(
    log.dependencies.store,
    ...Array.from({ length: count }, () => pendingEntry(freshSeed())),
  )
  await close(log)
}

const backup = (): string => join(machine.folder, 'backup.db')
const backUp = (): void => copyFileSync(database.path, backup())
function restore(): void {
  for (const end of ['-wal', '-shm']) rmSync(database.path + end, { force: true })
  copyFileSync(backup(), database.path)
}

async function expectRefused(log: OpenedLog, refusal: Refusal): Promise<void> {
  expect((await log.log.status()).health).toBe(refusal)
  expect(log.events).toContainEqual({ kind: 'health', health: refusal })
  let error: unknown
  try {
    log.log.gate.assertAcceptingEntries()
  } catch (thrown) {
    error = thrown
  }
  expect(error).toBeInstanceOf(ProtocolError)
  expect(error).toMatchObject({ code: 'unavailable' })
}

it('a log starts with a signed log-started entry and continues after a restart', async () => {
  const first = await open()
  const status = { health: 'open', origin: testOrigin, size: 1, checkpointSize: 1, pending: 0 }
  expect(await first.log.status()).toMatchObject(status)
  first.log.gate.assertAcceptingEntries()
  const entry = await first.dependencies.store.findLogEntry(0)
  expect(JSON.parse(Buffer.from(entry?.leaf ?? []).toString())).toMatchObject({
    k: 'log-started',
    v: 1,
    x: { origin: testOrigin },
  })
  await close(first)
  await add(3)
  expect(await (await open()).log.status()).toMatchObject({ health: 'open', size: 4, checkpointSize: 4 })
})

it('a log behind its pinned checkpoint is refused and neither signs nor sequences', async () => {
  await add(3)
  backUp()
  await add(2)
  restore()
  const log = await open()
  await expectRefused(log, 'database-behind')
  await appendPending(log.dependencies.store, pendingEntry(freshSeed()))
  log.log.gate.notify()
  await sleep(200)
  expect(await log.log.status()).toMatchObject({ size: 4, checkpointSize: 4, pending: 1 })
  await close(log)
  await expectRefused(await open(), 'database-behind')
})

it('the service refuses a restored database that has since grown to the same or a larger size with other leaves', async () => {
  await add(3)
  backUp()
  await add(2)
  restore()
  // Another machine, without a pin of the two lost entries.
  const elsewhere = newMachine()
  const other = await openLogDependencies(database.location, elsewhere.folder)
  await trustDatabase(other)
  await other.store.close()
  for (const [count, size] of [
    [2, 6],
    [1, 7],
  ] as const) {
    const log = await open(elsewhere.folder)
    await appendPending(
      log.dependencies.store,
      ...Array.from({ length: count }, () => pendingEntry(freshSeed())),
    )
    await close(log)
    const here = await open()
    await expectRefused(here, 'pinned-checkpoint-differs')
    expect((await here.log.status()).size).toBe(size)
    await close(here)
  }
  elsewhere.remove()
})

it('the service detects a database that is replaced with an old copy while the service runs', async () => {
  await add(3)
  const log = await open()
  await appendPending(log.dependencies.store, pendingEntry(freshSeed()), pendingEntry(freshSeed()))
  log.log.gate.notify()
  await until(async () => (await log.log.status()).checkpointSize === 6)
  // As a restore of PostgreSQL under a running service does.
  await database.sql('delete from tlog_checkpoints where size > 4')
  await database.sql('delete from tlog_entries where global_index > 3')
  await database.sql('update tlog_tiles set hashes = substr(hashes, 1, 128)')
  const { checkpoint: before } = parseCheckpointNote((await log.log.reader.latestCheckpoint())?.note ?? '')
  await database.sql(`update tlog_states set size = 4, root = x'${Buffer.from(before.root).toString('hex')}'`)
  await appendPending(log.dependencies.store, pendingEntry(freshSeed()))
  log.log.gate.notify()
  await until(async () => (await log.log.status()).health === 'database-behind')
  expect(await log.log.status()).toMatchObject({ size: 4, checkpointSize: 4, pending: 1 })
})

it('an empty database is refused under the origin of a signed log', async () => {
  await add(1)
  rmSync(database.path)
  const log = await open()
  await expectRefused(log, 'log-missing')
  expect(await log.dependencies.store.findLogState()).toBeUndefined()
})

it('the service refuses a changed tree, checkpoint or pinned checkpoint', async () => {
  await add(5)
  const changes: readonly (readonly [string, Refusal])[] = [
    ['update tlog_tiles set hashes = zeroblob(192)', 'tree-damaged'],
    ['update tlog_states set root = zeroblob(32)', 'tree-damaged'],
    ['delete from tlog_tiles', 'tree-damaged'],
    [
      "update tlog_checkpoints set note = replace(note, char(10) || '6' || char(10), char(10) || '5' || char(10)) where size = 6",
      'checkpoint-unsigned',
    ],
    [
      'update tlog_checkpoints set note = (select note from tlog_checkpoints where size = 1) where size = 6',
      'checkpoint-unsigned',
    ],
    ["update tlog_checkpoints set size = 9, note = 'no note' where size = 6", 'checkpoint-unsigned'],
  ]
  backUp()
  for (const [change, refusal] of changes) {
    restore()
    await database.sql(change)
    const log = await open()
    await expectRefused(log, refusal)
    await close(log)
  }
})

it('a checkpoint of another tree is refused, even with a signature of the log key', async () => {
  await add(5)
  const dependencies = await openLogDependencies(database.location, machine.folder)
  const key = dependencies.keyring.current('log', 1_764_000_000)
  const other = { origin: testOrigin, size: 6, root: new Uint8Array(32).fill(6) }
  await dependencies.store.close()
  await database.sql(`update tlog_checkpoints set note = '${signCheckpoint(other, [key])}' where size = 6`)
  await expectRefused(await open(), 'checkpoint-differs')
})

it('the log stops at a changed pending entry and continues after its deletion', async () => {
  const log = await open()
  await appendPending(log.dependencies.store, pendingEntry(freshSeed(), { leaf: Uint8Array.of(1) }))
  log.log.gate.notify()
  await until(async () => (await log.log.status()).health === 'tree-damaged')
  expect(() => log.log.gate.assertAcceptingEntries()).toThrow(ProtocolError)
  await database.sql('delete from tlog_pending')
  await until(async () => (await log.log.status()).health === 'open')
})

it('a new log references the last signed checkpoint, and a running service continues with it', async () => {
  await add(3)
  backUp()
  await add(2)
  restore()
  const log = await open()
  await expectRefused(log, 'database-behind')
  const lost = await log.dependencies.checkpointPin.find(testOrigin)
  await appendPending(log.dependencies.store, pendingEntry(freshSeed()))
  const next = await startNextLog(log.dependencies, testOrigin, 1_764_000_000)
  expect(next).toMatchObject({ log: 1, origin: `${testOrigin}-2`, previous: { origin: testOrigin, size: 6 } })
  const leaf = JSON.parse(
    Buffer.from((await log.dependencies.store.findLogEntry(globalIndexOf(1, 0)))?.leaf ?? []).toString(),
  )
  expect(leaf.x).toEqual({
    origin: `${testOrigin}-2`,
    previous_origin: testOrigin,
    previous_size: 6,
    previous_root: Buffer.from(lost?.root ?? []).toString('base64'),
  })
  await until(async () => (await log.log.status()).checkpointSize === 2)
  expect(await log.log.status()).toMatchObject({
    health: 'open',
    origin: `${testOrigin}-2`,
    size: 2,
    pending: 0,
  })
  log.log.gate.assertAcceptingEntries()
  await close(log)
  // A backup of the replaced log is refused, whatever its size.
  restore()
  await expectRefused(await open(), 'log-continued')
})

it('each new log gets the next unused origin', async () => {
  await add(3)
  backUp()
  for (const name of [`${testOrigin}-2`, `${testOrigin}-3`]) {
    restore()
    const dependencies = await openLogDependencies(database.location, machine.folder)
    expect((await startNextLog(dependencies, testOrigin, 1_764_000_000)).origin).toBe(name)
    await dependencies.store.close()
    await close(await open())
  }
})

it('a log that is replaced without a loss ends with a checkpoint over all of its entries', async () => {
  const log = await open()
  await appendPending(log.dependencies.store, pendingEntry(freshSeed()), pendingEntry(freshSeed()))
  log.log.gate.notify()
  await until(async () => (await log.log.status()).size === 3)
  const other = await openLogDependencies(database.location, machine.folder)
  const { previous } = await startNextLog(other, testOrigin, 1_764_000_000)
  await other.store.close()
  expect(previous?.size).toBe(3)
  expect((await log.log.reader.latestCheckpoint(0))?.size).toBe(3)
  await until(async () => (await log.log.status()).origin === `${testOrigin}-2`)
  expect((await log.log.status()).health).toBe('open')
})

it('an entry sequenced while a log is replaced is covered by its last checkpoint', async () => {
  await add(2)
  const dependencies = await openLogDependencies(database.location, machine.folder)
  let isFirst = true
  const store = {
    ...dependencies.store,
    commit: async (writes: Parameters<typeof dependencies.store.commit>[0]) => {
      if (isFirst && writes.some(({ kind }) => kind === 'insert-log-state')) {
        isFirst = false
        await appendPending(dependencies.store, pendingEntry(freshSeed()))
        expect(await dependencies.store.sequence(growAuthenticated(dependencies.macs), 256)).toMatchObject({
          kind: 'sequenced',
        })
      }
      return await dependencies.store.commit(writes)
    },
  }
  const { previous } = await startNextLog({ ...dependencies, store }, testOrigin, 1_764_000_000)
  expect(previous?.size).toBe(4)
  expect((await dependencies.store.listLogStates()).map(({ size }) => size)).toEqual([4, 1])
  expect((await dependencies.store.findLatestCheckpoint(0))?.size).toBe(4)
  await dependencies.store.close()
})

it('the service refuses to open a log without a pinned checkpoint until an operator trusts the database', async () => {
  await add(3)
  const fresh = newMachine()
  const log = await open(fresh.folder)
  await expectRefused(log, 'pinned-checkpoint-missing')
  expect((await trustDatabase(log.dependencies)).size).toBe(4)
  await until(async () => (await log.log.status()).health === 'open')
  await expect(trustDatabase(log.dependencies)).rejects.toThrow(RecoveryRefused)
  await close(log)
  fresh.remove()
})

it('an operator cannot trust a database that is behind a pinned checkpoint', async () => {
  await add(3)
  backUp()
  await add(2)
  restore()
  const dependencies = await openLogDependencies(database.location, machine.folder)
  await expect(trustDatabase(dependencies)).rejects.toThrow(RecoveryRefused)
  await dependencies.store.close()
})

it('a new machine gets a pinned checkpoint from a running process that has one', async () => {
  await add(3)
  const here = await open()
  const fresh = newMachine()
  const there = await open(fresh.folder)
  await until(async () => (await there.log.status()).health === 'open')
  expect(await there.log.status()).toMatchObject({ checkpointSize: 4 })
  expect((await there.dependencies.checkpointPin.find(testOrigin))?.size).toBe(4)
  // From then on each pins what the other signs.
  await appendPending(here.dependencies.store, pendingEntry(freshSeed()))
  here.log.gate.notify()
  await until(async () => (await there.dependencies.checkpointPin.find(testOrigin))?.size === 5)
  await close(there)
  fresh.remove()
})

it('processes without a pinned checkpoint get none from each other', async () => {
  await add(3)
  const [one, two] = [newMachine(), newMachine()]
  const logs = await Promise.all([open(one.folder), open(two.folder)])
  for (const log of logs) await expectRefused(log, 'pinned-checkpoint-missing')
  await sleep(200)
  for (const log of logs) await expectRefused(log, 'pinned-checkpoint-missing')
  await Promise.all(logs.map(close))
  one.remove()
  two.remove()
})
