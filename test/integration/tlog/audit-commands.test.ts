/** Output and exit statuses of the commands for auditors. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { UsageError } from '../../../service/cli/command.ts'
import { auditor } from '../../../service/cli/commands/auditor.ts'
import { runCommand, runInProcess } from '../../support/command.ts'
import type { WrittenLog } from '../../support/written-log.ts'
import { requests, startLog } from '../../support/written-log.ts'
import { createSqlite } from '../store/engines.ts'

let log: WrittenLog

beforeAll(async () => {
  log = await startLog(createSqlite)
  await log.append(requests(30))
  await log.sign()
})

afterAll(() => log.close())

const miniseal = (...args: readonly string[]) => runInProcess(args, log.environment)

it('miniseal audit lists its commands, describes each one and refuses an unknown one', async () => {
  const [group, help, unknown] = await Promise.all([
    miniseal('audit'),
    miniseal('audit', 'verify', '--help'),
    miniseal('audit', 'nothing'),
  ])
  expect(group).toMatchObject({ code: 2, err: '' })
  for (const name of ['verify', 'export', 'evidence', 'check-evidence', 'new-origin', 'trust-database'])
    expect(group.out).toContain(`  audit ${name}`)
  expect(help).toMatchObject({ code: 0, out: expect.stringContaining('usage: miniseal audit verify') })
  expect(unknown).toMatchObject({ code: 2, out: '' })
})

it('miniseal audit verify exits with 0 without findings, 1 with findings, 2 for a usage error and 3 without a database', async () => {
  const elsewhere = { ...log.environment, MINISEAL_DATABASE: 'sqlite:/nowhere/at/all.db' }
  const [good, wrong, absent] = await Promise.all([
    miniseal('audit', 'verify'),
    miniseal('audit', 'verify', '--since', 'yesterday'),
    runInProcess(['audit', 'verify'], elsewhere),
  ])
  expect(good).toMatchObject({
    code: 0,
    err: '',
    out: expect.stringContaining('ok: the log matches its signatures'),
  })
  expect(wrong).toMatchObject({ code: 2, err: expect.stringContaining('--since must be last') })
  expect(absent).toMatchObject({ code: 3, out: '' })
  await log.database.sql('delete from tlog_entries where global_index in (7, 8)')
  expect(await miniseal('audit', 'verify')).toMatchObject({
    code: 1,
    out: expect.stringContaining('FAILED entry-missing: log 0, entries 7 to 8: 2 missing from the log'),
  })
})

it('miniseal auditor adds an auditor, prints the token once, and revokes it', async () => {
  const run = (...args: readonly string[]) => runCommand(auditor, args, log.environment)
  const added = await run('add', 'wei', '--role', 'discloser', '--days', '7', '--json')
  expect(JSON.parse(added.out)).toEqual({
    name: 'wei',
    token: expect.stringMatching(/^msa_[A-Za-z0-9_-]{43}$/),
  })
  await expect(run('add', 'wei')).rejects.toThrow(/auditor wei exists/)
  const { MINISEAL_MASTER_KEY: _, ...without } = log.environment
  await expect(runCommand(auditor, ['add', 'lin'], without)).rejects.toThrow(
    /MINISEAL_MASTER_KEY is required/,
  )
  expect((await run('list')).out).toMatch(/^wei +discloser +active +from \S+ until \S+\n$/)
  expect((await run('revoke', 'wei')).code).toBe(0)
  expect(JSON.parse((await run('list', '--json')).out)).toMatchObject([{ name: 'wei', state: 'revoked' }])
  for (const wrong of [
    ['add'],
    ['add', 'Wei'],
    ['add', 'x', '--days', '0'],
    ['add', 'x', '--role', 'root'],
    ['list', 'x'],
  ]) {
    await expect(run(...wrong)).rejects.toThrow(UsageError)
  }
})
