/** The built client in the engines of phones, against a real service. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bundleClient } from '../../../miniprogram/build/bundle.ts'
import type { TestService } from '../../support/service.ts'
import { startTestService } from '../../support/service.ts'
import { createLoopback } from '../../support/wx-loopback.ts'
import { engines } from './engines.ts'
import { runInJsc } from './jsc.ts'
import { pages } from './pages.ts'

let bundle: string
let service: TestService

beforeAll(async () => {
  bundle = (await bundleClient()).code
  service = await startTestService()
})

afterAll(() => service.close())

describe.each(engines)('the client in $name', { timeout: 90_000 }, ({ name, run }) => {
  const runPage = (page: keyof typeof pages): Promise<unknown> =>
    run(bundle, service, pages[page], `openid-${page}-${name}`)

  it('the client logs in, lists sessions and devices, makes a transfer and reads a refusal', async () => {
    expect(await runPage('transfer')).toMatchObject({
      session: { user: expect.stringMatching(/^u_/), device: { isNew: true } },
      sessions: [{ isCurrent: true, device: { platform: 'ios' } }],
      devices: [{ isCurrent: true, platform: 'ios' }],
      done: { status: 201, payee: 'bob', amount: 250, note: '早饭' },
      balance: 1_000_000 - 250,
      refusal: { isTyped: true, code: 'payload_invalid', text: '提交的内容有误，请检查' },
      states: ['logging-in', 'ready'],
    })
  })

  it('the client makes one transfer for two taps and confirms a large one with SOTER', async () => {
    expect(await runPage('confirmed')).toEqual({
      ids: 1,
      statuses: [201, 201, 201],
      balance: 1_000_000 - 100 - 200_000,
      unconfirmed: 'step_up_required',
    })
  })

  it('the client verifies the receipt of a transfer step by step', async () => {
    expect(await runPage('receipt')).toEqual({
      state: 'verified',
      steps: ['leaf ok', 'contents ok', 'checkpoint ok', 'inclusion ok'],
      type: 'request',
      result: 'ok',
      groups: expect.arrayContaining(['core']),
      isInLog: true,
    })
  })

  it('the client stores a response encrypted', async () => {
    expect(await runPage('stored')).toEqual({ status: 200, again: 200 })
  })
})

describe('the shell of JavaScriptCore', () => {
  it('the JavaScriptCore shell has no JIT and no globals that phones lack', async () => {
    const page = `async () => ({
      hasJit: Boolean(jscOptions().useJIT),
      names: ['fetch', 'TextEncoder', 'URL', 'crypto', 'atob', 'WebAssembly', 'process', 'require', 'window']
        .filter((name) => typeof globalThis[name] !== 'undefined'),
    })`
    const { wx } = createLoopback({ appid: 'wx1' })
    expect(await runInJsc({ bundle: '', page, settings: {}, wx })).toEqual({ hasJit: false, names: [] })
  })

  it('the JavaScriptCore shell reports errors of a page', async () => {
    const page = `async () => { throw new Error('lost') }`
    const { wx } = createLoopback({ appid: 'wx1' })
    await expect(runInJsc({ bundle: '', page, settings: {}, wx })).rejects.toThrow(
      'in the shell: Error: lost',
    )
  })
})
