/** The package as a program uses it: a service with a mounted app, and the entries of package.json. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Hono } from 'hono'
import { pino } from 'pino'
import { afterAll, expect, it, vi } from 'vitest'
import { readConfig } from '../../../service/config/config.ts'
import type { InnerApp, InnerVariables } from '../../../service/index.ts'
import { ConfigError, createService, ProblemError } from '../../../service/index.ts'
import { logIn } from '../../support/raw-client.ts'
import { clientOf } from '../../support/service.ts'

const folder = mkdtempSync(join(tmpdir(), 'miniseal-package-'))
const environment = {
  PORT: '0',
  MINISEAL_DATA: join(folder, 'data'),
  MINISEAL_DATABASE: `sqlite:${join(folder, 'miniseal.db')}`,
}
const log = pino({ level: 'silent' })

afterAll(() => rmSync(folder, { recursive: true }))

const app: InnerApp = new Hono<{ Variables: InnerVariables }>()
app.get('/hello', (c) => c.json({ hello: c.var.caller.user }))
app.post('/hello', () => {
  throw new ProblemError('payload_invalid', 'invalid greeting')
})

it.each([
  ['an environment', { environment }],
  ['a configuration', { config: readConfig(environment) }],
])('createService serves a mounted app, configured by %s, and closes it last', async (_title, source) => {
  let isClosed = false
  const service = await createService({
    ...source,
    app,
    log,
    close: async () => {
      isClosed = true
    },
  })
  const session = await logIn(clientOf(service))
  expect(await session.send({ path: '/hello' })).toMatchObject({
    kind: 'sealed',
    json: { hello: session.user },
  })
  const refused = await session.send({ method: 'POST', path: '/hello', body: {} })
  expect(refused.json).toMatchObject({ code: 'payload_invalid' })
  expect(isClosed).toBe(false)
  await service.stop()
  expect(isClosed).toBe(true)
})

it.each([
  ['createService repeats a lost request of an idempotent app', true, 201],
  ['createService does not repeat a lost request of another app', false, 409],
])('%s', async (_title, isIdempotent, status) => {
  let runs = 0
  let release = (): void => {}
  const slow: InnerApp = new Hono<{ Variables: InnerVariables }>()
  slow.post('/orders', async (c) => {
    runs += 1
    if (runs === 1) await new Promise<void>((resolve) => (release = resolve))
    return c.json({ runs }, 201)
  })
  const service = await createService({ environment, app: slow, log, isIdempotent })
  const session = await logIn(clientOf(service))
  const order = { method: 'POST', path: '/orders', body: {}, key: 'one' }
  vi.useFakeTimers({ toFake: ['Date'] })
  try {
    const lost = session.send(order)
    await expect.poll(() => runs).toBe(1)
    vi.setSystemTime(Date.now() + 61_000)
    expect((await session.send(order)).status).toBe(status)
    release()
    await lost
  } finally {
    vi.useRealTimers()
    await service.stop()
  }
})

it('createService with an app requires every production setting except the upstreams', async () => {
  const production = { ...environment, NODE_ENV: 'production' }
  const started = createService({ environment: production, app, log })
  await expect(started).rejects.toThrow(/MINISEAL_ORIGIN(?![\s\S]*MINISEAL_UPSTREAMS)/)
})

it('createService refuses an app together with upstreams', async () => {
  const both = { ...environment, MINISEAL_UPSTREAMS: '/a=http://127.0.0.1:1' }
  await expect(createService({ environment: both, app, log })).rejects.toThrow(ConfigError)
})

it('package.json names existing entries with types', () => {
  const root = new URL('../../../service/', import.meta.url)
  const { exports } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'))
  expect(Object.keys(exports)).toEqual(['.', './package.json'])
  for (const entry of [exports['.']]) {
    const source = entry.default.replace('./dist/', '').replace(/\.js$/, '.ts')
    expect(existsSync(new URL(source, root))).toBe(true)
    expect(entry.types).toBe(entry.default.replace(/\.js$/, '.d.ts'))
  }
})
