/** Requests to witnesses for every checkpoint; their answers are verified, and nothing waits for them. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { verifyByPolicy } from '../../../crypto/tlog/tlog-policy.ts'
import { sodiumPrimitives } from '../../../service/keys/sodium-primitives.ts'
import { appendPending, pendingEntry, testOrigin } from '../../support/log-records.ts'
import { freshSeed, type Machine, newMachine, type OpenedLog, openTestLog } from '../../support/opened-log.ts'
import { startTestWitness, type TestWitness } from '../../support/test-witness.ts'
import { until } from '../../support/until.ts'
import { createSqlite, type TestDatabase } from '../store/engines.ts'

let database: TestDatabase
let machine: Machine
let one: TestWitness
let two: TestWitness
let log: OpenedLog

beforeEach(async () => {
  database = await createSqlite()
  machine = newMachine()
  one = await startTestWitness('witness.example/one', 1)
  two = await startTestWitness('witness.example/two', 2)
  log = await openTestLog(database.location, machine.folder, { witnesses: [one.witness, two.witness] })
})

afterEach(async () => {
  await log.close()
  await Promise.all([one.close(), two.close()])
  machine.remove()
  await database.remove()
})

async function grow(leaves: number): Promise<void> {
  await appendPending(
    log.dependencies.store,
    ...Array.from({ length: leaves }, () => pendingEntry(freshSeed())),
  )
  log.log.gate.notify()
}

const stateOf = async ({ witness }: TestWitness) =>
  (await log.log.status()).witnesses.find(({ name }) => name === witness.name)

const isCosigned =
  (size: number, ...witnesses: readonly TestWitness[]) =>
  async () => {
    const { checkpointSize } = await log.log.status()
    const states = await Promise.all(witnesses.map(stateOf))
    return checkpointSize === size && states.every((state) => state?.behind === 0 && state.failure === null)
  }

it('every witness cosigns every checkpoint, and served checkpoints satisfy a policy that requires all of them', async () => {
  await until(isCosigned(1, one, two))
  await grow(3)
  await until(isCosigned(4, one, two))
  await grow(300)
  await until(isCosigned(304, one, two))
  const checkpoint = await log.log.reader.latestCheckpoint()
  const { note = '', cosignatures = '' } = checkpoint ?? {}
  const keys = log.dependencies.keyring.known('log')
  const policy = {
    logs: keys.map(({ publicKey }) => ({ key: { kind: 'ed25519' as const, name: testOrigin, publicKey } })),
    witnesses: [one.witness, two.witness],
    groups: [{ name: 'both', threshold: 2, members: [one.witness.name, two.witness.name] }],
    quorum: 'both',
  }
  const trusted = verifyByPolicy(sodiumPrimitives, note + cosignatures, policy)
  expect(trusted.cosignatures).toHaveLength(2)
  expect(() => verifyByPolicy(sodiumPrimitives, note, policy)).toThrow()
})

it('a witness that is down delays only its own cosignature and is retried', async () => {
  await until(isCosigned(1, one, two))
  two.instead = { status: 503, body: '' }
  await grow(2)
  await until(isCosigned(3, one))
  await until(async () => (await stateOf(two))?.failure === 'status 503')
  expect(await stateOf(two)).toMatchObject({ behind: 2, failure: 'status 503' })
  expect((await log.log.status()).health).toBe('open')
  log.log.gate.assertAcceptingEntries()
  two.instead = undefined
  // Past the back-off.
  await sleep(100)
  await grow(1)
  await until(isCosigned(4, one, two))
})

it('a witness that reports another size gets a proof from that size, unless it is larger than the log', async () => {
  await until(isCosigned(1, one))
  one.seen = { size: 0, root: one.seen.root }
  await grow(4)
  await until(isCosigned(5, one))
  one.seen = { size: 900, root: new Uint8Array(32) }
  await grow(1)
  await until(
    async () => (await stateOf(one))?.failure === 'the witness has a larger checkpoint, of size 900',
  )
})

it('only valid cosignatures of the witness itself are stored', async () => {
  await until(isCosigned(1, one, two))
  const { cosignatures: before } = (await log.log.reader.latestCheckpoint()) ?? {}
  const [foreign = ''] = (before ?? '').split('\n').filter((line) => line.includes('/two'))
  const answers = [
    { status: 200, body: `${foreign}\n` },
    { status: 200, body: `${foreign.replace('/two', '/one')}\n` },
    { status: 200, body: 'anything' },
    { status: 200, body: `${'x'.repeat(70_000)}\n` },
    { status: 409, type: 'text/x.tlog.size', body: 'x' },
    { status: 409, body: '1\n' },
    { status: 302, body: '' },
  ]
  let size = 1
  for (const instead of answers) {
    one.instead = instead
    const { requests } = one
    size += 1
    await grow(1)
    await until(async () => one.requests > requests && ((await stateOf(one))?.failure ?? null) !== null)
    const latest = await log.log.reader.latestCheckpoint()
    expect(latest?.cosignatures).not.toContain('/one')
    await log.close()
    log = await openTestLog(database.location, machine.folder, { witnesses: [one.witness, two.witness] })
  }
  expect(size).toBe(answers.length + 1)
})
