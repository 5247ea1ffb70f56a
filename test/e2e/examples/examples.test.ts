/** The programs of `examples/`, as their READMEs run them. */
import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeAll, expect, it } from 'vitest'
import type { Channel } from '../../../miniprogram/client/node.ts'
import { createChannel, fetchTransport } from '../../../miniprogram/client/node.ts'
import { logIn } from '../../support/raw-client.ts'
import { startTestService } from '../../support/service.ts'
import { freePort, runMiniseal } from '../../support/service-process.ts'

const root = new URL('../../../', import.meta.url).pathname
const read = (path: string): string => readFileSync(join(root, path), 'utf8')

const folder = mkdtempSync(join(tmpdir(), 'miniseal-examples-'))
let stops: (() => unknown)[] = []

beforeAll(() => () => rmSync(folder, { recursive: true, force: true }))

afterEach(async () => {
  for (const stop of stops.reverse()) await stop()
  stops = []
})

/** Starts a program and resolves with its output once that holds `text`. */
function start(
  command: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
  text: string,
): Promise<string> {
  const child = spawn(command, args, { cwd: root, env: { PATH: process.env.PATH ?? '', ...environment } })
  stops.push(() => child.kill('SIGKILL'))
  return new Promise((resolve, reject) => {
    let output = ''
    const onData = (chunk: Buffer): void => {
      output += chunk.toString()
      if (output.includes(text)) resolve(output)
    }
    child.stdout.on('data', onData)
    child.stderr.on('data', onData)
    child.once('exit', (code) => reject(new Error(`${command} ended with ${code}: ${output}`)))
  })
}

async function startShop(): Promise<{
  readonly output: string
  readonly environment: Record<string, string>
}> {
  const data = mkdtempSync(join(folder, 'shop-'))
  const environment = {
    PORT: String(await freePort()),
    MINISEAL_DATA: data,
    MINISEAL_DATABASE: `sqlite:${join(data, 'miniseal.db')}`,
    MINISEAL_LOG_LEVEL: 'silent',
  }
  const output = await start(process.execPath, ['examples/mounted-shop/shop.mjs'], environment, 'GET /orders')
  return { output, environment }
}

/** The value of an option in the commands that the shop prints. */
function optionIn(output: string, name: string): string {
  return new RegExp(`--${name}[ =](\\S+)`).exec(output)?.[1] ?? ''
}

it('mounted-shop accepts an order by the command that it prints, and requires step-up above its limit', async () => {
  const { output, environment } = await startShop()
  const options = output
    .slice(output.indexOf('--origin'), output.indexOf('\nnpx miniseal call GET'))
    .split(' ')
  const call = (...words: string[]) => runMiniseal(['call', ...words, ...options], environment).finished
  const order = await call('POST', '/orders', '-d', '{"item":"tea","count":2}')
  expect(order, order.err).toMatchObject({ code: 0 })
  expect(JSON.parse(order.out)).toMatchObject({ item: 'tea', count: 2, amount: 2_500 })
  const large = ['POST', '/orders', '-d', '{"item":"tea","count":20}']
  expect((await call(...large)).err).toContain('250.00 元，购买 tea')
  expect((await call(...large, '--confirm')).code).toBe(0)
  expect(JSON.parse((await call('GET', '/orders')).out).orders).toHaveLength(2)
})

/** Sends a request through a gateway to the port, and one directly. */
async function throughGateway(port: number, startBackend: (origin: string) => Promise<unknown>) {
  const service = await startTestService({
    environment: { MINISEAL_UPSTREAMS: `/orders=http://127.0.0.1:${port}` },
  })
  stops.push(() => service.close())
  await startBackend(service.origin)
  const session = await logIn(service)
  const order = await session.send({ method: 'POST', path: '/orders', body: { item: 'tea' } })
  expect(order).toMatchObject({
    status: 201,
    json: { user: session.user, acr: 'session', order: { item: 'tea' } },
  })
  const direct = await fetch(`http://127.0.0.1:${port}/orders`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"item":"tea"}',
  })
  expect(direct.status).toBe(401)
}

it('express-behind-gateway answers the verified caller and refuses direct requests', async () => {
  const port = await freePort()
  await throughGateway(port, (MINISEAL_ORIGIN) =>
    start(
      process.execPath,
      ['examples/express-behind-gateway/server.mjs'],
      { MINISEAL_ORIGIN, PORT: String(port) },
      'listening on',
    ),
  )
})

it('fastapi-behind-gateway answers the verified caller and refuses direct requests', {
  timeout: 300_000,
}, async () => {
  const environment = join(folder, 'venv')
  execFileSync('python3', ['-m', 'venv', '--system-site-packages', environment])
  const requirements = join(root, 'examples/fastapi-behind-gateway/requirements.txt')
  execFileSync(join(environment, 'bin/pip'), ['install', '--quiet', '--retries', '0', '-r', requirements])
  const port = await freePort()
  const args = ['--app-dir', 'examples/fastapi-behind-gateway', '--port', String(port), 'main:app']
  await throughGateway(port, (MINISEAL_ORIGIN) =>
    start(
      join(environment, 'bin/uvicorn'),
      args,
      { MINISEAL_ORIGIN, PYTHONDONTWRITEBYTECODE: '1' },
      'Uvicorn running',
    ),
  )
})

it('fastapi-behind-gateway has the verifier of the guide for Python', () => {
  const between = (text: string): string =>
    text.slice(text.indexOf('ORIGIN = '), text.indexOf('# ---- end of the verifier ----'))
  const copy = between(read('examples/fastapi-behind-gateway/miniseal_verify.py'))
  expect(copy.length).toBeGreaterThan(1_000)
  expect(copy).toBe(between(read('docs/guides/python.md')))
})

it('mini-program-page lists the orders, places one, and shows an error as a text', async () => {
  const { output } = await startShop()
  const sandbox = optionIn(output, 'sandbox')
  const appid = optionIn(output, 'appid')
  const stored = new Map<string, string>()
  const channel = createChannel({
    origin: optionIn(output, 'origin'),
    appid,
    roots: [optionIn(output, 'root')],
    transport: fetchTransport(),
    storage: {
      get: async (key) => stored.get(key),
      set: async (key, value) => void stored.set(key, value),
      remove: async (key) => void stored.delete(key),
    },
    platform: { platform: 'test', base: process.version },
    random: async (length) => crypto.getRandomValues(new Uint8Array(length)),
    login: async () => {
      const answer = await fetch(`${sandbox}/sandbox/codes`, {
        method: 'POST',
        body: JSON.stringify({ appid }),
      })
      return ((await answer.json()) as { code: string }).code
    },
  })
  const page = loadPage(read('examples/mini-program-page/pages/orders/index.js'), channel)
  await page.onLoad()
  expect(page.data).toEqual({ orders: [], message: '' })
  await page.order()
  expect(page.data).toMatchObject({ orders: [{ item: 'tea', count: 1 }], message: '' })
  await page.run(() => channel.request({ method: 'GET', path: '/nowhere' }))
  expect(page.data.message).toMatch(/\p{Script=Han}/u)
})

interface OrdersPage {
  data: { orders: readonly unknown[]; message: string }
  setData(change: object): void
  onLoad(): Promise<void>
  order(): Promise<void>
  run(action: () => Promise<unknown>): Promise<void>
}

/** The page as WeChat loads it, with this channel. */
function loadPage(code: string, channel: Channel): OrdersPage {
  let page: OrdersPage | undefined
  const define = (definition: OrdersPage): void => {
    page = definition
  }
  new Function('Page', 'require', code)(define, () => channel)
  if (page === undefined) throw new Error('no page')
  const defined = page
  defined.setData = (change) => Object.assign(defined.data, change)
  return defined
}
