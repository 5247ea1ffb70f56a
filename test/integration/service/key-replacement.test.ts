/** The root key is replaced in two steps, and keys that have leaked are ended at once. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openKeyring } from '../../../service/keys/keyring.ts'
import { activateRootKey, createNextRootKey, rotateWhenDue } from '../../../service/keys/rotation.ts'
import { createSecretWrapper } from '../../../service/keys/wrapping.ts'
import { openStore } from '../../../service/store/open-store.ts'
import { type CommandResult, runKeys } from '../../support/command.ts'
import { logIn, RawSession } from '../../support/raw-client.ts'
import { startTestService, type TestService } from '../../support/service.ts'

let folder: string
let environment: Record<string, string>

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'miniseal-root-'))
  environment = {
    PORT: '0',
    MINISEAL_ORIGIN: 'http://127.0.0.1:1',
    MINISEAL_DATA: folder,
    MINISEAL_DATABASE: `sqlite:${join(folder, 'miniseal.db')}`,
  }
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

async function serving<T>(work: (service: TestService) => Promise<T>, clockOffset = 0): Promise<T> {
  const service = await startTestService({ environment, clockOffset })
  try {
    return await work(service)
  } finally {
    await service.close()
  }
}

const run = (...args: string[]): Promise<CommandResult> => runKeys(args, environment)

const exported = async (): Promise<{ roots: string[] }> => JSON.parse((await run('export', '--json')).out)

/** A client with these root keys in its package. */
const pinning = (service: TestService, roots: readonly string[]): Promise<RawSession> =>
  logIn({ ...service, roots })

async function kids(kind: string): Promise<string[]> {
  const lines = (await run('list')).out.split('\n').filter((line) => line.startsWith(kind))
  return lines.map((line) => line.split(/\s+/)[1] ?? '')
}

it('the old root key signs until the next one is activated: old clients work until then, new ones before and after', async () => {
  const [old = ''] = await serving(async ({ roots }) => roots)
  const [next = ''] = /\S{43}/.exec((await run('rotate', 'root')).out) ?? []
  const { roots } = await exported()
  expect(roots).toHaveLength(2)
  expect(roots[0]).toBe(old)
  expect((await run('list')).out).toContain(`root       ${next}  not yet active`)
  await serving(async (service) => {
    await expect(pinning(service, [old])).resolves.toBeDefined()
    await expect(pinning(service, roots)).resolves.toBeDefined()
  })
  expect((await run('activate', 'root', next)).code).toBe(0)
  await serving(async (service) => {
    await expect(pinning(service, [old])).rejects.toMatchObject({ code: 'key_unknown' })
    await expect(pinning(service, roots)).resolves.toBeDefined()
  }, 2)
  // Too early after all: the old one can be taken back.
  const [, former = ''] = await kids('root')
  expect((await run('activate', 'root', former)).code).toBe(0)
  await serving(async (service) => expect(pinning(service, [old])).resolves.toBeDefined(), 4)
})

it('the new root key is activated at a given time', async () => {
  await serving(async ({ roots }) => roots)
  const [next = ''] = /\S{43}/.exec((await run('rotate', 'root')).out) ?? []
  expect((await run('activate', 'root', next, '--at', '2999-01-31T08:00:00Z')).out).toContain(
    '2999-01-31T08:00:00Z',
  )
  const wrapper = createSecretWrapper(
    (await import('../../../service/config/config.ts')).readConfig(environment).masterKeys,
  )
  const store = await openStore({ kind: 'sqlite', path: join(folder, 'miniseal.db') })
  const at = Date.UTC(2999, 0, 31, 8) / 1000
  const keyring = await openKeyring(store, wrapper, 1)
  expect(keyring.current('root', at - 1).kid).not.toBe(next)
  expect(keyring.current('root', at).kid).toBe(next)
  await store.close()
})

it('a second pending root key, an active or unknown one, and a past time are refused', async () => {
  await serving(async ({ roots }) => roots)
  const [only = ''] = await kids('root')
  const [next = ''] = /\S{43}/.exec((await run('rotate', 'root')).out) ?? []
  await expect(run('rotate', 'root')).rejects.toThrow(/already awaits its activation/)
  await expect(run('activate', 'root', only)).rejects.toThrow(/is in use/)
  await expect(run('activate', 'root', 'other')).rejects.toThrow(/there is no root key/)
  await expect(run('activate', 'root', next, '--at', '2020-01-31T08:00:00Z')).rejects.toThrow(
    /is in the past/,
  )
  await expect(run('activate', 'root', next, '--at', 'tomorrow')).rejects.toThrow(/must be a time/)
  await expect(run('activate', 'signing', next)).rejects.toThrow(/must be root/)
})

it('two root keys can be activated alternately within one second', async () => {
  const now = 1_764_000_000
  const wrapper = createSecretWrapper([new Uint8Array(32).fill(1)])
  const store = await openStore({ kind: 'sqlite', path: ':memory:' })
  const keyring = await openKeyring(store, wrapper, now - 10)
  const first = keyring.current('root', now).kid
  const second = await createNextRootKey(store, wrapper, keyring, now)
  for (const [kid, at] of [
    [second, now],
    [first, now + 1],
    [second, now + 1],
  ] as const) {
    await keyring.reload()
    const from = await activateRootKey(store, keyring, kid, at, at)
    expect(from).toBeLessThanOrEqual(at + 1)
    await keyring.reload()
    expect(keyring.current('root', from).kid).toBe(kid)
  }
  await store.close()
})

it('a key is not revoked when only a retired one would remain', async () => {
  await serving(async ({ roots }) => roots)
  await run('rotate', 'agreement')
  const [newest = '', old = ''] = await kids('agreement')
  await expect(run('revoke', 'agreement', newest, '--now')).rejects.toThrow(/it is the only/)
  expect(await kids('agreement')).toEqual([newest, old])
})

it.each(['agreement', 'signing', 'token', 'root'])(
  'a %s key is revoked at once after its rotation, and the next one is used',
  async (kind) => {
    const leaked = await serving((service) => logIn(service))
    const [old = ''] = await kids(kind)
    await expect(run('revoke', kind, old, '--now')).rejects.toThrow(/it is the only/)
    await expect(run('revoke', kind, old)).rejects.toThrow(/--now is required/)
    await run('rotate', kind)
    const output = await run('revoke', kind, old, '--now')
    const [next] = await kids(kind)
    expect(output.out).toBe(`revoked ${kind} key ${old}; ${next} is active\n`)
    expect(await kids(kind)).not.toContain(old)
    await expect(run('revoke', kind, old, '--now')).rejects.toThrow(/there is no/)
    await serving(async (service) => {
      await expect(logIn(service)).resolves.toBeDefined()
      const now = new RawSession({ ...leaked, service }).send()
      if (kind === 'token') expect((await now).json.code).toBe('token_invalid')
      // A client that knows the next key only by a new configuration does not take its signature.
      else if (kind === 'signing') await expect(now).rejects.toMatchObject({ code: 'key_unknown' })
      else expect((await now).status).toBe(200)
      if (kind !== 'agreement') return
      const stale = logIn(service, { configuration: leaked.configuration })
      await expect(stale).rejects.toThrow(/unknown_agreement_key/)
    })
  },
)

it('a lookup key is neither rotated nor revoked', async () => {
  await serving(async ({ roots }) => roots)
  const [kid = ''] = await kids('lookup')
  await expect(run('revoke', 'lookup', kid, '--now')).rejects.toThrow(/must be one of/)
  await expect(run('rotate', 'lookup')).rejects.toThrow(/must be one of/)
})

it('a key id that begins with a hyphen is not parsed as an option', async () => {
  const kid = `-${'a'.repeat(42)}`
  await expect(run('revoke', 'agreement', kid, '--now')).rejects.toThrow(/there is no/)
  await expect(run('activate', 'root', `--${'b'.repeat(41)}`)).rejects.toThrow(/there is no/)
})

it('signing and token keys are rotated when they are 90 days old, once each', async () => {
  const now = 1_764_000_000
  const wrapper = createSecretWrapper([new Uint8Array(32).fill(1)])
  const store = await openStore({ kind: 'sqlite', path: ':memory:' })
  const keyring = await openKeyring(store, wrapper, now)
  const count = async (kind: string): Promise<number> =>
    (await store.listServiceKeys()).filter((key) => key.kind === kind).length
  const due = now + 90 * 86_400
  await rotateWhenDue(store, wrapper, keyring, due - 1)
  expect([await count('signing'), await count('token')]).toEqual([1, 1])
  for (const at of [due, due + 15, due + 86_399]) await rotateWhenDue(store, wrapper, keyring, at)
  expect([await count('signing'), await count('token')]).toEqual([2, 2])
  // The signing key is published for a day before it is used, the token key is used at once.
  const [first, second] = (await store.listServiceKeys()).filter(({ kind }) => kind === 'signing')
  expect(keyring.current('signing', due + 86_399).kid).toBe(first?.kid)
  expect(keyring.current('signing', due + 86_400).kid).toBe(second?.kid)
  expect(keyring.current('token', due).createdAt).toBe(due)
  await store.close()
})
