/** Runs JavaScript and TypeScript of the guides for backends as modules, with a real service. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { transform } from 'esbuild'
import { Hono } from 'hono'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { stepUpRequired } from '../../../service/index.ts'
import type { RunningService } from '../../../service/server.ts'
import { logIn } from '../../support/raw-client.ts'
import type { OwnService } from '../../support/service.ts'
import { clientOf, startTestService } from '../../support/service.ts'
import type { TestUpstream } from '../../support/upstream.ts'
import { startUpstream } from '../../support/upstream.ts'
import { root } from './documents.ts'
import { block, placed, run } from './snippet-runs.ts'

const folder = mkdtempSync(join(tmpdir(), 'miniseal-snippet-runs-'))
let service: OwnService

beforeAll(async () => {
  service = await startTestService()
  // As npm would install them.
  for (const name of ['hono', 'jose', 'http-message-sig']) link(join(root, 'node_modules', name), name)
  link(join(root, 'service'), 'miniseal')
  link(join(root, 'packages/verify'), 'miniseal-verify')
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

/** Imports a block, followed by `added`, as a module. */
async function load(text: string, name: string, added = ''): Promise<Record<string, unknown>> {
  const path = join(folder, `${name}.mjs`)
  writeFileSync(path, `${(await transform(placed(text, service), { loader: 'ts' })).code}\n${added}`)
  return await import(/* @vite-ignore */ path)
}

/** Wraps everything except imports in a function with these parameters. */
function asFunction(text: string, names: string): string {
  const imports = text.match(/^import .*$/gm) ?? []
  return `${imports.join('\n')}\nexport async function main(${names}) {\n${text.replace(/^import .*$/gm, '')}\n}`
}

describe('the guides for backends', () => {
  it.each([
    ['docs/guides/integration.md#Mounted', { path: '/hello' }, 200, 'hello'],
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
  ])('the block %s runs as a service', async (place, request, status, member) => {
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

  it('the block of the integration guide verifies a forwarded request with miniseal-verify', async () => {
    const upstream: TestUpstream = await startUpstream((_request, response) => response.end())
    const behind = await startTestService({ environment: { MINISEAL_UPSTREAMS: `/a=${upstream.origin}` } })
    try {
      const session = await logIn(behind)
      await session.send({ path: '/a' })
      const text = block('docs/guides/integration.md#Verifying for yourself').text
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

  it('the block of the integration guide requires step-up authentication', async () => {
    const text = block('docs/guides/integration.md#Step-up authentication').text
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
    expect(thrown).toEqual([stepUpRequired('5 元，支付给 bob').message])
  })

  it('the block of the integration guide pushes events from the process of the service', async () => {
    const session = await logIn(service)
    const given = { createService: async () => service, app: undefined, user: session.user }
    const text = block('docs/guides/integration.md#Pushing events').text
    expect(await run(text, service, given, '{ sequence, isNew }')).toMatchObject({ isNew: true })
    expect(await run(text, service, given, '{ sequence, isNew }')).toMatchObject({ isNew: false })
  })
})

it('the block of crypto/README.md seals and opens a request', async () => {
  const text = block('crypto/README.md#Example').text.replaceAll(
    "'./index.ts'",
    `'${join(root, 'crypto/index.ts')}'`,
  )
  const path = join(folder, 'round-trip.ts')
  writeFileSync(path, text)
  const { roundTrip } = await import(/* @vite-ignore */ path)
  const { sodiumPrimitives } = await import('../../../service/keys/sodium-primitives.ts')
  const keys = { c2s: new Uint8Array(32).fill(1), s2c: new Uint8Array(32).fill(2) }
  const random = (length: number): Uint8Array => new Uint8Array(length).fill(3)
  expect(roundTrip(sodiumPrimitives, keys, random, 1764000000)).toMatchObject({
    method: 'GET',
    path: '/wallet',
  })
})
