/** Pruning uses indexes on PostgreSQL, even when half of a table has expired. */
import { drizzle } from 'drizzle-orm/node-postgres'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import * as tables from '../../../service/store/postgres/schema.ts'
import { openPostgresStore } from '../../../service/store/postgres/store.ts'
import { compileStatements } from '../../../service/store/statements.ts'
import type { Store } from '../../../service/store/store.ts'
import { createPostgres } from '../../integration/store/engines.ts'
import { login, NOW } from '../../integration/store/records.ts'

const rows = 6_000
const end = `${NOW} + case when i % 2 = 0 then -100000 else 100000 end`
const id = `substr(sha256(i::text::bytea), 1, 16)`
const old = NOW - 200_000

const fillings = [
  `insert into nonces select 'device', ${id}, ${end} from generate_series(1, ${rows}) i`,
  `insert into idempotency_keys select 'u', i::text, sha256('f'), ${old}, ${old}, sha256('a'), ${end} from generate_series(1, ${rows}) i`,
  `insert into outboxes values ('user-1', ${rows / 2}, ${rows})`,
  `insert into events select 'user-1', ${id}, i, sha256('e'), ${old}, ${NOW} + (i - ${rows / 2}) * 10 from generate_series(1, ${rows}) i`,
  `insert into sessions select ${id}, 'user-1', 'device-1', 'wx', 'a', 'b', ${old}, ${end}, ${old},
     case when i % 10 = 0 then ${old} end, null, null from generate_series(1, ${rows}) i`,
  `insert into tlog_entries select i, ${id}, sha256(i::text::bytea), 'leaf', ${NOW}000, 'request', 'ok', null, 'wx',
     ${id}, ${id}, ${id}, ${id}, ${id}, sha256('d'), ${end} from generate_series(1, ${rows}) i`,
  'analyze',
]

describe('pruning on PostgreSQL', () => {
  let database: Awaited<ReturnType<typeof createPostgres>>
  let store: Store
  let client: Client

  beforeAll(async () => {
    database = await createPostgres()
    store = await openPostgresStore(database.url)
    await login(store)
    for (const filling of fillings) await database.sql(filling)
    client = new Client({ connectionString: database.url })
    await client.connect()
  })

  afterAll(async () => {
    await client.end()
    await store.close()
    await database.remove()
  })

  test('pruning finds expired rows of each large table by an index', async () => {
    const { prune } = compileStatements({
      queries: drizzle(client),
      tables,
      guard: (read) => read(),
      locks: { update: ' for update', keyShare: ' for key share' },
    })
    const plans: string[] = []
    for (const step of prune) {
      const { text, values } = step(NOW, 50)
      const { rows: lines } = await client.query<{ 'QUERY PLAN': string }>(`explain ${text}`, [...values])
      plans.push(lines.map((line) => line['QUERY PLAN']).join('\n'))
    }
    const all = plans.join('\n')
    // The search has the second name of its table; the deletion of the rows found may use any plan.
    expect(all).not.toMatch(/Seq Scan on (nonces|idempotency_keys|events|sessions|tlog_entries) \w+_1/)
    for (const index of [
      'nonces_expires',
      'idempotency_keys_expires',
      'events_expires',
      'tlog_entries_detail_expires',
    ]) {
      expect(all).toContain(index)
    }
    expect(all).toMatch(/sessions_expires[\s\S]*sessions_ended/)
  })

  test('pruning deletes all expired rows in batches', async () => {
    let deleted = 0
    for (;;) {
      const batch = await store.prune(NOW, 500)
      deleted += batch
      if (batch < 500) break
    }
    const [left] = await database.sql(
      `select (select count(*) from nonces) as nonces, (select count(*) from idempotency_keys) as idempotency,
        (select count(*) from events) as events, (select count(detail) from tlog_entries) as details`,
    )
    expect(Object.values(left ?? {}).map(Number)).toEqual([rows / 2, rows / 2, rows / 2 + 1, rows / 2])
    expect(deleted).toBeGreaterThan(2 * rows)
    expect(await store.prune(NOW, 500)).toBe(0)
  })
})
