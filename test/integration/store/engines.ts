/** A fresh database for each test on each engine, and direct SQL to inspect or disturb it. */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { Client } from 'pg'
import { describe } from 'vitest'
import type { DatabaseLocation } from '../../../service/store/open-store.ts'

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
