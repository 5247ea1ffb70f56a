/** A fresh database for each test on each engine, and direct SQL to inspect or disturb it. */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { Client } from 'pg'
import { afterEach, beforeEach, describe, expect } from 'vitest'
import { type DatabaseLocation, openStore } from '../../../service/store/open-store.ts'
import type { Store, Write } from '../../../service/store/store.ts'

export interface TestDatabase {
  readonly location: DatabaseLocation
  /** Runs SQL directly, without parameters. */
  sql(statement: string): Promise<readonly Record<string, unknown>[]>
  remove(): Promise<void>
}

const postgresUrl = process.env.TEST_POSTGRES_URL

/** The engines of this run: `vitest.config.ts` chooses `sqlite`, `postgres` or both. */
export const engines: readonly string[] = (process.env.TEST_ENGINES ?? 'sqlite').split(',')

/** Declares a suite that holds on SQLite (`npm test`) and on PostgreSQL (`npm run test:e2e`). */
export function describeOnBothEngines(
  title: string,
  suite: (create: () => Promise<TestDatabase>) => void,
): void {
  if (engines.includes('sqlite')) describe(`${title} (SQLite)`, () => suite(createSqlite))
  if (engines.includes('postgres')) describe(`${title} (PostgreSQL)`, () => suite(createPostgres))
}

export async function createSqlite(): Promise<TestDatabase & { readonly path: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'miniseal-store-'))
  const path = join(folder, 'made', 'by-the-store.db')
  return {
    path,
    location: { kind: 'sqlite', path },
    sql: async (statement) => {
      const connection = new Database(path)
      try {
        const prepared = connection.prepare<[], Record<string, unknown>>(statement)
        if (prepared.reader) return prepared.all()
        prepared.run()
        return []
      } finally {
        connection.close()
      }
    },
    remove: async () => rmSync(folder, { recursive: true }),
  }
}

export async function createPostgres(): Promise<TestDatabase & { readonly url: string }> {
  if (postgresUrl === undefined) throw new Error('TEST_POSTGRES_URL names no server')
  const schema = `miniseal_test_${randomBytes(8).toString('hex')}`
  const url = new URL(postgresUrl)
  url.searchParams.set('options', `-c search_path=${schema}`)
  const sql = async (statement: string) => {
    const client = new Client({ connectionString: url.href })
    await client.connect()
    try {
      return (await client.query<Record<string, unknown>>(statement)).rows
    } finally {
      await client.end()
    }
  }
  await sql(`create schema ${schema}`)
  const remove = async () => {
    await sql(`drop schema ${schema} cascade`)
  }
  return { url: url.href, location: { kind: 'postgres', url: url.href }, sql, remove }
}

/** A database of the running test, and stores on it. */
export interface Opened {
  readonly database: TestDatabase
  readonly store: Store
  /** A second store with its own connections, if the suite has two. */
  readonly other: Store
  /** The two stores in turn. */
  either(index: number): Store
  commit(...writes: readonly Write[]): Promise<'committed' | 'refused'>
  expectCommitted(...writes: readonly Write[]): Promise<void>
  expectRefused(write: Write): Promise<void>
  /** Closes the store and opens another one on the same database. */
  openAgain(): Promise<void>
}

/** For the suites of {@link describeOnBothEngines}: opens one or two stores on a fresh database for each test. */
export function openForEach(create: () => Promise<TestDatabase>, stores: 1 | 2 = 1): Opened {
  const at = {} as { database: TestDatabase; store: Store; other: Store }
  beforeEach(async () => {
    at.database = await create()
    at.store = await openStore(at.database.location)
    if (stores === 2) at.other = await openStore(at.database.location)
  })
  afterEach(async () => {
    await Promise.all([at.store.close(), ...(stores === 2 ? [at.other.close()] : [])])
    await at.database.remove()
  })
  return Object.assign(at, {
    either: (index: number) => (index % 2 === 0 ? at.store : at.other),
    commit: async (...writes: readonly Write[]) => (await at.store.commit(writes)).kind,
    expectCommitted: async (...writes: readonly Write[]) => {
      expect(await at.store.commit(writes)).toEqual({ kind: 'committed' })
    },
    expectRefused: async (write: Write) => {
      expect(await at.store.commit([write])).toEqual({ kind: 'refused', write, index: 0 })
    },
    openAgain: async () => {
      await at.store.close()
      at.store = await openStore(at.database.location)
    },
  })
}
