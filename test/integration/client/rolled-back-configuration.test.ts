/** The network keeps an old channel configuration back, and gives it to a phone that has seen a newer one. */
import { describe, expect, it } from 'vitest'
import { memoryStorage } from './scripted-answers.ts'
import { scripted } from './scripted-channel.ts'

const configurationRequest = {
  url: 'https://pay.example.com/.well-known/miniseal',
  method: 'GET',
  headers: {},
  body: undefined,
  timeoutMs: 1,
} as const

/** A phone that has logged in; the network has a configuration that is `age` seconds older. */
async function phoneWithOlder(age: number) {
  const stored = new Map<string, string>()
  const parts = await scripted({ storage: memoryStorage(stored) })
  const { service, channel } = parts
  const old = await service.send(configurationRequest)
  service.time += age
  await channel.login()
  service.intercept = (request, pass) => (request.method === 'GET' ? old : pass())
  return { ...parts, stored, old }
}

describe('a configuration that is older than one seen before', () => {
  it('rejects an older configuration, also after a restart, and accepts a newer one', async () => {
    const { service, launch } = await phoneWithOlder(3600)
    const next = launch()
    await expect(next.login()).rejects.toMatchObject({ code: 'configuration_invalid', outcome: 'none' })
    service.intercept = (_request, pass) => pass()
    await next.login()
  })

  it('accepts a configuration as old as HTTP caches allow', async () => {
    const { launch } = await phoneWithOlder(300)
    await launch().login()
  })

  it('accepts a configuration when storage was lost or holds an implausible value', async () => {
    const { launch, stored, service } = await phoneWithOlder(3600)
    const name = 'miniseal.configuration.pay.example.com'
    expect(stored.get(name)).toBe(String(service.time))
    for (const value of [undefined, '', 'x', '-1', '1e300', String(service.time + 90_000)]) {
      if (value === undefined) stored.delete(name)
      else stored.set(name, value)
      await launch().login()
    }
  })

  it('accepts current configurations after one with an iat in the future', async () => {
    const { service, launch } = await scripted()
    const real = service.time
    service.time += 5 * 3600
    const future = await service.send(configurationRequest)
    service.time = real
    service.intercept = (request, pass) => (request.method === 'GET' ? future : pass())
    await launch().login()
    service.intercept = (_request, pass) => pass()
    await launch().login()
  })

  it('detects a rollback without working storage while the mini program runs', async () => {
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
    const old = await service.send(configurationRequest)
    service.time += 3600
    await channel.login()
    // A signing key that is not listed makes the client fetch the configuration once more.
    service.rotateSigningKey()
    service.intercept = (request, pass) => (request.method === 'GET' ? old : pass())
    await expect(channel.request({ method: 'GET', path: '/wallet' })).rejects.toMatchObject({
      code: 'configuration_invalid',
    })
  })
})
