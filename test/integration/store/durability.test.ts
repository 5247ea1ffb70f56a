/** Acknowledged commits are durable; where durability is unknown, commits are unavailable. */
import { readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openStore } from '../../../service/store/open-store.ts'
import { openSqliteConnection } from '../../../service/store/sqlite/connection.ts'
import { openSqliteStore } from '../../../service/store/sqlite/store.ts'
import { type Store, StoreUnavailable } from '../../../service/store/store.ts'
import { createSqlite, describeOnBothEngines, type TestDatabase } from './engines.ts'
import { startChild } from './processes.ts'
import { claimNonce, login, NOW, touchSession } from './records.ts'

describeOnBothEngines('durability', (create) => {
  let database: TestDatabase

  beforeEach(async () => {
    database = await create()
  })

  afterEach(() => database.remove())

  test('every claim that a killed process acknowledged is durable', async () => {
    const child = await startChild('commit', database.location)
    child.go()
    await child.printed(500)
    child.kill()
    await child.exit
    const acknowledged = child.lines.slice(2).map(Number)
    expect(acknowledged.length).toBeGreaterThan(400)
    const store = await openStore(database.location)
    const again = await Promise.all(acknowledged.map((seed) => store.commit([claimNonce(seed)])))
    await store.close()
    expect(again.filter(({ kind }) => kind === 'committed')).toEqual([])
  })
})

describe('durability on SQLite', () => {
  let database: Awaited<ReturnType<typeof createSqlite>>
  let store: Store

  beforeEach(async () => {
    database = await createSqlite()
    store = await openSqliteStore(database.path, { statementTimeout: 50 })
  })

  afterEach(async () => {
    await store.close()
    await database.remove()
  })

  test('a connection uses WAL with synchronous=NORMAL and enforces foreign keys', async () => {
    const connection = await openSqliteConnection(database.path, 1234)
    expect(connection.pragma('journal_mode', { simple: true })).toBe('wal')
    expect(connection.pragma('synchronous', { simple: true })).toBe(1)
    expect(connection.pragma('foreign_keys', { simple: true })).toBe(1)
    expect(connection.pragma('busy_timeout', { simple: true })).toBe(1234)
    connection.close()
  })

  test('a database in memory works', async () => {
    const memory = await openSqliteStore(':memory:')
    await login(memory)
    expect(await memory.commit([touchSession()])).toEqual({ kind: 'committed' })
    await memory.assertWritable()
    await memory.close()
  })

  test('a lock that another process holds makes the waiting commits unavailable, and only those', async () => {
    const other = new Database(database.path)
    other.exec('BEGIN IMMEDIATE')
    const waiting = [1, 2, 3].map((seed) => store.commit([claimNonce(seed)]))
    const results = await Promise.allSettled([...waiting, store.assertWritable(), store.prune(NOW, 1)])
    for (const result of results) {
      expect(result).toMatchObject({ status: 'rejected', reason: { message: /SQLITE_BUSY/ } })
      expect(result.status === 'rejected' && result.reason).toBeInstanceOf(StoreUnavailable)
    }
    other.exec('ROLLBACK')
    other.close()
    expect(await store.commit([1, 2, 3].map((seed) => claimNonce(seed)))).toEqual({ kind: 'committed' })
  })

  test('an I/O error makes the store unavailable until the error is gone', async () => {
    await store.commit([claimNonce(1)])
    const other = new Database(database.path) // its commit makes the store read the file again
    other.exec('update applied_migrations set hash = upper(hash)')
    const [main, wal] = [readFileSync(database.path), readFileSync(`${database.path}-wal`)]
    truncateSync(database.path)
    truncateSync(`${database.path}-wal`)
    await expect(store.commit([claimNonce(2)])).rejects.toThrow(StoreUnavailable)
    await expect(store.findUser('user-1')).rejects.toThrow(StoreUnavailable)
    writeFileSync(database.path, main, { flag: 'r+' })
    writeFileSync(`${database.path}-wal`, wal, { flag: 'r+' })
    expect(await store.commit([claimNonce(2)])).toEqual({ kind: 'committed' })
    expect(await store.commit([claimNonce(1)])).toMatchObject({ kind: 'refused' })
    other.close()
  })

  test('an error in the middle of a shared transaction undoes the whole transaction', async () => {
    await database.sql('alter table login_codes rename to elsewhere')
    const good = store.commit([claimNonce(1)])
    const bad = store.commit([{ kind: 'claim-login-code', hash: new Uint8Array(32), expiresAt: NOW }])
    const results = await Promise.allSettled([good, bad])
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    await database.sql('alter table elsewhere rename to login_codes')
    expect(await store.commit([claimNonce(1)])).toEqual({ kind: 'committed' })
  })

  test('a value that cannot be bound fails only its own commit', async () => {
    const impossible = { ...claimNonce(2), expiresAt: true as unknown as number }
    const neighbour = store.commit([claimNonce(1)])
    await expect(store.commit([claimNonce(3), impossible])).rejects.toThrow(TypeError)
    expect(await neighbour).toEqual({ kind: 'committed' })
    expect(await store.commit([claimNonce(3)])).toEqual({ kind: 'committed' })
  })

  test('a removed database file is not writable, although SQLite can still write to it', async () => {
    await store.assertWritable()
    rmSync(database.path)
    await expect(store.assertWritable()).rejects.toThrow(StoreUnavailable)
  })

  test('a file that is no database and an invalid path are unavailable', async () => {
    await store.close()
    for (const suffix of ['-wal', '-shm']) rmSync(`${database.path}${suffix}`, { force: true })
    writeFileSync(database.path, 'this is a letter, not a database'.repeat(100))
    await expect(openSqliteStore(database.path)).rejects.toThrow(StoreUnavailable)
    await expect(openSqliteStore('/')).rejects.toThrow(StoreUnavailable)
  })
})
