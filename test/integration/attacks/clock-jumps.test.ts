/** Clock jumps by NTP, an attacker or an operator, within a process or across a restart. */
import Database from 'better-sqlite3'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { settlingTime, watchClock } from '../../../service/clock.ts'
import { openSqliteStore } from '../../../service/store/sqlite/store.ts'
import { logIn, type Prepared, type RawSession, type ReceivedReply, send } from '../../support/raw-client.ts'
import { metricOf, type OwnService, startTestService } from '../../support/service.ts'
import { freePort } from '../../support/service-process.ts'

const threeDays = 3 * 86_400
const transfer = { payee: 'bob', amount: 100, currency: 'CNY' }

let elapsed = 0
let service: OwnService
let session: RawSession

const options = { monotonic: () => performance.now() / 1000 + elapsed, maintenancePeriod: 20 }

beforeEach(async () => {
  elapsed = 0
  service = await startTestService({ ...options, environment: { PORT: String(await freePort()) } })
})

afterEach(() => service.close())

/** Advances both clocks. */
function pass(seconds: number): void {
  elapsed += seconds
  service.advanceClock(seconds)
}

const metric = (name: string, labels = {}) => metricOf(service, name, labels)

/** Waits until the maintenance job has run `count` times. */
async function afterRounds(count: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 20 * (count + 2)))
}

const databasePath = (): string => service.environment.MINISEAL_DATABASE?.replace('sqlite:', '') ?? ''

function rows(table: 'nonces' | 'idempotency_keys' | 'sessions'): number {
  const database = new Database(databasePath())
  try {
    return (database.prepare(`select count(*) as n from ${table}`).get() as { n: number }).n
  } finally {
    database.close()
  }
}

const pay = (key: string): Prepared =>
  session.prepare({ method: 'POST', path: '/wallet/transfers', body: transfer, key })
const balance = async (): Promise<unknown> => (await session.send()).json.balance

async function settle(): Promise<void> {
  pass(settlingTime + 1)
  await expect.poll(() => metric('miniseal_pruning_suspended')).toBe(0)
}

/** A frame that was used once, as an attacker on the network recorded it. */
async function record(): Promise<{ readonly frame: Prepared; readonly answer: ReceivedReply }> {
  session = await logIn(service)
  const frame = pay('once')
  const answer = await send(service, frame)
  expect(answer.status).toBe(201)
  return { frame, answer }
}

/** Neither the frame nor its key does anything again. */
async function expectNoSecondEffect(frame: Prepared): Promise<void> {
  expect((await send(service, frame)).json.code).toBe('replayed')
  const again = await send(service, pay('once'))
  expect(again.fields).toContainEqual(['idempotency-replayed', 'true'])
  expect(await balance()).toBe(999_900)
}

it('a clock that was three days ahead for 20 seconds gives no frame or key a second effect', async () => {
  await settle()
  const { frame } = await record()
  service.advanceClock(threeDays)
  await expect.poll(() => metric('miniseal_clock_jumps_total', { direction: 'forward' })).toBe(1)
  await afterRounds(3)
  pass(20)
  await afterRounds(3)
  service.advanceClock(-threeDays)
  await expect.poll(() => metric('miniseal_clock_jumps_total', { direction: 'back' })).toBe(1)
  expect(await metric('miniseal_pruning_suspended')).toBe(1)
  await expectNoSecondEffect(frame)
  expect(service.logText()).toMatch(/"event":"clock\.jumped","seconds":259(199|20[0-9])/)
  // Pruning resumes without intervention.
  await settle()
  expect(service.logText()).toMatch(/"event":"clock\.stable"/)
})

it('a process that starts while the clock is ahead gives no frame or key a second effect', async () => {
  await settle()
  const { frame } = await record()
  const { environment } = service
  await service.stop()
  const kept = service
  elapsed = 0
  service = await startTestService({
    ...options,
    environment: { ...environment, MINISEAL_ORIGIN: kept.origin, PORT: new URL(kept.origin).port },
    clockOffset: settlingTime + 1 + threeDays,
  })
  await afterRounds(3)
  pass(20)
  await afterRounds(3)
  service.advanceClock(-threeDays)
  await expect.poll(() => metric('miniseal_clock_jumps_total', { direction: 'back' })).toBe(1)
  await expectNoSecondEffect(frame)
  await kept.close()
})

it('expired rows are pruned only after both clocks have agreed for the settling time', async () => {
  await record()
  const before = rows('nonces')
  pass(settlingTime - 60)
  await afterRounds(3)
  expect(rows('nonces')).toBe(before)
  expect(await metric('miniseal_pruning_suspended')).toBe(1)
  pass(61)
  await expect.poll(() => rows('nonces')).toBeLessThan(before)
})

it('no session outlives the idempotency records of its requests, whatever the clock shows', async () => {
  await record()
  await service.stop()
  const store = await openSqliteStore(databasePath())
  const start = service.now()
  let isGone = false
  for (let hours = 0; !isGone; hours += 0.25) {
    await store.prune(start + hours * 3_600, 500)
    isGone = rows('idempotency_keys') === 0
    if (isGone) expect(rows('sessions')).toBe(0)
  }
  await store.close()
})

it('a deviation beyond drift is a jump, forward or back, and restarts the settling time', () => {
  let [time, ticks] = [1_764_000_000, 50]
  const jumps: number[] = []
  let settled = 0
  const clock = watchClock({
    now: () => time,
    monotonic: () => ticks,
    onJump: ({ seconds }) => jumps.push(seconds),
    onStable: () => settled++,
  })
  const go = (seconds: number, wall = seconds): number | undefined => {
    ticks += seconds
    time += wall
    return clock.trustedTime()
  }
  expect(go(settlingTime - 1)).toBeUndefined()
  expect(go(1)).toBe(time)
  // A clock that is slewed by half a second in fifteen, for an hour.
  for (let i = 0; i < 240; i++) expect(go(15, 15.5)).toBe(time)
  expect(jumps).toEqual([])
  expect(go(15, 15 + threeDays)).toBeUndefined()
  expect(go(15)).toBeUndefined()
  expect(go(15, 15 - threeDays)).toBeUndefined()
  expect(go(settlingTime - 1)).toBeUndefined()
  expect(go(15, 9)).toBeUndefined()
  expect(go(settlingTime - 1)).toBeUndefined()
  expect(go(1)).toBe(time)
  expect(jumps).toEqual([threeDays, -threeDays, -6])
  expect(settled).toBe(2)
  // A machine that slept: the monotonic clock stood still.
  expect(go(0, 3_600)).toBeUndefined()
  expect(go(settlingTime)).toBe(time)
})
