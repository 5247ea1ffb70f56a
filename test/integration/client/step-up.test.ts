/** A phone that is asked for a finger. */
import { expect, it } from 'vitest'
import { type ChannelError, stepUpField } from '../../../miniprogram/client/index.ts'
import { confirm } from '../../support/confirmation.ts'
import { sharedService } from '../../support/hooks.ts'
import { balance, createPhone } from './phone.ts'

const service = sharedService()

const order = {
  method: 'POST',
  path: '/wallet/transfers',
  body: { payee: 'bob', amount: 200_000, currency: 'CNY' },
} as const

it('reports the challenge and the key, and executes the confirmed transfer', async () => {
  const { channel } = createPhone(service, 'openid-finger')
  const error = await channel.request(order).then(
    () => undefined,
    (thrown: ChannelError) => thrown,
  )
  expect(error).toMatchObject({
    code: 'step_up_required',
    status: 401,
    outcome: 'unknown',
    problem: { summary: '2,000.00 元，转账给 bob' },
  })
  const challenge = String(error?.problem?.challenge)
  const headers = { 'step-up': stepUpField(challenge, await confirm(service, 'openid-finger', challenge)) }
  const idempotencyKey = error?.idempotencyKey ?? ''
  expect(idempotencyKey).not.toBe('')
  const done = await channel.request({ ...order, headers, idempotencyKey })
  expect([done.status, await balance(channel)]).toEqual([201, 800_000])
})
