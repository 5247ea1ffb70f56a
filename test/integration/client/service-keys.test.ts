/** Keys of the service: which ones the client accepts, when it fetches newer ones, and rollbacks of the configuration. */
import { expect, it } from 'vitest'
import { encodeBase64Url } from '../../../crypto/text.ts'
import type { TransportAnswer } from '../../../miniprogram/client/transports/transport.ts'
import { clearAnswer, flipped, memoryStorage } from './scripted-answers.ts'
import {
  freezeConfiguration,
  idempotencyKeys,
  loggedIn,
  scripted,
  transfer,
  wallet,
} from './scripted-channel.ts'
import type { ScriptedService } from './scripted-service.ts'

const configurationsFetched = ({ sent }: ScriptedService): number =>
  sent.filter((line) => line === 'GET /.well-known/miniseal').length

it('the client rejects a configuration signed by another root key', async () => {
  const other = encodeBase64Url(new Uint8Array(32).fill(7))
  const { channel, issued } = await scripted({ roots: [other] })
  await expect(channel.login()).rejects.toMatchObject({ code: 'configuration_invalid' })
  expect(issued).toEqual([])
})

it('the client rejects a modified, expired or malformed configuration', async () => {
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

it('the client rejects a configuration of another service', async () => {
  const { channel, service } = await scripted()
  service.iss = 'https://other.example.com'
  await expect(channel.login()).rejects.toMatchObject({ code: 'configuration_invalid' })
  expect(service.sent).toEqual(['GET /.well-known/miniseal'])
})

it('the client accepts a configuration signed by any pinned root key', async () => {
  const { service } = await scripted()
  const other = encodeBase64Url(new Uint8Array(32).fill(7))
  const roots = [other, encodeBase64Url(service.root.publicKey)]
  const { channel } = await scripted({ roots, transport: service, now: () => service.time * 1000 })
  expect((await channel.request(wallet)).status).toBe(200)
})

it('the client fetches the configuration when the agreement key is retired and logs in with a new code', async () => {
  const { channel, service } = await loggedIn()
  await channel.logout()
  service.rotateAgreementKey()
  expect((await channel.request(wallet)).status).toBe(200)
  // The service could not open the second login, so it never saw code-2.
  expect(service.codes).toEqual(['code-1', 'code-3'])
  expect(configurationsFetched(service)).toBe(2)
})

it('the client fetches the configuration once when a response is signed with a new key, without repeating the request', async () => {
  const { channel, service } = await loggedIn()
  service.rotateSigningKey()
  expect((await channel.request(transfer)).status).toBe(200)
  expect(idempotencyKeys(service, '/wallet/transfers')).toHaveLength(1)
  expect(configurationsFetched(service)).toBe(2)
})

it('the client does not fetch the configuration in a loop', async () => {
  const { channel, service, issued } = await scripted()
  service.intercept = (request, pass) =>
    request.method === 'GET' ? pass() : clearAnswer(409, 'unknown_agreement_key')
  await expect(channel.login()).rejects.toMatchObject({ code: 'unknown_agreement_key' })
  expect(issued).toEqual(['code-1', 'code-2'])
  expect(configurationsFetched(service)).toBe(2)
})

it('the client fetches the configuration again when it expires', async () => {
  const { channel, service } = await loggedIn()
  service.time += 86_400
  await channel.request(wallet)
  expect(configurationsFetched(service)).toBe(2)
})

it('the client rejects a response signed with an expired key', async () => {
  const { channel, service } = await scripted()
  service.signingKeyEnds = service.time + 60
  expect((await channel.request(wallet)).status).toBe(200)
  service.time += 60
  await expect(channel.request(wallet)).rejects.toMatchObject({ code: 'not_verified' })
})

it('the client rejects a response signed with an unlisted key', async () => {
  const { channel, service } = await loggedIn()
  await freezeConfiguration(service)
  service.rotateSigningKey()
  await expect(channel.request(transfer)).rejects.toMatchObject({
    code: 'outcome_unknown',
    reason: 'not_verified',
    outcome: 'unknown',
  })
  expect(service.sent.filter((line) => line.startsWith('GET'))).toHaveLength(3)
})

it('the client rejects a login response signed with an unlisted key', async () => {
  const { channel, service } = await scripted()
  await freezeConfiguration(service)
  service.rotateSigningKey()
  await expect(channel.login()).rejects.toMatchObject({ code: 'not_verified' })
})

/** A phone that has logged in; the network then answers with a configuration that is `age` seconds older. */
async function phoneWithOlder(age: number) {
  const stored = new Map<string, string>()
  const parts = await scripted({ storage: memoryStorage(stored) })
  const { service, channel } = parts
  await freezeConfiguration(service)
  const { intercept } = service
  service.intercept = (_request, pass) => pass()
  service.time += age
  await channel.login()
  service.intercept = intercept
  return { ...parts, stored }
}

it('the client rejects an older configuration, also after a restart, and accepts a newer one', async () => {
  const { service, launch } = await phoneWithOlder(3600)
  const next = launch()
  await expect(next.login()).rejects.toMatchObject({ code: 'configuration_invalid', outcome: 'none' })
  service.intercept = (_request, pass) => pass()
  await next.login()
})

it('the client accepts a configuration as old as HTTP caches allow', async () => {
  const { launch } = await phoneWithOlder(300)
  await launch().login()
})

it('the client accepts a configuration when storage was lost or holds an implausible value', async () => {
  const { launch, stored, service } = await phoneWithOlder(3600)
  const name = 'miniseal.configuration.pay.example.com'
  expect(stored.get(name)).toBe(String(service.time))
  for (const value of [undefined, '', 'x', '-1', '1e300', String(service.time + 90_000)]) {
    if (value === undefined) stored.delete(name)
    else stored.set(name, value)
    await launch().login()
  }
})

it('the client accepts current configurations after one with an iat in the future', async () => {
  const { service, launch } = await scripted()
  const real = service.time
  service.time += 5 * 3600
  await freezeConfiguration(service)
  service.time = real
  await launch().login()
  service.intercept = (_request, pass) => pass()
  await launch().login()
})

it('the client detects a rollback without working storage while the mini program runs', async () => {
  const broken = async (): Promise<never> => {
    throw new Error('no storage')
  }
  const seed = new Map<string, string>()
  const memory = memoryStorage(seed)
  const isOurs = (key: string): boolean => key.startsWith('miniseal.configuration.')
  const { service, channel } = await scripted({
    storage: {
      get: (key) => (isOurs(key) ? broken() : memory.get(key)),
      set: (key, value) => (isOurs(key) ? broken() : memory.set(key, value)),
      remove: memory.remove,
    },
  })
  await freezeConfiguration(service)
  const { intercept } = service
  service.intercept = (_request, pass) => pass()
  service.time += 3600
  await channel.login()
  // A signing key that is not listed makes the client fetch the configuration once more.
  service.rotateSigningKey()
  service.intercept = intercept
  await expect(channel.request(wallet)).rejects.toMatchObject({
    code: 'configuration_invalid',
  })
})
