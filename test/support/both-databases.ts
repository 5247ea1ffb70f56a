/** Suites with a service that hold on SQLite and on PostgreSQL; see `describeOnBothEngines`. */
import Database from 'better-sqlite3'
import { Client } from 'pg'
import { describe } from 'vitest'
import { createPostgres, engines } from '../integration/store/engines.ts'
import type { TestService } from './service.ts'

export interface ServiceDatabase {
  /** The environment that selects it. */
  readonly environment: Readonly<Record<string, string>>
  remove(): Promise<void>
}

export function describeWithBothDatabases(
  title: string,
  suite: (create: () => Promise<ServiceDatabase>) => void,
): void {
  if (engines.includes('sqlite')) {
    describe(`${title} (SQLite)`, () => suite(async () => ({ environment: {}, remove: async () => {} })))
  }
  if (!engines.includes('postgres')) return
  describe(`${title} (PostgreSQL)`, () =>
    suite(async () => {
      const { url, remove } = await createPostgres()
      return { environment: { MINISEAL_DATABASE: url }, remove }
    }))
}

/** Runs SQL on the database of a running service. */
export async function disturb(
  service: TestService,
  forSqlite: string,
  forPostgres = forSqlite,
): Promise<void> {
  const { MINISEAL_DATABASE: url = '' } = service.environment
  if (url.startsWith('sqlite:')) {
    const connection = new Database(url.slice('sqlite:'.length))
    connection.exec(forSqlite)
    connection.close()
    return
  }
  const client = new Client({ connectionString: url })
  await client.connect()
  await client.query(forPostgres)
  await client.end()
}
