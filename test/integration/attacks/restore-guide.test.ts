/** "Backup and restore" of `docs/guides/operations.md`, followed literally and in order. */
import { copyFileSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type CommandResult, runWords } from '../../support/command.ts'
import { logIn, type RawSession, send, transferOf } from '../../support/raw-client.ts'
import { type OwnService, startTestService } from '../../support/service.ts'
import { freePort } from '../../support/service-process.ts'
import { temporaryFolder } from '../witness/tested-witness.ts'

const page = readFileSync(new URL('../../../docs/guides/operations.md', import.meta.url), 'utf8')
const chapter = page.slice(page.indexOf('## Backup and restore'), page.indexOf('## Stop'))
const lines = [...chapter.matchAll(/```sh\n([^`]*)```/g)].flatMap(([, block = '']) =>
  block
    .trim()
    .split('\n')
    .map((line) => line.trim()),
)
const [backUp = '', ...restore] = lines

let folder: ReturnType<typeof temporaryFolder>
let service: OwnService
let path: string

beforeEach(async () => {
  folder = temporaryFolder()
  service = await startTestService({ environment: { PORT: String(await freePort()) } })
  path = (service.environment.MINISEAL_DATABASE ?? '').replace('sqlite:', '')
})

afterEach(async () => {
  await service.close()
  folder.remove()
})

async function run(line: string): Promise<CommandResult> {
  const words = line.split(' ').map((word) => (word === 'backup.db' ? join(folder.path, word) : word))
  const [npx, miniseal, ...rest] = words
  expect([npx, miniseal], line).toEqual(['npx', 'miniseal'])
  return await runWords(rest, { ...service.environment, MINISEAL_ORIGIN: service.origin })
}

const pay = (session: RawSession, key: string) => session.prepare(transferOf(100, { key }))

it('the restore guide has the commands that this test runs', () => {
  expect(lines).toEqual([
    'npx miniseal backup backup.db',
    'npx miniseal restore backup.db',
    'npx miniseal keys list',
    'npx miniseal audit new-origin',
    'npx miniseal audit verify',
  ])
})

it('a restore revives nothing that ended, explains the loss, and verify exits with 0', async () => {
  const before = await logIn(service)
  expect((await send(service, pay(before, 'first'))).status).toBe(201)
  expect((await run(backUp)).out).toContain('checked')
  expect(statSync(join(folder.path, 'backup.db')).mode & 0o777).toBe(0o600)
  // The restore loses a session, and payments that the pinned checkpoint covers.
  const recorded = pay(before, 'recorded')
  const since = await logIn(service)
  for (const key of ['second', 'third']) expect((await send(service, pay(since, key))).status).toBe(201)
  // The database file is lost but its WAL remains: SQLite would apply it to the restored file.
  const wal = readFileSync(`${path}-wal`)
  await service.stop()
  rmSync(path)
  writeFileSync(`${path}-wal`, wal)

  const results: CommandResult[] = []
  for (const line of restore) results.push(await run(line))
  expect(results.map(({ code }) => code)).toEqual([0, 0, 0, 0])
  const [restored, , next, verified] = results
  expect(restored?.out).toContain('npx miniseal audit new-origin')
  expect(next?.out).toMatch(/^started log .*-2\nit references /)
  expect(verified?.out).toMatch(
    /was restored from a backup: [1-9]\d* of [1-9]\d* signed entries are present; .*-2 continues it/,
  )
  expect(verified?.out).toContain('ok: the log matches its signatures')
  expect(statSync(path).mode & 0o777).toBe(0o600)

  service = await service.restart()
  // The session that the copy had does not come back, nor a frame that was recorded of it.
  expect((await send(service, recorded)).status).toBeGreaterThanOrEqual(400)
  const after = await logIn(service)
  expect((await send(service, pay(after, 'fourth'))).status).toBe(201)
  await service.stop()
  expect((await run(restore.at(-1) ?? '')).code).toBe(0)
})

it('a restore is refused while a service uses the database', async () => {
  await run(backUp)
  await expect(run('npx miniseal restore backup.db')).rejects.toThrow(/a process has .* open/)
  expect((await (await logIn(service)).send()).status).toBe(200)
})

it('a restore refuses a damaged or foreign file and leaves the database unchanged', async () => {
  await run(backUp)
  await service.stop()
  const [copy, whole] = [join(folder.path, 'backup.db'), readFileSync(path)]
  for (const spoil of [
    () => writeFileSync(copy, 'this is a letter, not a database'.repeat(200)),
    () => new Database(copy).exec('create table t (x)').close(),
  ]) {
    writeFileSync(copy, '')
    spoil()
    await expect(run('npx miniseal restore backup.db')).rejects.toThrow(
      /is not an intact database|not a database of this service/,
    )
    expect(readFileSync(path).equals(whole)).toBe(true)
  }
  expect(existsSync(`${path}.restored`)).toBe(false)
})

it('a restore brings later revocations back until they are repeated', async () => {
  const session = await logIn(service, { openid: 'robbed' })
  await run(backUp)
  const revoke = `npx miniseal devices revoke ${session.user} --all`
  expect((await run(revoke)).code).toBe(0)
  await service.stop()
  for (const line of restore) expect((await run(line)).code, line).toBe(0)
  service = await service.restart()
  const again = { openid: 'robbed', device: session.device }
  expect((await logIn(service, again)).user).toBe(session.user)
  expect((await run(revoke)).code).toBe(0)
  await expect(logIn(service, again)).rejects.toThrow()
})

it('a restore refuses a copy with a trigger', async () => {
  await run(backUp)
  await service.stop()
  const copy = new Database(join(folder.path, 'backup.db'))
  copy.exec('create trigger kept before delete on sessions begin select raise(ignore); end')
  copy.close()
  await expect(run(restore[0] ?? '')).rejects.toThrow(
    /the copy has a trigger, which this service never creates: kept/,
  )
  expect(existsSync(path)).toBe(true)
})

it('each restore keeps the replaced database under a unique name', async () => {
  await run(backUp)
  await service.stop()
  const results: CommandResult[] = []
  for (let i = 0; i < 4; i++) results.push(await run(restore[0] ?? ''))
  const kept = results.map(({ out }) => /: (\S+\.replaced-\S+)/.exec(out)?.[1] ?? '')
  expect(new Set(kept).size).toBe(4)
  for (const name of kept) expect(existsSync(name), name).toBe(true)
})

it('a backup under load is consistent and overwrites no file', async () => {
  const session = await logIn(service)
  let isDone = false
  const traffic = (async () => {
    for (let i = 0; !isDone; i++) await send(service, pay(session, `load-${i}`))
  })()
  await run(backUp)
  isDone = true
  await traffic
  await expect(run(backUp)).rejects.toThrow(/backup\.db exists/)
  const copy = new Database(join(folder.path, 'backup.db'), { readonly: true })
  expect(copy.pragma('integrity_check', { simple: true })).toBe('ok')
  const [state] = copy.prepare('select size from tlog_states').all() as { size: number }[]
  expect(copy.prepare('select count(*) as n from tlog_entries').get()).toEqual({ n: state?.size })
  copy.close()
})

it('a rollback that the new log does not cite remains a finding', async () => {
  await run(backUp)
  await logIn(service)
  await service.stop()
  const first = await run(restore[0] ?? '')
  expect(existsSync(/: (\S+\.replaced-\d+)/.exec(first.out)?.[1] ?? '')).toBe(true)
  for (const line of restore.slice(1)) await run(line)
  copyFileSync(path, join(folder.path, 'later.db'))
  service = await service.restart()
  await logIn(service)
  await service.stop()
  for (const ending of ['-wal', '-shm']) expect(existsSync(path + ending)).toBe(false)
  copyFileSync(join(folder.path, 'later.db'), path)
  const verified = await run(restore.at(-1) ?? '')
  expect(verified.code).toBe(1)
  expect(verified.out).toContain('FAILED rolled-back')
})
