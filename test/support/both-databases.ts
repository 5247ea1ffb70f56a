/** One suite of tests with a service on SQLite and, when `TEST_POSTGRES_URL` names a server, on PostgreSQL. */
import { describe } from 'vitest'
import { createPostgres } from '../store/engines.ts'

export interface ServiceDatabase {
  /** What the service's environment says of it. */
  readonly environment: Readonly<Record<string, string>>
  remove(): Promise<void>
}

export function describeWithBothDatabases(
  title: string,
  suite: (create: () => Promise<ServiceDatabase>) => void,
): void {
  describe(`${title} (SQLite)`, () => suite(async () => ({ environment: {}, remove: async () => {} })))
  describe.skipIf(process.env.TEST_POSTGRES_URL === undefined)(
    `${title} (PostgreSQL; skipped when TEST_POSTGRES_URL is unset)`,
    () =>
      suite(async () => {
        const { url, remove } = await createPostgres()
        return { environment: { MINISEAL_DATABASE: url }, remove }
      }),
  )
}
