/** Migrations of a PostgreSQL database, and the check that its commits are durable. */
import { Client } from 'pg'
import { appliedQuery, appliedTable, pendingMigrations, readMigrations } from '../migrations.ts'

/** An advisory lock that nobody else uses in this database: "miniseal" in ASCII. */
const migrationLock = 0x6d696e697365616cn.toString()

/**
 * Applies pending migrations: one connection without a statement timeout (an index may take long), one transaction, under
 * the lock.
 *
 * @throws the driver's error; Error when `synchronous_commit` is off.
 */
export async function migratePostgres(url: string, connectionTimeoutMillis: number): Promise<void> {
  const client = new Client({ connectionString: url, application_name: 'miniseal', connectionTimeoutMillis })
  // The running statement rejects, too.
  client.on('error', () => undefined)
  try {
    await client.connect()
    await assertDurable(client)
    await client.query('BEGIN')
    await client.query('select pg_advisory_xact_lock($1)', [migrationLock])
    await client.query(appliedTable)
    const applied = await client.query<{ madeAt: string }>(appliedQuery)
    for (const { madeAt, hash, statements } of pendingMigrations(readMigrations('postgres'), applied.rows)) {
      for (const statement of statements) await client.query(statement)
      await client.query('insert into applied_migrations (made_at, hash) values ($1, $2)', [madeAt, hash])
    }
    await client.query('COMMIT')
  } finally {
    await client.end()
  }
}

/** With `synchronous_commit = off` the server acknowledges commits that a crash loses: replayed nonces, revived sessions. */
async function assertDurable(client: Client): Promise<void> {
  const { rows } = await client.query<{ synchronous_commit: string }>('show synchronous_commit')
  if (rows[0]?.synchronous_commit === 'off')
    throw new Error('synchronous_commit is off: a commit would not be durable')
}
