/** Query plans of log searches: among 50,000 entries each search uses an index, and none sorts. */
import Database from 'better-sqlite3'
import { drizzle as drizzleSqlite } from 'drizzle-orm/better-sqlite3'
import { drizzle as drizzlePostgres } from 'drizzle-orm/node-postgres'
import { Pool } from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Queries } from '../../../service/store/engine.ts'
import { openStore } from '../../../service/store/open-store.ts'
import * as postgresSchema from '../../../service/store/postgres/schema.ts'
import * as sqliteSchema from '../../../service/store/sqlite/schema.ts'
import type { LogSearch, SearchReads } from '../../../service/store/tlog-search.ts'
import { prepareReads } from '../../../service/store/tlog-search.ts'
import { describeOnBothEngines, type TestDatabase } from './engines.ts'

const entries = 50_000
const start = 1_764_000_000_000
/** Milliseconds between two entries: a day and more, so that an hour before and after is a part of it. */
const pace = 2_000

interface Planned {
  readonly searching: SearchReads
  /** Every plan of the statements that ran since the last call. */
  plans(): Promise<readonly string[]>
  close(): Promise<void>
}

interface Ran {
  readonly query: string
  readonly params: unknown[]
}

describeOnBothEngines('a search among 50,000 entries', (create) => {
  let database: TestDatabase
  let planned: Planned

  beforeAll(async () => {
    database = await create()
    await (await openStore(database.location)).close()
    await database.sql(fill(database.location.kind))
    await database.sql(database.location.kind === 'sqlite' ? 'analyze' : 'analyze tlog_entries')
    planned = observe(database)
  })

  afterAll(async () => {
    await planned?.close()
    await database.remove()
  })

  const tag = (n: number): Uint8Array => new Uint8Array(Buffer.from(n.toString(16).padStart(16, '0'), 'hex'))
  const noon = start + (entries * pace) / 2
  const minute = { from: noon, until: noon + 60_000 }

  it.each<[string, LogSearch]>([
    ['nothing', {}],
    ['user', { userBlindIndex: tag(77) }],
    ['device', { deviceBlindIndex: tag(77) }],
    ['address', { ipBlindIndex: tag(77) }],
    ['path', { pathBlindIndex: tag(77) }],
    ['code', { code: 'code_7' }],
    ['a rare kind', { kind: 'gap' }],
    ['what was refused', { result: 'refused' }],
    ['id', { id: new Uint8Array(16) }],
    ['hash', { hash: new Uint8Array(32) }],
    ['user and time', { userBlindIndex: tag(77), ...minute }],
    ['user, code and result', { userBlindIndex: tag(77), code: 'code_7', result: 'refused' }],
  ])('a search by %s scans an index, for a page and for a chart', async (_, search) => {
    await planned.searching.searchLog(search, Number.MAX_SAFE_INTEGER, 51)
    await planned.searching.listEntryTimes({ ...minute, ...search }, 1_000)
    const plans = await planned.plans()
    expect(plans.length).toBeGreaterThan(0)
    for (const plan of plans) {
      expect(plan).not.toMatch(/SCAN tlog_entries(?! USING)|Seq Scan/)
      expect(plan).toMatch(
        /USING (?:COVERING )?INDEX|USING INTEGER PRIMARY KEY|SCAN tlog_entries USING|Index|Bitmap/,
      )
      // A walk that has to sort has read everything first: what one user has, or one minute, never a whole log.
      if (/TEMP B-TREE|Sort/.test(plan))
        expect(plan).toMatch(/tlog_entries_(?:user|device|ip|path|code|result|kind|id|hash|at)/)
    }
  })

  it('a search by time scans only the indexes that the time range can have', async () => {
    await planned.searching.searchLog(minute, Number.MAX_SAFE_INTEGER, 51)
    const plans = await planned.plans()
    expect(plans.length).toBeGreaterThanOrEqual(3)
    expect(plans.length).toBeLessThanOrEqual(5)
    for (const plan of plans) expect(plan).not.toMatch(/TEMP B-TREE|Seq Scan|SCAN tlog_entries/)
  })
})

/** Entries of 500 people, of every tenth of which something was refused. */
function fill(kind: 'sqlite' | 'postgres'): string {
  const isSqlite = kind === 'sqlite'
  const numbers = isSqlite
    ? `with recursive n(i) as (select 0 union all select i + 1 from n where i < ${entries - 1})`
    : `with n as (select i from generate_series(0, ${entries - 1}) as i)`
  const bytes = (size: number, number: string): string =>
    isSqlite
      ? `unhex(printf('%0${2 * size}x', ${number}))`
      : `decode(lpad(to_hex(${number}), ${2 * size}, '0'), 'hex')`
  const [refused, gap] = ['i % 10 = 0', 'i % 10000 = 1']
  return `insert into tlog_entries (global_index, id, hash, leaf, at, kind, result, code, app, user_blind_index, device_blind_index, ip_blind_index,
      path_blind_index, area_blind_index, detail, detail_expires_at)
    ${numbers}
    select i, ${bytes(16, 'i')}, ${bytes(32, 'i')}, ${bytes(400, 'i')}, ${start} + cast(i as bigint) * ${pace},
      case when ${gap} then 'gap' else 'request' end,
      case when ${refused} then 'refused' else 'ok' end,
      case when ${refused} then ${isSqlite ? "'code_' || (i / 10 % 20)" : "'code_' || (i / 10 % 20)::text"} end,
      'wx1234567890abcdef', ${bytes(8, 'i % 500')}, ${bytes(8, 'i % 500')}, ${bytes(8, 'i % 500')},
      ${bytes(8, 'i % 500')}, ${bytes(8, 'i % 5')}, null, 0
    from n`
}

function observe({ location }: TestDatabase): Planned {
  const ran: Ran[] = []
  const logger = { logQuery: (query: string, params: unknown[]) => void ran.push({ query, params }) }
  const guard = <T>(read: () => Promise<T>): Promise<T> => read()
  const engine = { guard, locks: { update: '', keyShare: '' } } as const
  const take = (): readonly Ran[] => ran.splice(0)
  if (location.kind === 'sqlite') {
    const connection = new Database(location.path)
    const queries = drizzleSqlite(connection, { logger }) as unknown as Queries
    return {
      searching: prepareReads({ ...engine, queries, tables: sqliteSchema }),
      plans: async () =>
        take().map(({ query, params }) => {
          const rows = connection
            .prepare<unknown[], { detail: string }>(`explain query plan ${query}`)
            .all(...params)
          return rows.map(({ detail }) => detail).join('\n')
        }),
      close: async () => void connection.close(),
    }
  }
  const pool = new Pool({ connectionString: location.url, max: 1 })
  return {
    searching: prepareReads({
      ...engine,
      queries: drizzlePostgres(pool, { logger }),
      tables: postgresSchema,
    }),
    async plans() {
      const plans: string[] = []
      for (const { query, params } of take()) {
        const { rows } = await pool.query<{ 'QUERY PLAN': string }>(`explain ${query}`, params)
        plans.push(rows.map((row) => row['QUERY PLAN']).join('\n'))
      }
      return plans
    },
    close: () => pool.end(),
  }
}
