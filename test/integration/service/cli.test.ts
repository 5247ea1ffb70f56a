/** The service and its commands as processes; exit statuses. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type CommandResult, runInProcess } from '../../support/command.ts'
import { type Finished, freePort, type RunningCommand, runMiniseal } from '../../support/service-process.ts'

const folder = mkdtempSync(join(tmpdir(), 'miniseal-cli-'))
let environment: Record<string, string>
let service: RunningCommand
let greeting: string

beforeAll(async () => {
  environment = {
    PORT: String(await freePort()),
    MINISEAL_DATA: folder,
    MINISEAL_DATABASE: `sqlite:${join(folder, 'miniseal.db')}`,
    MINISEAL_LOG_LEVEL: 'warn',
  }
  service = runMiniseal(['serve'], environment)
  greeting = await service.waitFor('Ctrl+C')
})

afterAll(() => {
  service.child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

const miniseal = (...args: string[]): Promise<CommandResult> => runInProcess(args, environment)

/** A start costs as much as all of the commands in one process. */
const startMiniseal = (...args: string[]): Promise<Finished> => runMiniseal(args, environment).finished

it('the service prints a first command when it has started', () => {
  expect(greeting).toContain(`http://127.0.0.1:${environment.PORT}`)
  expect(greeting).toContain('npx miniseal call POST /wallet/transfers')
})

it('miniseal call makes a transfer, and the next call sees its balance', async () => {
  const body = '{"payee":"bob","amount":1250,"currency":"CNY","note":"lunch"}'
  const done = await startMiniseal('call', 'POST', '/wallet/transfers', '-d', body)
  expect(done).toMatchObject({ code: 0, err: '' })
  expect(JSON.parse(done.out)).toMatchObject({ status: 'done', amount: 1250, balance: 998_750 })
  const wallet = await miniseal('call', 'GET', '/wallet', '--sandbox', '-i')
  expect(wallet.out).toMatch(/^200\n/)
  expect(wallet.out).toContain('"balance":998750')
  const other = await miniseal('call', 'get', '/wallet', '--as', 'alice')
  expect(JSON.parse(other.out)).toMatchObject({ balance: 1_000_000 })
})

it('miniseal call repeats a transfer with its key without a second effect', async () => {
  const transfer = (): Promise<CommandResult> =>
    miniseal(
      'call',
      'POST',
      '/wallet/transfers',
      '--as',
      'carol',
      '-k',
      'one',
      '-d',
      '{"payee":"bob","amount":1,"currency":"CNY"}',
    )
  const [first, second] = [await transfer(), await transfer()]
  expect(JSON.parse(second.out).id).toBe(JSON.parse(first.out).id)
})

it('miniseal call prints a refusal with its code and exits with 1', async () => {
  const refused = await startMiniseal('call', 'POST', '/wallet/transfers', '-d', '{"payee":"bob"}')
  expect(refused).toMatchObject({ code: 1, out: '' })
  expect(refused.err).toMatch(/^payload_invalid \(400\): a transfer is/)
  const code = await miniseal('call', 'GET', '/wallet', '--code', 'never-issued')
  expect(code).toMatchObject({ code: 1 })
  expect(code.err).toContain('login_code_invalid')
})

it('miniseal call explains a required confirmation, and --confirm makes it in the sandbox', async () => {
  const order = '{"payee":"bob","amount":200000,"currency":"CNY"}'
  const args = ['call', 'POST', '/wallet/transfers', '--as', 'dora', '-d', order]
  const challenged = await miniseal(...args)
  expect(challenged).toMatchObject({ code: 1, out: '' })
  expect(challenged.err).toMatch(/^step_up_required \(401\): /)
  expect(challenged.err).toContain('2,000.00 元，转账给 bob')
  expect(challenged.err).toContain('--confirm')
  const done = await miniseal(...args, '--confirm')
  expect(done).toMatchObject({ code: 0, err: 'confirming: 2,000.00 元，转账给 bob\n' })
  expect(JSON.parse(done.out)).toMatchObject({ status: 'done', amount: 200_000, balance: 800_000 })
  expect((await miniseal(...args, '--confirm', '--code', 'real')).code).toBe(2)
})

it('a command exits with 3 when the service cannot be reached, and with 2 for a usage error', async () => {
  const none = runMiniseal(['call', 'GET', '/wallet'], { MINISEAL_DATA: join(folder, 'absent') })
  expect(await none.finished).toMatchObject({ code: 3, err: expect.stringContaining('npm start') })
  const down = await miniseal('call', 'GET', '/wallet', '--origin', 'http://127.0.0.1:1')
  expect(down).toMatchObject({ code: 3, err: expect.stringContaining('network') })
  for (const args of [
    ['call', 'GET'],
    ['call', 'GET', '/', '--nothing'],
    ['keys'],
    ['keys', 'rotate', 'lookup'],
  ]) {
    expect((await miniseal(...args)).code).toBe(2)
  }
  expect((await startMiniseal('frobnicate')).code).toBe(2)
})

it('miniseal keys lists, exports and rotates the keys of a running service', async () => {
  const exported = JSON.parse((await miniseal('keys', 'export', '--json')).out)
  expect(Object.keys(exported)).toEqual(['roots', 'signing', 'token', 'agreement', 'log', 'log_keys'])
  expect(exported.roots).toEqual([expect.stringMatching(/^[A-Za-z0-9_-]{43}$/)])
  expect(greeting).toContain(exported.roots[0])
  expect(exported.log.vkey).toMatch(/^127\.0\.0\.1:\d+\/audit\/\d{4}\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+$/)
  const rotated = await miniseal('keys', 'rotate', 'agreement')
  expect(rotated).toMatchObject({ code: 0, out: expect.stringContaining('used immediately') })
  expect((await miniseal('keys', 'rotate', 'signing')).out).toMatch(/used from \d{4}-/)
  const after = JSON.parse((await miniseal('keys', 'export', '--json')).out)
  expect(after.agreement).toHaveLength(2)
  expect(after.agreement[1].kid).toBe(exported.agreement[0].kid)
  expect(after.signing[0].kid).toBe(exported.signing[0].kid)
  expect(
    (await miniseal('keys', 'list')).out.split('\n').filter((line) => line.startsWith('agreement')),
  ).toHaveLength(2)
  expect((await miniseal('call', 'GET', '/wallet')).code).toBe(0)
})

it('miniseal serve names a missing variable in production and does not start', async () => {
  const refused = await runMiniseal(['serve'], { NODE_ENV: 'production' }).finished
  expect(refused).toMatchObject({ code: 3, out: '' })
  expect(refused.err).toContain('MINISEAL_MASTER_KEY')
})

it('miniseal serve names a port that is in use', async () => {
  const second = await runMiniseal(['serve'], { ...environment, MINISEAL_WECHAT_API: 'http://127.0.0.1:1' })
    .finished
  expect(second).toMatchObject({ code: 3, err: expect.stringContaining('PORT') })
})

it('miniseal serve exits with 0 on SIGTERM and removes its development file', async () => {
  service.child.kill('SIGTERM')
  expect((await service.finished).code).toBe(0)
  expect(await miniseal('call', 'GET', '/wallet')).toMatchObject({
    code: 3,
    err: expect.stringContaining('npm start'),
  })
})
