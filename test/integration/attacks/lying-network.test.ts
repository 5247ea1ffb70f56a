/**
 * A network that copies, delays and releases frames between real clients and a real service. Reported outcomes stay
 * true: `refused` never for a payment that ran, and no effect after a cancellation.
 */

import { afterEach, beforeEach, expect, it } from 'vitest'
import type { Channel, ChannelError, ChannelOptions } from '../../../miniprogram/client/index.ts'
import { confirm } from '../../support/confirmation.ts'
import { sharedService } from '../../support/hooks.ts'
import { honest, LyingNetwork, type Treatment } from '../../support/lying-network.ts'
import { balance, createPhone } from '../client/phone.ts'

const funds = 1_000_000
const order = {
  method: 'POST',
  path: '/wallet/transfers',
  body: { payee: 'bob', amount: 250, currency: 'CNY' },
} as const

// The limits of production.
const service = sharedService({
  environment: { MINISEAL_LIMITS: 'device=600/60,user=600/60,frame_ip=60000/60' },
})
let network: LyingNetwork
let people = 0

beforeEach(async () => {
  network = new LyingNetwork(service.origin, service.url)
  await network.open()
})

afterEach(() => network.close())

/** A phone of a new user, logged in while the network was honest. */
async function phone(options: Partial<ChannelOptions> = {}): Promise<Channel & { readonly openid: string }> {
  const openid = `openid-lied-to-${++people}`
  const more = { transport: network.transport(), timeoutMs: 10_000, ...options }
  const { channel } = createPhone(service, openid, more)
  await channel.login()
  return Object.assign(channel, { openid })
}

async function failureOf(work: Promise<unknown>): Promise<ChannelError> {
  return work.then(
    () => {
      throw new Error('it did not fail')
    },
    (error: ChannelError) => error,
  )
}

/** Sends a copy of every frame first and drops its response. */
const twice: Treatment = async (frame, pass) => {
  await pass(frame)
  return pass(frame)
}

it('no client reports a payment as refused when duplicates of all frames are sent', async () => {
  const channel = await phone({ retries: 2 })
  network.treat = twice
  const failure = await failureOf(channel.request(order))
  expect(failure).toMatchObject({ code: 'outcome_unknown', reason: 'replayed', outcome: 'unknown' })
  const key = failure.idempotencyKey ?? ''
  const stopped = await failureOf(channel.cancel(key))
  expect(stopped).toMatchObject({ code: 'outcome_unknown', outcome: 'unknown' })
  network.treat = honest
  expect(await channel.outcome(key)).toMatchObject({ outcome: 'done', answer: { status: 201 } })
  expect(await channel.cancel(key)).toMatchObject({ outcome: 'done', answer: { status: 201 } })
  expect((await channel.request({ ...order, idempotencyKey: key })).status).toBe(201)
  expect(await balance(channel)).toBe(funds - 250)
})

it('a delayed frame has no effect after the user has cancelled', async () => {
  const channel = await phone({ retries: 0 })
  const held: Uint8Array[] = []
  network.treat = async (frame) => {
    held.push(frame)
    return undefined
  }
  const failure = await failureOf(channel.request(order))
  expect(failure).toMatchObject({ code: 'outcome_unknown', outcome: 'unknown' })
  const key = failure.idempotencyKey ?? ''
  network.treat = honest
  expect(await channel.outcome(key)).toEqual({ outcome: 'unclaimed' })
  expect(await channel.cancel(key)).toEqual({ outcome: 'none' })
  // Sealed responses come back, which only the phone could open.
  const released = await Promise.all([...held, ...held].map((frame) => network.pass(frame)))
  expect(released.map(({ status }) => status)).toEqual([200, 200])
  expect(await balance(channel)).toBe(funds)
  expect(await channel.outcome(key)).toMatchObject({ outcome: 'none', cancelled: true })
  expect(await failureOf(channel.request({ ...order, idempotencyKey: key }))).toMatchObject({
    ...{ code: 'request_cancelled', outcome: 'refused' },
  })
  expect(await balance(channel)).toBe(funds)
})

it('a user who declines after a confirmed copy was delayed gets the true outcome', async () => {
  const body = { ...order.body, amount: 200_000 }
  const held: Uint8Array[] = []
  const channel: Awaited<ReturnType<typeof phone>> = await phone({
    retries: 0,
    soter: (challenge) => confirm(service, channel.openid, challenge),
  })
  const confirmedOnce = async (): Promise<boolean> => {
    network.treat = async (frame) => {
      held.push(frame)
      return undefined
    }
    return true
  }
  const failure = await failureOf(channel.request({ ...order, body, confirm: confirmedOnce }))
  expect(failure).toMatchObject({ code: 'outcome_unknown', outcome: 'unknown' })
  network.treat = honest
  const idempotencyKey = failure.idempotencyKey ?? ''
  const declined = channel.request({ ...order, body, idempotencyKey, confirm: async () => false })
  expect(await failureOf(declined)).toMatchObject({ code: 'confirmation_cancelled', outcome: 'refused' })
  for (const frame of held) await network.pass(frame)
  expect(await balance(channel)).toBe(funds)
})
