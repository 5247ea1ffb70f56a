/** Several processes that write to one log at once. */
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openAnchor } from '../../service/log/anchor.ts'
import { describeOnBothEngines, type TestDatabase } from '../store/engines.ts'
import { expectWholeLog, startWriter } from '../support/log-writers.ts'
import { type Machine, newMachine, openPlaces } from '../support/opened-log.ts'

describeOnBothEngines('four processes on one log', (create) => {
  let database: TestDatabase
  let machines: readonly Machine[]

  beforeEach(async () => {
    database = await create()
    machines = [1, 2, 3, 4].map(newMachine)
  })

  afterEach(async () => {
    for (const machine of machines) machine.remove()
    await database.remove()
  })

  it('make one tree, each on a machine of its own, one of them killed', { timeout: 120_000 }, async () => {
    const leaves = 200
    const writers = machines.map(({ folder }, i) =>
      startWriter({ location: database.location, folder, ...(i === 0 ? {} : { leaves }) }),
    )
    const [first, ...others] = writers
    await first?.acknowledges(60)
    first?.kill()
    for (const other of others) expect(await other.exit).toBe(0)
    const places = await openPlaces(database.location, machines[1]?.folder ?? '')
    const acknowledged = writers.flatMap((writer) => [...writer.acknowledged])
    expect(acknowledged.length).toBeGreaterThanOrEqual(3 * leaves)
    const anchors = machines.map(({ folder }) => openAnchor(folder))
    const size = await expectWholeLog(places, acknowledged, anchors)
    expect((await places.store.findLatestCheckpoint(0))?.size).toBe(size)
    await places.store.close()
  })
})
