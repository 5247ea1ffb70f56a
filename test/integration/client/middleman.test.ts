/** Somebody between a real client and the real service. */
import { beforeAll, describe, expect, it } from 'vitest'
import { fetchTransport } from '../../../miniprogram/client/node.ts'
import { sharedService } from '../../support/hooks.ts'
import { balance, createPhone, type Phone, transfer } from './phone.ts'

let phone: (openid: string, options?: Parameters<typeof createPhone>[2]) => Phone

const service = sharedService()

beforeAll(async () => {
  phone = (openid, options) => createPhone(service, openid, options)
})

describe('somebody between the phone and the service', () => {
  it('rejects an answer that was modified on the network', async () => {
    const { channel, proxy } = phone('openid-flip')
    await channel.login()
    for (const offset of [1, 10, 30, 60, 300]) {
      proxy.meddle = (answer) => {
        const body = Uint8Array.from(answer.body)
        body[offset] = (body[offset] ?? 0) ^ 0x10
        return { ...answer, body }
      }
      await expect(channel.request(transfer)).rejects.toMatchObject({
        code: 'outcome_unknown',
        reason: 'not_verified',
        outcome: 'unknown',
      })
    }
  })

  it('rejects a replayed answer and an answer of another session', async () => {
    const { channel, proxy } = phone('openid-replay')
    const other = phone('openid-replay')
    await channel.request(transfer)
    await other.channel.request(transfer)
    for (const old of [proxy.answers[1], other.proxy.answers[1]]) {
      if (old === undefined) throw new Error('nothing was recorded')
      proxy.meddle = () => old
      await expect(channel.request(transfer)).rejects.toMatchObject({
        code: 'outcome_unknown',
        reason: 'not_verified',
        outcome: 'unknown',
      })
    }
  })

  it('rejects a replayed login', async () => {
    const { channel, proxy } = phone('openid-replay-login')
    await channel.login()
    const handshake = proxy.requests.find(({ method }) => method === 'POST')
    if (handshake === undefined) throw new Error('nothing was recorded')
    const replayed = await fetchTransport().send(handshake)
    const eavesdropper = phone('openid-replay-login')
    eavesdropper.proxy.meddle = () => replayed
    await expect(eavesdropper.channel.login()).rejects.toMatchObject({ code: 'not_verified' })
  })

  it('executes a transfer once when its answer is dropped on the network', async () => {
    const { channel, proxy } = phone('openid-lost')
    await channel.login()
    proxy.meddle = () => {
      throw new Error('connection reset')
    }
    const failure = await channel.request(transfer).catch((error: unknown) => error)
    expect(failure).toMatchObject({
      code: 'outcome_unknown',
      reason: 'network',
      outcome: 'unknown',
      idempotencyKey: expect.any(String),
    })
    proxy.meddle = (answer) => answer
    const { idempotencyKey } = failure as { idempotencyKey: string }
    expect((await channel.request({ ...transfer, idempotencyKey })).status).toBe(201)
    expect(await balance(channel)).toBe(1_000_000 - 250)
  })

  it('reveals neither path, token nor amount on the network', async () => {
    const { channel, proxy } = phone('openid-secret')
    await channel.request(transfer)
    for (const { url, headers, body } of proxy.requests) {
      const seen = `${url} ${JSON.stringify(headers)} ${Buffer.from(body ?? []).toString('latin1')}`
      expect(seen).not.toMatch(/wallet|HTTPSig|amount|idempotency/i)
    }
  })
})
