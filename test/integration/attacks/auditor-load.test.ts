/** Load by an auditor: exports and searches yield, use bounded memory, and are limited in number. */

import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { createWorkSlots, readLimit } from '../../../service/admin/api/api.ts'
import { AuditRefused } from '../../../service/admin/api/context.ts'
import { entriesPerTurn, exportResponse } from '../../../service/admin/api/downloads.ts'
import { type AuditFilter, type AuditSearch, createAuditSearch } from '../../../service/admin/api/search.ts'
import { overviewOf, timelineOf } from '../../../service/admin/api/timeline.ts'
import { indexesPerStatement } from '../../../service/store/tlog-search.ts'
import { newAuditor, signIn } from '../../support/audit-traffic.ts'
import { disturb } from '../../support/both-databases.ts'
import { sharedService } from '../../support/hooks.ts'
import { entryTime, startLog, type WrittenLog } from '../../support/written-log.ts'
import { createSqlite } from '../store/engines.ts'

const entries = 12_000
const hours = 7_000

const service = sharedService()

let log: WrittenLog
let search: AuditSearch
let token: string

beforeAll(async () => {
  log = await startLog(createSqlite)
  search = createAuditSearch(log.store, log.blindIndexOf)
  const [first] = await log.append([{ user: 'u_copied', path: '/wallet/transfers' }])
  await log.database.sql(copiesOf(2, entries - 2))
  await log.database.sql(
    `insert into tlog_hourly_counts (hour, kind, result, code, entries)
     with recursive n(i) as (select 0 union all select i + 1 from n where i < ${hours - 1})
     select 1700000000 / 3600 * 3600 + n.i * 3600, 'refused', 'refused', 'replayed', 1 from n`,
  )
  expect(first?.kind).toBe('request')
  token = await newAuditor(service, 'wei', 'discloser')
})

/** Copies of the newest entry, erased, from a place on: as many as it takes, in a moment. */
function copiesOf(from: number, count: number): string {
  const bytes = (size: number): string => `unhex(printf('%0${2 * size}x', n.i))`
  return `insert into tlog_entries (global_index, id, hash, leaf, at, kind, result, code, app, user_blind_index, device_blind_index, ip_blind_index,
      path_blind_index, area_blind_index, detail, detail_expires_at)
    with recursive n(i) as (select ${from} union all select i + 1 from n where i < ${from + count - 1})
    select n.i, ${bytes(16)}, ${bytes(32)}, leaf, at, kind, result, code, app, user_blind_index, device_blind_index, ip_blind_index,
      path_blind_index, area_blind_index, null, 0
    from (select * from tlog_entries order by global_index desc limit 1), n`
}

afterAll(async () => {
  await log.close()
})

/** The turns of the event loop in which `work` was not done yet: whatever else is ready runs in each of them. */
async function turnsOf(work: () => Promise<unknown>): Promise<number> {
  let turns = 0
  let isDone = false
  const count = (): void => {
    turns += 1
    if (!isDone) setImmediate(count)
  }
  setImmediate(count)
  await work()
  isDone = true
  return turns
}

const nothing = async (): Promise<undefined> => undefined

function exported(onEnd: () => void = () => {}): Response {
  return exportResponse({ findKey: nothing, search, onEnd }, {}, 'jsonl')
}

it('an export yields after few entries, so that /healthz and payments are served in between', async () => {
  let lines = 0
  const turns = await turnsOf(async () => {
    for await (const chunk of exported().body ?? [])
      lines += Buffer.from(chunk).toString().split('\n').length - 1
  })
  expect(lines).toBe(entries)
  expect(turns).toBeGreaterThanOrEqual(entries / entriesPerTurn)
})

it('an export reads no further than the client consumes and stops when the client disconnects', async () => {
  let pages = 0
  let ended = 0
  const counted: AuditSearch = {
    ...search,
    page: (...args) => {
      pages += 1
      return search.page(...args)
    },
  }
  const onEnd = (): void => {
    ended += 1
  }
  const reader = exportResponse({ findKey: nothing, search: counted, onEnd }, {}, 'csv').body?.getReader()
  await reader?.read()
  await reader?.read()
  for (let turn = 0; turn < 100; turn++) await new Promise(setImmediate)
  expect(pages).toBeLessThanOrEqual(3)
  expect(ended).toBe(0)
  await reader?.cancel()
  expect(ended).toBe(1)
})

it.each<[string, AuditFilter]>([
  ['two filters that have nothing in common', { user: 'u_copied', ip: '192.0.2.250' }],
  ['a time and a result that nothing has', { from: 1, result: 'failed', user: 'u_copied' }],
  [
    'what most entries are, and one more',
    { kind: 'request', result: 'ok', code: 'replayed', user: 'u_copied' },
  ],
])('a search by %s yields after few entries', async (_, filter) => {
  // Each for itself finds much, and all together nothing.
  await log.database.sql(
    `update tlog_entries set ip_blind_index = x'0000000000000001' where global_index > 1`,
  )
  let found = -1
  const turns = await turnsOf(async () => {
    found = (await search.page(filter, undefined, 50)).entries.length
  })
  expect(found).toBe(0)
  expect(turns).toBeGreaterThanOrEqual(entries / indexesPerStatement)
})

it('charts over the whole log yield after few entries', async () => {
  const now = entryTime(entries)
  const timeline = () => timelineOf({ store: log.store, search }, { user: 'u_copied' }, now)
  expect(await turnsOf(timeline)).toBeGreaterThanOrEqual(entries / indexesPerStatement)
  let refusals = 0
  const turns = await turnsOf(async () => {
    const overview = await overviewOf(log.store, { from: 0 }, now)
    refusals = overview.refusals[0]?.total ?? 0
  })
  expect(refusals).toBe(hours)
  expect(turns).toBeGreaterThanOrEqual(3)
})

it('concurrent searches are limited per auditor and in total, and each slot is released once', () => {
  const takeSlot = createWorkSlots({ perAuditor: 2, inAll: 3 })
  const refused = (auditor: string): string => {
    try {
      takeSlot(auditor)
      return 'taken'
    } catch (error) {
      return error instanceof AuditRefused ? error.code : 'broken'
    }
  }
  const release = takeSlot('lin')
  takeSlot('lin')
  expect(refused('lin')).toBe('too_many_concurrent')
  takeSlot('wei')
  expect(refused('wei')).toBe('too_many_concurrent')
  release()
  release()
  expect([refused('wei'), refused('wei'), refused('lin')]).toEqual([
    'taken',
    'too_many_concurrent',
    'too_many_concurrent',
  ])
  expect(readLimit.perAuditor).toBeLessThan(readLimit.inAll)
})

it('a third export of an auditor gets 429 while two are stalled, and stalled exports are not buffered', async () => {
  await disturb(service, copiesOf(7_000_000_000_000, 60_000))
  const cookie = await signIn(service, token)
  const get = (path: string) => fetch(`${service.url}/audit/api/${path}`, { headers: { cookie } })
  // More than all buffers between here and there: they end when they are read, or given up.
  const held = [await get('export?format=jsonl'), await get('export?format=jsonl')]
  expect(held.map(({ status }) => status)).toEqual([200, 200])
  const third = await get('export?format=jsonl')
  expect(third.status).toBe(429)
  expect(third.headers.get('retry-after')).toBe('5')
  expect(await third.json()).toMatchObject({ status: 429, code: 'too_many_concurrent' })
  expect((await get('entries')).status).toBe(200)
  for (const answer of held) await answer.body?.cancel()
  await vi.waitFor(async () => {
    const answer = await get('export?format=jsonl&kind=log-started')
    await answer.body?.cancel()
    expect(answer.status).toBe(200)
  }, 60_000)
})
