/** The built client where phones run it, against a real service: a bare V8 context, and JavaScriptCore without a JIT. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bundleClient } from '../../../miniprogram/build/bundle.ts'
import { createBareContext } from '../../support/bare-context.ts'
import { confirm } from '../../support/confirmation.ts'
import type { TestService } from '../../support/service.ts'
import { startTestService } from '../../support/service.ts'
import { createLoopback } from '../../support/wx-loopback.ts'
import { runInJsc } from './jsc.ts'
import { pages } from './pages.ts'

let bundle: string
let service: TestService

beforeAll(async () => {
  bundle = (await bundleClient()).code
  service = await startTestService()
})

afterAll(() => service.close())

interface Engine {
  readonly name: string
  readonly withoutBigInt: boolean
  run(page: string, openid: string): Promise<unknown>
}

function settings(): object {
  return { origin: service.origin, appid: service.appid, roots: service.roots }
}

function phone(openid: string) {
  const soter = (challenge: string): Promise<object> => confirm(service, openid, challenge)
  return { appid: service.appid, sandboxUrl: service.sandboxUrl, openid, soter }
}

function bareContext(withoutBigInt: boolean): Engine {
  return {
    name: 'a bare context',
    withoutBigInt,
    run: async (page, openid) => {
      const context = createBareContext({ withoutBigInt })
      context.define('wx', createLoopback({ ...phone(openid), realm: context.realm }).wx)
      context.define('miniseal', context.load(bundle))
      context.define('settings', settings())
      return JSON.parse(String(await context.run(`(${page})(miniseal, settings).then(JSON.stringify)`)))
    },
  }
}

function jsc(withoutBigInt: boolean): Engine {
  return {
    name: 'JavaScriptCore without a JIT',
    withoutBigInt,
    run: (page, openid) => {
      const { wx } = createLoopback(phone(openid))
      return runInJsc({ bundle, page, settings: settings(), wx, withoutBigInt })
    },
  }
}

const engines = [bareContext(false), bareContext(true), jsc(false), jsc(true)]

describe.each(engines)(
  'the client in $name (without BigInt: $withoutBigInt)',
  { timeout: 90_000 },
  (engine) => {
    const openid = (what: string): string => `openid-${what}-${engine.name.length}-${engine.withoutBigInt}`

    it('logs in, lists sessions and devices, makes a transfer and reads a refusal', async () => {
      expect(await engine.run(pages.transfer, openid('transfer'))).toMatchObject({
        session: { user: expect.stringMatching(/^u_/), device: { isNew: true } },
        sessions: [{ isCurrent: true, device: { platform: 'ios' } }],
        devices: [{ isCurrent: true, platform: 'ios' }],
        done: { status: 201, payee: 'bob', amount: 250, note: '早饭' },
        balance: 1_000_000 - 250,
        refusal: { isTyped: true, code: 'payload_invalid', text: '提交的内容有误，请检查' },
        states: ['logging-in', 'ready'],
      })
    })

    it('makes one transfer for two taps and confirms a large one with SOTER', async () => {
      expect(await engine.run(pages.confirmed, openid('confirmed'))).toEqual({
        ids: 1,
        statuses: [201, 201, 201],
        balance: 1_000_000 - 100 - 200_000,
        unconfirmed: 'step_up_required',
      })
    })

    it('verifies the receipt of a transfer step by step', async () => {
      expect(await engine.run(pages.receipt, openid('receipt'))).toEqual({
        state: 'verified',
        steps: ['leaf ok', 'contents ok', 'checkpoint ok', 'inclusion ok'],
        type: 'request',
        result: 'ok',
        groups: expect.arrayContaining(['core']),
        isInLog: true,
      })
    })

    it('stores an answer encrypted', async () => {
      expect(await engine.run(pages.stored, openid('stored'))).toEqual({ status: 200, again: 200 })
    })
  },
)

describe('the shell', () => {
  it('has no JIT and no globals that phones lack', async () => {
    const page = `async () => ({
      hasJit: Boolean(jscOptions().useJIT),
      names: ['fetch', 'TextEncoder', 'URL', 'crypto', 'atob', 'WebAssembly', 'process', 'require', 'window']
        .filter((name) => typeof globalThis[name] !== 'undefined'),
    })`
    const { wx } = createLoopback({ appid: 'wx1' })
    expect(await runInJsc({ bundle: '', page, settings: {}, wx })).toEqual({ hasJit: false, names: [] })
  })

  it('reports errors of a page', async () => {
    const page = `async () => { throw new Error('lost') }`
    const { wx } = createLoopback({ appid: 'wx1' })
    await expect(runInJsc({ bundle: '', page, settings: {}, wx })).rejects.toThrow(
      'in the shell: Error: lost',
    )
  })
})
