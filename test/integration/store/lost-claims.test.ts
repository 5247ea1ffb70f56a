/** Claims of dead processes expire when no process has the file open. */
import Database from 'better-sqlite3'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { expireLostClaims } from '../../../service/store/sqlite/connection.ts'
import { openSqliteStore } from '../../../service/store/sqlite/store.ts'
import { createSqlite } from './engines.ts'
import { bytes, claimIdempotency, NOW, putIntent } from './records.ts'

let database: Awaited<ReturnType<typeof createSqlite>>

beforeEach(async () => {
  database = await createSqlite()
})

afterEach(() => database.remove())

async function startedAt(key: string): Promise<unknown> {
  const [row] = await database.sql(
    `select started_at, completed_at from idempotency_keys where key = '${key}'`,
  )
  return row?.started_at
}

test('open claims and intents expire when no process has the file open, and not before', async () => {
  const first = await openSqliteStore(database.path)
  await first.commit([claimIdempotency('open'), claimIdempotency('settled'), putIntent(1)])
  const settle = {
    kind: 'complete-idempotency',
    user: 'user-1',
    key: 'settled',
    startedAt: NOW,
    now: NOW,
  } as const
  await first.commit([{ ...settle, responseWrapped: bytes(9, 1) }])
  const second = await openSqliteStore(database.path)
  expect(await startedAt('open')).toBe(NOW)
  expect(await second.listIntents(NOW, 1)).toEqual([])
  await first.close()
  const third = await openSqliteStore(database.path)
  expect(await startedAt('open')).toBe(NOW)
  await second.close()
  await third.close()
  const alone = await openSqliteStore(database.path)
  expect(await alone.findIdempotency('user-1', 'open')).toMatchObject({ startedAt: 0, completedAt: null })
  expect(await alone.findIdempotency('user-1', 'settled')).toMatchObject({ startedAt: NOW })
  expect(await alone.listIntents(NOW, 1)).toMatchObject([{ id: bytes(16, 1), startedAt: 0 }])
  await alone.close()
})

test('a file that is no database, a foreign database and a missing file stay unchanged', async () => {
  const store = await openSqliteStore(database.path)
  await store.close()
  const other = `${database.path}.other`
  expireLostClaims(other)
  const connection = new Database(other)
  connection.exec('create table idempotency_of_others (a)')
  connection.close()
  expect(() => expireLostClaims(other)).not.toThrow()
  expect(() => expireLostClaims(import.meta.filename)).not.toThrow()
})
