/** Which keys of the service the client believes, and when it asks for newer ones. */
import { describe, expect, it } from 'vitest'
import { encodeBase64Url } from '../../../crypto/text.ts'
import type { TransportAnswer } from '../../../miniprogram/client/transports/transport.ts'
import { clearAnswer, flipped } from './scripted-answers.ts'
import { idempotencyKeys, scripted } from './scripted-channel.ts'

const wallet = { method: 'GET', path: '/wallet' } as const
const transfer = {
  method: 'POST',
  path: '/wallet/transfers',
  body: { payee: 'p', amount: 1, currency: 'CNY' },
} as const

describe('the channel configuration', () => {
  it('rejects a configuration signed by another root key', async () => {
    const other = encodeBase64Url(new Uint8Array(32).fill(7))
    const { channel, issued } = await scripted({ roots: [other] })
    await expect(channel.login()).rejects.toMatchObject({ code: 'configuration_invalid' })
    expect(issued).toEqual([])
  })

  it('rejects a modified, expired or malformed configuration', async () => {
    const { channel, service } = await scripted()
    for (const change of [
      (answer: TransportAnswer) => flipped(answer, 30),
      (answer: TransportAnswer) => flipped(answer, 300),
      (answer: TransportAnswer) => flipped(answer, -5),
      (answer: TransportAnswer) => ({ ...answer, body: new Uint8Array([0xff]) }),
    ]) {
      service.intercept = (_request, pass) => change(pass())
      await expect(channel.login()).rejects.toMatchObject({ code: 'configuration_invalid' })
    }
    service.intercept = (_request, pass) => {
      const answer = pass()
      service.time += 86_400
      return answer
    }
    await expect(channel.login()).rejects.toMatchObject({ code: 'configuration_invalid' })
  })

  it('rejects a configuration of another service', async () => {
    const { channel, service } = await scripted()
    service.iss = 'https://other.example.com'
    await expect(channel.login()).rejects.toMatchObject({ code: 'configuration_invalid' })
    expect(service.sent).toEqual(['GET /.well-known/miniseal'])
  })

  it('accepts a configuration signed by any pinned root key', async () => {
    const { service } = await scripted()
    const other = encodeBase64Url(new Uint8Array(32).fill(7))
    const roots = [other, encodeBase64Url(service.root.publicKey)]
    const { channel } = await scripted({ roots, transport: service, now: () => service.time * 1000 })
    expect((await channel.request(wallet)).status).toBe(200)
  })
})

describe('rotated keys of the service', () => {
  it('fetches the configuration when the agreement key is retired and logs in with a new code', async () => {
    const { channel, service } = await scripted()
    await channel.login()
    await channel.logout()
    service.rotateAgreementKey()
    expect((await channel.request(wallet)).status).toBe(200)
    // The service could not open the second login, so it never saw code-2.
    expect(service.codes).toEqual(['code-1', 'code-3'])
    expect(service.sent.filter((line) => line === 'GET /.well-known/miniseal')).toHaveLength(2)
  })

  it('fetches the configuration once when an answer is signed with a new key, without repeating the request', async () => {
    const { channel, service } = await scripted()
    await channel.login()
    service.rotateSigningKey()
    expect((await channel.request(transfer)).status).toBe(200)
    expect(idempotencyKeys(service, '/wallet/transfers')).toHaveLength(1)
    expect(service.sent.filter((line) => line === 'GET /.well-known/miniseal')).toHaveLength(2)
  })

  it('does not fetch the configuration in a loop', async () => {
    const { channel, service, issued } = await scripted()
    service.intercept = (request, pass) =>
      request.method === 'GET' ? pass() : clearAnswer(409, 'unknown_agreement_key')
    await expect(channel.login()).rejects.toMatchObject({ code: 'unknown_agreement_key' })
    expect(issued).toEqual(['code-1', 'code-2'])
    expect(service.sent.filter((line) => line === 'GET /.well-known/miniseal')).toHaveLength(2)
  })

  it('fetches the configuration again when it expires', async () => {
    const { channel, service } = await scripted()
    await channel.login()
    service.time += 86_400
    await channel.request(wallet)
    expect(service.sent.filter((line) => line === 'GET /.well-known/miniseal')).toHaveLength(2)
  })
})

describe('a signing key that has ended', () => {
  it('rejects an answer signed with an expired key', async () => {
    const { channel, service } = await scripted()
    service.signingKeyEnds = service.time + 60
    expect((await channel.request(wallet)).status).toBe(200)
    service.time += 60
    await expect(channel.request(wallet)).rejects.toMatchObject({ code: 'not_verified' })
  })
})

describe('an answer signed by somebody else', () => {
  it('rejects an answer signed with an unlisted key', async () => {
    const { channel, service } = await scripted()
    await channel.login()
    const configuration = await service.send({
      url: 'https://pay.example.com/.well-known/miniseal',
      method: 'GET',
      headers: {},
      body: undefined,
      timeoutMs: 1,
    })
    service.rotateSigningKey()
    service.intercept = (request, pass) => (request.method === 'GET' ? configuration : pass())
    await expect(channel.request(transfer)).rejects.toMatchObject({
      code: 'outcome_unknown',
      reason: 'not_verified',
      outcome: 'unknown',
    })
    expect(service.sent.filter((line) => line.startsWith('GET'))).toHaveLength(3)
  })
})
