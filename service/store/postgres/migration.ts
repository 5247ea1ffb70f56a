/** The migrations of a PostgreSQL database, and what it must promise before it is used. */
import { Client } from 'pg'
import { APPLIED_QUERY, APPLIED_TABLE, pendingMigrations, readMigrations } from '../migrations.ts'

/** Any number that nobody else locks in this database: "miniseal" in ASCII. */
const MIGRATION_LOCK = 0x6d696e697365616cn.toString()

/**
 * Brings the database to this version: one connection without a statement timeout (an index may take long), one
 * transaction, under the lock.
 *
 * @throws the driver's error; Error when `synchronous_commit` is off.
 */
export async function migratePostgres(url: string, connectionTimeoutMillis: number): Promise<void> {
  const client = new Client({ connectionString: url, application_name: 'miniseal', connectionTimeoutMillis })
  // The statement that runs rejects, too.
  client.on('error', () => undefined)
  try {
    await client.connect()
    await assertDurable(client)
    await client.query('BEGIN')
    await client.query('select pg_advisory_xact_lock($1)', [MIGRATION_LOCK]) // until COMMIT or until we die
    await client.query(APPLIED_TABLE)
    const applied = await client.query<{ madeAt: string }>(APPLIED_QUERY)
    for (const { madeAt, hash, statements } of pendingMigrations(readMigrations('postgres'), applied.rows)) {
      for (const statement of statements) await client.query(statement)
      await client.query('insert into applied_migrations (made_at, hash) values ($1, $2)', [madeAt, hash])
    }
    await client.query('COMMIT')
  } finally {
    await client.end()
  }
}

/** With `synchronous_commit = off` the server acknowledges what a crash may still lose: replayed nonces, revived sessions. */
async function assertDurable(client: Client): Promise<void> {
  const { rows } = await client.query<{ synchronous_commit: string }>('show synchronous_commit')
  if (rows[0]?.synchronous_commit === 'off')
    throw new Error('synchronous_commit is off: a commit would not be durable')
}
