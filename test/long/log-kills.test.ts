/** Processes that are killed while they write to the log: at each step in turn, then at random times. */
import { afterEach, beforeEach, expect, it } from 'vitest'
import { describeOnBothEngines, type TestDatabase } from '../integration/store/engines.ts'
import type { Fault } from '../integration/tlog/log-child.ts'
import { expectWholeLog, startWriter } from '../support/log-writers.ts'
import { type Machine, newMachine, openTestLog } from '../support/opened-log.ts'

const rounds = Number(process.env.TEST_CRASH_ROUNDS ?? 40)

/** The steps of the first start, of a batch and of a checkpoint, in their order. */
const firstSteps: readonly Fault[] = [
  { at: 'insert into "tlog_states"', when: 'before', count: 1 },
  { at: 'insert into "tlog_entries"', when: 'after', count: 1 },
  { at: 'fs.open', when: 'before', count: 1 },
  { at: 'fs.link', when: 'before', count: 1 },
  { at: 'fs.link', when: 'after', count: 1 },
  { at: 'insert into "tlog_checkpoints"', when: 'before', count: 1 },
  { at: 'insert into "tlog_checkpoints"', when: 'after', count: 1 },
]

const laterSteps: readonly Fault[] = [
  { at: 'insert into "tlog_entries"', when: 'before', count: 2 },
  { at: 'insert into "tlog_entries"', when: 'after', count: 2 },
  { at: 'insert into "tlog_hourly_counts"', when: 'after', count: 2 },
  { at: 'delete from "tlog_pending"', when: 'before', count: 2 },
  { at: 'delete from "tlog_pending"', when: 'after', count: 2 },
  { at: 'update "tlog_tiles"', when: 'before', count: 1 },
  { at: 'update "tlog_tiles"', when: 'after', count: 1 },
  { at: 'update "tlog_states"', when: 'before', count: 2 },
  { at: 'update "tlog_states"', when: 'after', count: 2 },
  { at: 'COMMIT', when: 'before', count: 25 },
  { at: 'COMMIT', when: 'after', count: 25 },
  { at: 'fs.open', when: 'before', count: 3 },
  { at: 'fs.link', when: 'before', count: 2 },
  { at: 'fs.link', when: 'after', count: 2 },
  { at: 'fs.rm', when: 'before', count: 3 },
  { at: 'insert into "tlog_checkpoints"', when: 'before', count: 1 },
  { at: 'insert into "tlog_checkpoints"', when: 'after', count: 1 },
]

/** Only on SQLite, where the service flushes the WAL itself. */
const flushSteps: readonly Fault[] = [
  { at: 'fs.fdatasync', when: 'before', count: 10 },
  { at: 'fs.fdatasync', when: 'after', count: 10 },
]

describeOnBothEngines('kills while a process writes to the log', (create) => {
  let database: TestDatabase
  let machine: Machine
  const acknowledged = new Set<string>()

  async function make(): Promise<void> {
    database = await create()
    machine = newMachine()
    acknowledged.clear()
  }

  async function remove(): Promise<void> {
    machine.remove()
    await database.remove()
  }

  beforeEach(make)
  afterEach(remove)

  /** Opens the log after a kill, as the next start does. */
  async function expectWhole(): Promise<void> {
    const log = await openTestLog(database.location, machine.folder)
    expect((await log.log.status()).health).toBe('open')
    await log.log.stop()
    expect(await log.log.status()).toMatchObject({ health: 'open', pending: 0 })
    const size = await expectWholeLog(log.dependencies, acknowledged)
    expect((await log.log.status()).checkpointSize).toBe(size)
    await log.dependencies.store.close()
  }

  async function dieAt(fault: Fault): Promise<void> {
    const writer = startWriter({ location: database.location, folder: machine.folder, fault })
    expect(await writer.exit, `it did not die ${fault.when} ${fault.at}`).toBeNull()
    for (const hash of writer.acknowledged) acknowledged.add(hash)
  }

  it('the log opens after a kill at any step of its first start', { timeout: 120_000 }, async () => {
    for (const fault of firstSteps) {
      acknowledged.clear()
      await dieAt(fault)
      await expectWhole()
      await remove()
      await make()
    }
  })

  it('the log loses and repeats no entry when its process is killed at any step of a batch or a checkpoint', {
    timeout: 240_000,
  }, async () => {
    const flushes = database.location.kind === 'sqlite' ? flushSteps : []
    for (const fault of [...laterSteps, ...flushes]) {
      await dieAt(fault)
      await expectWhole()
    }
  })

  it(`the log loses and repeats no entry when its process is killed at ${rounds} random times`, {
    timeout: 60_000 + rounds * 10_000,
  }, async () => {
    for (let round = 0; round < rounds; round++) {
      const writer = startWriter({ location: database.location, folder: machine.folder })
      await writer.acknowledges(20)
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 1_500))
      writer.kill()
      expect(await writer.exit).toBeNull()
      for (const hash of writer.acknowledged) acknowledged.add(hash)
      await expectWhole()
    }
  })
})
