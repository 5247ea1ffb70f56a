/** `miniseal audit export`: opened rows for spreadsheets and scripts. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { decodeUtf8 } from '../../../crypto/text.ts'
import { exportCommand } from '../../../service/cli/commands/audit/export.ts'
import { runCommand } from '../../support/command.ts'
import type { WrittenLog } from '../../support/written-log.ts'
import { requests, startLog } from '../../support/written-log.ts'
import { createSqlite } from '../store/engines.ts'

let log: WrittenLog
let folder: string

beforeAll(async () => {
  log = await startLog(createSqlite)
  folder = mkdtempSync(join(tmpdir(), 'miniseal-export-'))
  await log.append([
    ...requests(1_200),
    {
      user: 'u_formula',
      path: '/x',
      groups: { net: { ip: '192.0.2.1', user_agent: '=HYPERLINK("http://evil");=cmd; =1' } },
    },
    { user: 'u_erased', path: '/y', facts: { by: 'user', reason: 'lost' } },
  ])
  const none =
    'detail = null, user_blind_index = null, device_blind_index = null, ip_blind_index = null, path_blind_index = null, area_blind_index = null'
  await log.database.sql(`update tlog_entries set ${none} where global_index = 1202`)
})

afterAll(async () => {
  await log.close()
  rmSync(folder, { recursive: true })
})

const run = (...args: readonly string[]) => runCommand(exportCommand, args, log.environment)

it('an export has one line for each entry, newest first, with decrypted details', async () => {
  const { out, err, code } = await run('--format', 'jsonl')
  expect({ code, err }).toEqual({ code: 0, err: '1203 entries\n' })
  const rows = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(rows).toHaveLength(1203)
  expect(rows[0]).toMatchObject({ index: 1202, detail: 'erased', groups: {} })
  expect(rows[0].facts).toEqual({ by: 'user', reason: 'lost' })
  expect(rows[1].facts).toBeUndefined()
  expect(rows[2]).toMatchObject({
    index: 1200,
    kind: 'request',
    result: 'ok',
    detail: 'opened',
    groups: { core: { path: '/wallet/transfers/1199?page=1', method: 'POST' }, sub: { user: 'u_person-2' } },
  })
})

it('an export escapes cells that begin like a formula, also after characters at which some spreadsheets split', async () => {
  const { out } = await run('--user', 'u_formula')
  const [head, row] = out.split('\r\n')
  expect(head).toMatch(/^time,kind,result,code,user,/)
  expect(row).toContain(`"'=HYPERLINK(""http://evil"");'=cmd; '=1"`)
})

it('an export has the public facts of a leaf in one cell', async () => {
  const { out } = await run()
  const [head = '', row = ''] = out.split('\r\n')
  const column = head.split(',').indexOf('facts')
  expect(column).toBeGreaterThan(0)
  expect(row).toContain(',erased,"{""by"":""user"",""reason"":""lost""}",')
})

it('an export accepts the filters of the pages and refuses others', async () => {
  expect((await run('--path', '/wallet/*', '--user', 'u_person-1')).err).toBe('400 entries\n')
  await expect(run('--result', 'maybe')).rejects.toThrow(/--result takes/)
  await expect(run('--format', 'xml')).rejects.toThrow(/--format must be/)
})

it('an export is logged before its first line, without the values of its filters', async () => {
  const before = await log.store.countPending()
  await run('--user', 'u_person-1', '--format', 'csv')
  const staged = await log.store.listPending(1_000)
  expect(staged).toHaveLength(before + 1)
  const leaf = decodeUtf8(staged.at(-1)?.leaf ?? new Uint8Array(0))
  expect(leaf).toContain('"k":"audit-exported"')
  expect(leaf).toContain('"x":{"by":"command","filters":"user","what":"csv"}')
  expect(leaf).not.toContain('u_person-1')
  await log.database.sql(
    "create trigger full before insert on tlog_pending begin select raise(abort, 'no'); end",
  )
  const refused = await run('--user', 'u_person-1').catch((error: unknown) => error)
  expect(refused).toBeInstanceOf(Error)
  await log.database.sql('drop trigger full')
})

it('an export replaces its file only when it is complete', async () => {
  const out = join(folder, 'all.csv')
  expect((await run('--out', out)).out).toBe('')
  expect(readFileSync(out, 'utf8').trim().split('\r\n')).toHaveLength(1204)
  await log.database.sql("update tlog_entries set detail = x'00' where global_index = 3")
  await expect(run('--out', join(folder, 'broken.csv'))).rejects.toThrow()
  expect(readdirSync(folder)).toEqual(['all.csv'])
})

it('an export requires the master key', async () => {
  const { MINISEAL_MASTER_KEY: _, ...without } = log.environment
  await expect(runCommand(exportCommand, [], without)).rejects.toThrow(/MINISEAL_MASTER_KEY is required/)
})
