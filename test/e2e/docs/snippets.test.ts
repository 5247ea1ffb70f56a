/** TypeScript and JavaScript of the documents: type-checked against the packages, and run in a client with a real service. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Channel } from '../../../miniprogram/client/index.ts'
import * as client from '../../../miniprogram/client/index.ts'
import { confirm } from '../../support/confirmation.ts'
import type { OwnService } from '../../support/service.ts'
import { startTestService } from '../../support/service.ts'
import type { Loopback } from '../../support/wx-loopback.ts'
import { createLoopback } from '../../support/wx-loopback.ts'
import { block, run } from './snippet-runs.ts'
import type { PlacedSnippet } from './snippet-types.ts'
import { compile } from './snippet-types.ts'
import { snippets } from './snippets.ts'

let service: OwnService

beforeAll(async () => {
  service = await startTestService()
})

afterAll(async () => {
  Reflect.deleteProperty(globalThis, 'wx')
  await service.close()
})

const placed = Object.entries(snippets).flatMap(([place, list]): PlacedSnippet[] => {
  return list.map((snippet, nth) => ({ snippet, block: block(place, nth) }))
})

it('the blocks for Node type-check', () => {
  expect(
    compile(
      'node',
      placed.filter(({ snippet }) => snippet.realm === 'node'),
    ),
  ).toBe('')
})

it('the blocks for mini programs type-check, and the type check detects an unknown name', () => {
  const wrong = { ...block('docs/guides/mini-program.md#Receipts'), line: 0, text: 'channel.receipts()\n' }
  const [snippet = { realm: 'phone' as const }] = snippets['docs/guides/mini-program.md#Receipts'] ?? []
  const output = compile('phone', [
    ...placed.filter(({ snippet }) => snippet.realm === 'phone'),
    { block: wrong, snippet },
  ])
  expect(output).toContain("Property 'receipts' does not exist")
  expect(output.match(/error TS/g)).toHaveLength(1)
})

interface Phone {
  readonly loopback: Loopback
  readonly channel: Channel
  /** The variables of a mini program. */
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
  // The client uses the global `wx`.
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
    ['docs/guides/mini-program.md#Ten lines to the first call', 200],
    ['miniprogram/client/README.md#Ten lines to the first call', 201],
    ['miniprogram/client/README.md#十行代码，第一次调用', 201],
  ])('the block %s makes the first call', async (place, status) => {
    const { given } = phone('ten-lines')
    const answer = await run(block(place).text, service, { ...given, console: silent }, 'answer')
    expect(answer).toMatchObject({ status })
  })

  it('the block about step-up authentication confirms a large transfer', async () => {
    const { given } = phone('large')
    const shown: string[] = []
    const showSheet = async (summary: string): Promise<boolean> => shown.push(summary) > 0
    const order = { payee: 'bob', amount: 200_000, currency: 'CNY' }
    const text = block('docs/guides/mini-program.md#Step-up authentication').text.replace(
      'await channel',
      'const answer = await channel',
    )
    expect(await run(text, service, { ...given, order, showSheet }, 'answer')).toMatchObject({ status: 201 })
    expect(shown).toHaveLength(1)
  })

  it('the block about events shows an event', async () => {
    const { given, channel } = phone('events')
    const { user } = await channel.login()
    const shown: unknown[] = []
    const text = block('docs/guides/mini-program.md#Events').text.replace('handle.close()\n', '')
    const more = { last: 0, show: (data: unknown) => shown.push(data), reload: () => {} }
    const handle = (await run(text, service, { ...given, ...more }, 'handle')) as { close(): void }
    await service.push(user, { type: 'chat-message', data: { text: 'hello' } })
    await expect.poll(() => shown).toEqual([{ text: 'hello' }])
    handle.close()
  })

  it('the block about receipts verifies a receipt', async () => {
    const { given, channel } = phone('receipts')
    const body = { payee: 'bob', amount: 1, currency: 'CNY' }
    const answer = await channel.request({ method: 'POST', path: '/wallet/transfers', body })
    const receipt = await run(
      block('docs/guides/mini-program.md#Receipts').text,
      service,
      { ...given, answer },
      'receipt',
    )
    expect(receipt).toMatchObject({ state: 'verified' })
  })

  it('the block about cloud hosting creates a channel', async () => {
    const { given } = phone('cloud')
    const options = { origin: service.origin, appid: service.appid, roots: service.roots }
    const { channel: _, ...rest } = given
    const text = block('docs/guides/mini-program.md#WeChat cloud hosting').text
    expect(await run(text, service, { ...rest, options }, 'channel')).toMatchObject({ state: 'logged-out' })
  })

  it('the block about phone numbers decrypts a phone number', async () => {
    const { given } = phone('number')
    const text = block('docs/guides/mini-program.md#Phone number and encrypted data').text
    const ask = (await run(text, service, given, 'onPhoneNumber')) as (event: object) => Promise<unknown>
    const made = await service.sandbox('/sandbox/phone-codes', { appid: service.appid, openid: 'number' })
    expect(await ask({ detail: made })).toHaveProperty('pure_phone_number')
    expect(await ask({ detail: {} })).toBeUndefined()
  })

  it('the block about cancelling cancels an unsent request and reports a completed one', async () => {
    const { given, channel } = phone('giving-up')
    const text = block('docs/guides/mini-program.md#Cancelling and querying the outcome').text
    const giveUp = (await run(text, service, given, 'giveUp')) as (key: string) => Promise<string>
    expect(await giveUp('never-sent')).toBe('not paid')
    const body = { payee: 'bob', amount: 1, currency: 'CNY' }
    await channel.request({ method: 'POST', path: '/wallet/transfers', body, idempotencyKey: 'sent' })
    expect(await giveUp('sent')).toBe('paid')
  })

  it('the block about errors pays, and retries an unknown outcome with the same key', async () => {
    const { given, channel } = phone('errors')
    const offered: (() => unknown)[] = []
    const more = {
      showProblem: () => 'problem',
      offerRetry: (again: () => unknown) => offered.push(again),
    }
    const text = block('docs/guides/mini-program.md#Errors').text
    const order = { payee: 'bob', amount: 1, currency: 'CNY' }
    const pay = (await run(text, service, { ...given, ...more }, 'pay')) as (
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
    const payLost = (await run(text, service, { ...given, ...more, channel: lost }, 'pay')) as typeof pay
    await payLost(order, 'errors-2')
    await offered[0]?.()
    expect(keys).toEqual(['errors-2', 'errors-2'])
    expect(channel.state).toBe('ready')
  })

  it('the block about devices lists devices and revokes one', async () => {
    await phone('devices').channel.login()
    const { given, channel } = phone('devices')
    await channel.login()
    const devices = await run(
      block('docs/guides/mini-program.md#Devices and sessions').text,
      service,
      given,
      'devices',
    )
    expect(devices).toHaveLength(2)
    const [named] = (devices as readonly { readonly id: string }[]) ?? []
    await expect
      .poll(async () => (await phone('devices').channel.devices()).map(({ id }) => id))
      .not.toHaveLength(0)
    expect(named).toBeDefined()
  })

  it('the block about the wire opens a socket', async () => {
    const { given } = phone('socket')
    const { channel: _, ...rest } = given
    const task = (await run(
      block('docs/guides/mini-program.md#Events on the wire').text,
      service,
      rest,
      'task',
    )) as {
      onOpen(listener: () => void): void
      close(options: object): void
    }
    await new Promise<void>((resolve) => task.onOpen(resolve))
    task.close({})
  })
})
