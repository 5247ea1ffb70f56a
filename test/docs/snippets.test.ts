/** TypeScript and JavaScript of the documents: compiled against the packages, and run against a real service. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { transform } from 'esbuild'
import { Hono } from 'hono'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Channel } from '../../miniprogram/client/index.ts'
import * as client from '../../miniprogram/client/index.ts'
import { StepUpNeeded } from '../../service/index.ts'
import type { RunningService } from '../../service/main.ts'
import type { Loopback } from '../engines/wx-loopback.ts'
import { createLoopback } from '../engines/wx-loopback.ts'
import { confirm } from '../support/confirmation.ts'
import { clientOf } from '../support/own-service.ts'
import { logIn } from '../support/raw-client.ts'
import type { OwnService } from '../support/service.ts'
import { startTestService } from '../support/service.ts'
import type { TestUpstream } from '../support/upstream.ts'
import { startUpstream } from '../support/upstream.ts'
import type { Block } from './documents.ts'
import { readDocument, root } from './documents.ts'
import type { PlacedSnippet } from './snippet-types.ts'
import { compile } from './snippet-types.ts'
import { placeOf, snippets } from './snippets.ts'

const folder = mkdtempSync(join(tmpdir(), 'miniseal-snippet-runs-'))
let service: OwnService

beforeAll(async () => {
  service = await startTestService()
  // Where npm would have put them.
  for (const name of ['hono', 'jose', 'http-message-sig']) link(join(root, 'node_modules', name), name)
  link(root, 'miniseal')
})

afterAll(async () => {
  await service.close()
  rmSync(folder, { recursive: true })
})

function link(target: string, name: string): void {
  const path = join(folder, 'node_modules', name)
  mkdirSync(dirname(path), { recursive: true })
  symlinkSync(target, path)
}

/** The `nth` block of a place that is a program. */
function block(place: string, nth = 0): Block {
  const [document = ''] = place.split('#')
  const found = readDocument(document).blocks.filter((each) => {
    return ['ts', 'js'].includes(each.language) && placeOf(each) === place
  })[nth]
  if (found === undefined) throw new Error(`${place} has no such block`)
  return found
}

it.each(['phone', 'node'] as const)('the compiler finds nothing wrong with what runs in %s', (realm) => {
  const placed = Object.entries(snippets).flatMap(([place, list]): PlacedSnippet[] => {
    return list.map((snippet, nth) => ({ snippet, block: block(place, nth) }))
  })
  expect(
    compile(
      realm,
      placed.filter(({ snippet }) => snippet.realm === realm),
    ),
  ).toBe('')
})

it('the compiler finds a name that is not there', () => {
  const wrong = { ...block('docs/mini-program.md#Receipts'), text: 'channel.receipts()\n' }
  const [snippet = { realm: 'phone' as const }] = snippets['docs/mini-program.md#Receipts'] ?? []
  expect(compile('phone', [{ block: wrong, snippet }])).toContain("Property 'receipts' does not exist")
})

/** With the service of this test in the place of the example's. */
function placed(text: string): string {
  return text
    .replaceAll('https://pay.example.com', service.origin)
    .replaceAll('wss://pay.example.com', service.origin.replace('http', 'ws'))
    .replace(/'<(root key|根公钥)>'/g, service.roots.map((each) => `'${each}'`).join(', '))
}

/** Runs a block inside a function: what `given` names is there, and what `gives` says comes back. */
async function run(
  text: string,
  given: Readonly<Record<string, unknown>>,
  gives = 'undefined',
): Promise<unknown> {
  const code = `return (async () => {\n${placed(text)}\nreturn ${gives}\n})()`
  const plain = (await transform(`(function () {${code}})`, { loader: 'ts' })).code
  return await new Function(...Object.keys(given), `return ${plain.trim().replace(/;$/, '')}()`)(
    ...Object.values(given),
  )
}

interface Phone {
  readonly loopback: Loopback
  readonly channel: Channel
  /** What a program of a mini program has. */
  readonly given: Readonly<Record<string, unknown>>
}

function phone(openid: string): Phone {
  const soter = (challenge: string): Promise<object> => confirm(service, openid, challenge)
  const loopback = createLoopback({ appid: service.appid, sandboxUrl: service.sandboxUrl, openid, soter })
  const wx = {
    ...loopback.wx,
    showToast: () => {},
    cloud: { init: () => {}, callContainer: () => {}, connectContainer: () => {} },
  }
  // The client takes its parts from the global, as on a phone.
  Object.assign(globalThis, { wx })
  const channel = client.createChannel({ origin: service.origin, appid: service.appid, roots: service.roots })
  const require = (name: string): unknown => {
    if (name === 'miniseal-client') return client
    throw new Error(`a phone has no ${name}`)
  }
  return { loopback, channel, given: { wx, require, channel } }
}

const silent = { log: () => {} }

describe('the guide for mini programs', () => {
  it.each([
    ['docs/mini-program.md#Ten lines to the first call', 200],
    ['miniprogram/client/README.md#Ten lines to the first call', 201],
    ['miniprogram/client/README.md#十行代码，第一次调用', 201],
  ])('%s: the first call', async (place, status) => {
    const { given } = phone('ten-lines')
    const answer = await run(block(place).text, { ...given, console: silent }, 'answer')
    expect(answer).toMatchObject({ status })
  })

  it('confirms by finger what is large', async () => {
    const { given } = phone('large')
    const shown: string[] = []
    const showSheet = async (summary: string): Promise<boolean> => shown.push(summary) > 0
    const order = { payee: 'bob', amount: 200_000, currency: 'CNY' }
    const text = block('docs/mini-program.md#Confirming by finger or face').text.replace(
      'await channel',
      'const answer = await channel',
    )
    expect(await run(text, { ...given, order, showSheet }, 'answer')).toMatchObject({ status: 201 })
    expect(shown).toHaveLength(1)
  })

  it('shows events', async () => {
    const { given, channel } = phone('events')
    const { user } = await channel.login()
    const shown: unknown[] = []
    const text = block('docs/mini-program.md#Events').text.replace('handle.close()\n', '')
    const more = { last: 0, show: (data: unknown) => shown.push(data), reload: () => {} }
    const handle = (await run(text, { ...given, ...more }, 'handle')) as { close(): void }
    await service.push(user, { type: 'chat-message', data: { text: 'hello' } })
    await expect.poll(() => shown).toEqual([{ text: 'hello' }])
    handle.close()
  })

  it('checks a receipt', async () => {
    const { given, channel } = phone('receipts')
    const body = { payee: 'bob', amount: 1, currency: 'CNY' }
    const answer = await channel.request({ method: 'POST', path: '/wallet/transfers', body })
    const receipt = await run(block('docs/mini-program.md#Receipts').text, { ...given, answer }, 'receipt')
    expect(receipt).toMatchObject({ state: 'verified' })
  })

  it('makes a channel for cloud hosting', async () => {
    const { given } = phone('cloud')
    const options = { origin: service.origin, appid: service.appid, roots: service.roots }
    const { channel: _, ...rest } = given
    const text = block('docs/mini-program.md#WeChat cloud hosting').text
    expect(await run(text, { ...rest, options }, 'channel')).toMatchObject({ state: 'logged-out' })
  })

  it('asks for the phone number', async () => {
    const { given } = phone('number')
    const text = block('docs/mini-program.md#Phone number and encrypted data').text
    const ask = (await run(text, given, 'onPhoneNumber')) as (event: object) => Promise<unknown>
    const made = await service.sandbox('/sandbox/phone-codes', { appid: service.appid, openid: 'number' })
    expect(await ask({ detail: made })).toHaveProperty('pure_phone_number')
    expect(await ask({ detail: {} })).toBeUndefined()
  })

  it('pays, and asks again with the same key where nobody knows', async () => {
    const { given, channel } = phone('errors')
    const offered: (() => unknown)[] = []
    const more = {
      showProblem: () => 'problem',
      offerToAskAgain: (again: () => unknown) => offered.push(again),
    }
    const text = block('docs/mini-program.md#Errors').text
    const order = { payee: 'bob', amount: 1, currency: 'CNY' }
    const pay = (await run(text, { ...given, ...more }, 'pay')) as (
      order: unknown,
      key: string,
    ) => Promise<unknown>
    expect(await pay(order, 'errors-1')).toMatchObject({ status: 'done' })
    const keys: (string | undefined)[] = []
    const lost = {
      request: async ({ idempotencyKey }: { readonly idempotencyKey: string }) => {
        keys.push(idempotencyKey)
        throw Object.assign(new Error('lost'), { code: 'outcome_unknown', idempotencyKey })
      },
    }
    const payLost = (await run(text, { ...given, ...more, channel: lost }, 'pay')) as typeof pay
    await payLost(order, 'errors-2')
    await offered[0]?.()
    expect(keys).toEqual(['errors-2', 'errors-2'])
    expect(channel.state).toBe('ready')
  })

  it('names one device and revokes another', async () => {
    await phone('devices').channel.login()
    const { given, channel } = phone('devices')
    await channel.login()
    const devices = await run(block('docs/mini-program.md#Devices and sessions').text, given, 'devices')
    expect(devices).toHaveLength(2)
    const [named] = (devices as readonly { readonly id: string }[]) ?? []
    await expect
      .poll(async () => (await phone('devices').channel.devices()).map(({ id }) => id))
      .not.toHaveLength(0)
    expect(named).toBeDefined()
  })

  it('opens a socket', async () => {
    const { given } = phone('socket')
    const { channel: _, ...rest } = given
    const task = (await run(block('docs/mini-program.md#Events on the wire').text, rest, 'task')) as {
      onOpen(listener: () => void): void
      close(options: object): void
    }
    await new Promise<void>((resolve) => task.onOpen(resolve))
    task.close({})
  })
})

/** A block as a module of its own, with `added` behind it. */
async function load(text: string, name: string, added = ''): Promise<Record<string, unknown>> {
  const path = join(folder, `${name}.mjs`)
  writeFileSync(path, `${(await transform(placed(text), { loader: 'ts' })).code}\n${added}`)
  return await import(/* @vite-ignore */ path)
}

/** Puts what is not an import into a function that is given these names. */
function asFunction(text: string, names: string): string {
  const imports = text.match(/^import .*$/gm) ?? []
  return `${imports.join('\n')}\nexport async function main(${names}) {\n${text.replace(/^import .*$/gm, '')}\n}`
}

describe('the guides for backends', () => {
  it.each([
    ['docs/integration.md#Mounted', { path: '/hello' }, 200, 'hello'],
    ['docs/guides/node.md#Mounted', { path: '/orders/7' }, 200, 'user'],
    [
      'docs/guides/node.md#Mounted',
      { method: 'POST', path: '/orders', body: { n: 1 }, key: 'a' },
      201,
      'user',
    ],
    [
      'docs/guides/node.md#Mounted',
      { method: 'POST', path: '/orders', body: { n: 'x' }, key: 'b' },
      400,
      undefined,
    ],
  ])('%s is a whole service', async (place, request, status, member) => {
    const before = { ...process.env }
    const listeners = process.listeners('SIGTERM')
    const data = join(folder, `data-${Math.random()}`)
    Object.assign(process.env, {
      PORT: '0',
      MINISEAL_DATA: data,
      MINISEAL_DATABASE: `sqlite:${data}.db`,
      MINISEAL_LOG_LEVEL: 'silent',
    })
    try {
      const name = `mounted-${Math.random()}`
      const program = await load(block(place).text.replace(/^console.*$/m, ''), name, 'export { service }')
      const own = program.service as RunningService
      const session = await logIn(clientOf(own))
      const answer = await session.send(request)
      expect(answer.status).toBe(status)
      if (member !== undefined) expect(answer.json[member]).toBe(session.user)
      await own.stop()
    } finally {
      process.env = before
      const own = process.listeners('SIGTERM').filter((each) => !listeners.includes(each))
      for (const listener of own) process.removeListener('SIGTERM', listener)
    }
  })

  it('verifies with miniseal/verify what the gateway sends', async () => {
    const upstream: TestUpstream = await startUpstream((_request, response) => response.end())
    const behind = await startTestService({ environment: { MINISEAL_UPSTREAMS: `/a=${upstream.origin}` } })
    try {
      const session = await logIn(behind)
      await session.send({ path: '/a' })
      const text = block('docs/integration.md#Verifying for yourself').text
      const own = text
        .replaceAll('https://pay.example.com', behind.origin)
        .replace(/^console.*$/m, 'return caller')
      const { main } = await load(asFunction(own, 'request, body'), 'verify')
      const check = main as (request: object, body: Uint8Array) => Promise<unknown>
      const request = upstream.last()
      expect(await check(request, Buffer.alloc(0))).toMatchObject({ user: session.user, acr: 'session' })
      await expect(check({ ...request, url: '/b' }, Buffer.alloc(0))).rejects.toThrow()
    } finally {
      await behind.close()
      upstream.close()
    }
  })

  it('asks for a finger', async () => {
    const text = block('docs/integration.md#Asking for a finger').text
    const { main } = await load(asFunction(text, 'app, readOrder, limit, yuan'), 'finger')
    const mount = main as (...given: unknown[]) => Promise<void>
    const thrown: unknown[] = []
    const app = new Hono<{ Variables: { caller: { acr: string } } }>()
    app.use(async (c, next) => {
      c.set('caller', { acr: c.req.header('acr') ?? 'session' })
      await next()
    })
    app.onError((error, c) => {
      thrown.push(error.message)
      return c.body(null, 401)
    })
    await mount(app, async () => ({ payee: 'bob', amount: 5 }), 4, String)
    await app.request('/orders', { method: 'POST' })
    expect(thrown).toEqual([new StepUpNeeded('向 bob 支付 5 元').message])
  })

  it('pushes from the service’s own process', async () => {
    const session = await logIn(service)
    const given = { createService: async () => service, app: undefined, user: session.user }
    const text = block('docs/integration.md#Pushing events').text
    expect(await run(text, given, '{ sequence, isNew }')).toMatchObject({ isNew: true })
    expect(await run(text, given, '{ sequence, isNew }')).toMatchObject({ isNew: false })
  })
})

it('crypto/README.md seals a request and opens it', async () => {
  const text = block('crypto/README.md#crypto').text.replaceAll(
    "'./index.ts'",
    `'${join(root, 'crypto/index.ts')}'`,
  )
  const path = join(folder, 'there.ts')
  writeFileSync(path, text)
  const { there } = await import(/* @vite-ignore */ path)
  const { sodiumPrimitives } = await import('../../service/keys/sodium-primitives.ts')
  const keys = { c2s: new Uint8Array(32).fill(1), s2c: new Uint8Array(32).fill(2) }
  const random = (length: number): Uint8Array => new Uint8Array(length).fill(3)
  expect(there(sodiumPrimitives, keys, random, 1764000000)).toMatchObject({ method: 'GET', path: '/wallet' })
})
