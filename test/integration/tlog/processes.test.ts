/** Several processes that write to one log at once. */
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openCheckpointPin } from '../../../service/tlog/checkpoint-pin.ts'
import { expectWholeLog, startWriter, type Writer } from '../../support/log-writers.ts'
import { type Machine, newMachine, openTestLog } from '../../support/opened-log.ts'
import { describeOnBothEngines, type TestDatabase } from '../store/engines.ts'

describeOnBothEngines('four processes on one log', (create) => {
  let database: TestDatabase
  let machines: readonly Machine[]
  let writers: readonly Writer[] = []

  beforeEach(async () => {
    database = await create()
    machines = [1, 2, 3, 4].map(newMachine)
  })

  afterEach(async () => {
    for (const writer of writers) writer.kill()
    await Promise.all(writers.map(({ exit }) => exit))
    for (const machine of machines) machine.remove()
    await database.remove()
  })

  it('four processes on separate machines write one tree while one of them is killed', {
    timeout: 120_000,
  }, async () => {
    const leaves = 200
    writers = machines.map(({ folder }, i) =>
      startWriter({ location: database.location, folder, ...(i === 0 ? {} : { leaves }) }),
    )
    const [first, ...others] = writers
    // By then each has a pinned checkpoint; a process without one gets it from a running process that has one.
    await Promise.all(writers.map((writer) => writer.acknowledges(40)))
    first?.kill()
    for (const other of others) expect(await other.exit).toBe(0)
    // Entries of the killed process may still be pending: another process sequences them at its next start.
    const { log, dependencies } = await openTestLog(database.location, machines[1]?.folder ?? '')
    await log.stop()
    expect(await log.status()).toMatchObject({ health: 'open', pending: 0 })
    const acknowledged = writers.flatMap((writer) => [...writer.acknowledged])
    expect(acknowledged.length).toBeGreaterThanOrEqual(3 * leaves)
    const pinnedCheckpoints = machines.map(({ folder }) => openCheckpointPin(folder))
    const size = await expectWholeLog(dependencies, acknowledged, pinnedCheckpoints)
    expect((await dependencies.store.findLatestCheckpoint(0))?.size).toBe(size)
    await dependencies.store.close()
  })
})
