/** Daily time stamps of checkpoints, with the authority of OpenSSL. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { encodeUtf8 } from '../../../crypto/text.ts'
import { parseNote } from '../../../crypto/tlog/signed-note.ts'
import { sodiumPrimitives } from '../../../service/keys/sodium-primitives.ts'
import { createSqlite, type TestDatabase } from '../../integration/store/engines.ts'
import { appendPending, pendingEntry } from '../../support/log-records.ts'
import { freshSeed, type Machine, newMachine, type OpenedLog, openTestLog } from '../../support/opened-log.ts'
import { startTimeStamping, type TimeStampingAuthority } from '../../support/time-stamping.ts'

let authority: TimeStampingAuthority
let database: TestDatabase
let machine: Machine
let log: OpenedLog

beforeAll(async () => {
  authority = await startTimeStamping()
})

afterAll(() => authority.close())

beforeEach(async () => {
  database = await createSqlite()
  machine = newMachine()
})

afterEach(async () => {
  await log.close()
  machine.remove()
  await database.remove()
})

async function open(): Promise<void> {
  log = await openTestLog(database.location, machine.folder, { timestampUrl: authority.url })
}

/** Grows the log by a leaf and waits for its checkpoint. */
async function grow(): Promise<void> {
  const { size } = await log.log.status()
  await appendPending(log.dependencies.store, pendingEntry(freshSeed()))
  log.log.gate.notify()
  await until(async () => (await log.log.status()).checkpointSize === size + 1)
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 60_000; Date.now() < end; await sleep(50)) if (await isSo()) return
  throw new Error('the condition was not met')
}

const token = async () => (await log.log.reader.latestCheckpoint())?.timestampToken ?? null

it('the first checkpoint and the first one a day later get a timestamp that OpenSSL verifies', async () => {
  await open()
  await until(async () => (await token()) !== null)
  const { note = '' } = (await log.log.reader.latestCheckpoint()) ?? {}
  const digest = sodiumPrimitives.sha256(encodeUtf8(parseNote(note).text))
  expect(authority.verifies((await token()) ?? new Uint8Array(0), digest)).toBe(true)
  await grow()
  await sleep(1_200)
  expect(await token()).toBeNull()
  const first = (await log.dependencies.store.findLastTimestamped()) ?? 0
  log.advance(86_401)
  await grow()
  // Either the reissue of this checkpoint or the next one is timestamped.
  await until(async () => ((await log.dependencies.store.findLastTimestamped()) ?? 0) >= first + 86_400)
})

it('a failing authority does not stop the log and is not retried every second', async () => {
  const { answer } = authority
  let requests = 0
  authority.answer = (_query, _request, response) => {
    requests += 1
    response.writeHead(500).end()
  }
  await open()
  const failures = () =>
    log.events.filter((event) => event.kind === 'failed' && event.task === 'timestamping')
  await until(async () => failures().length === 1)
  await grow()
  await sleep(1_200)
  expect(requests).toBe(1)
  expect((await log.log.status()).health).toBe('open')
  expect(await token()).toBeNull()
  authority.answer = answer
})
