/** The log of a running service, checked beside it and over HTTP. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { exportCommand } from '../../../service/cli/commands/audit/export.ts'
import { verify } from '../../../service/cli/commands/audit/verify.ts'
import { auditor } from '../../../service/cli/commands/auditor.ts'
import { call } from '../../../service/cli/commands/call.ts'
import { keys } from '../../../service/cli/commands/keys.ts'
import { isSettled } from '../../support/audit-traffic.ts'
import { runCommand } from '../../support/command.ts'
import type { TestService } from '../../support/service.ts'
import { startTestService } from '../../support/service.ts'

let service: TestService

beforeAll(async () => {
  service = await startTestService()
})

afterAll(() => service.close())

const transfer = () => {
  const where = ['--origin', service.origin, '--root', service.roots[0] ?? '', '--appid', service.appid]
  const body = '{"payee":"bob","amount":1250,"currency":"CNY"}'
  return runCommand(
    call,
    ['POST', '/wallet/transfers', '-d', body, ...where, `--sandbox=${service.sandboxUrl}`],
    service.environment,
  )
}

it('the log of a running service verifies in the database, and over HTTP with the published key and a token', async () => {
  expect((await transfer()).code).toBe(0)
  await isSettled(service)
  const beside = await runCommand(verify, ['--json'], service.environment)
  const result = JSON.parse(beside.out)
  expect(result).toMatchObject({ ok: true, findings: [], checked: { keys: 'master-key' } })
  expect(result.checked.pinned).toHaveLength(1)
  const { log } = JSON.parse((await runCommand(keys, ['export', '--json'], service.environment)).out)
  const added = await runCommand(auditor, ['add', 'wei', '--json'], service.environment)
  const { token } = JSON.parse(added.out)
  const url = `${service.url ?? service.origin}/log`
  const outside = await runCommand(verify, ['--url', url, '--vkey', log.vkey, '--token', token], {})
  expect(outside).toMatchObject({
    code: 0,
    out: expect.stringContaining('ok: the log matches its signatures'),
  })
})

it('an export adds an entry about itself, and the log still verifies', async () => {
  const rows = await runCommand(exportCommand, ['--format', 'jsonl'], service.environment)
  expect(rows.out).toContain('"kind":"log-started"')
  await isSettled(service)
  const result = await runCommand(
    exportCommand,
    ['--format', 'jsonl', '--kind', 'audit-exported'],
    service.environment,
  )
  expect(result.out).toContain('"kind":"audit-exported"')
  expect((await runCommand(verify, [], service.environment)).code).toBe(0)
})
