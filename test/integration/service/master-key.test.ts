/** Replacement of the master key: all values are rewrapped while services run, and the old key becomes useless. */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { countOld, rewrapAll } from '../../../service/keys/rewrapping.ts'
import { createSecretWrapper } from '../../../service/keys/wrapping.ts'
import type { Store } from '../../../service/store/store.ts'
import { runKeys } from '../../support/command.ts'
import { logIn, RawSession } from '../../support/raw-client.ts'
import { withStore as withStoreOf } from '../../support/read-log.ts'
import { startTestService, type TestService } from '../../support/service.ts'

const [older, newer] = [randomBytes(32), randomBytes(32)]
const [olderText, newerText] = [older.toString('base64'), newer.toString('base64')]
const both = createSecretWrapper([new Uint8Array(newer), new Uint8Array(older)])
let folder: string
let path: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'miniseal-master-'))
  path = join(folder, 'miniseal.db')
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

const environment = (masterKey: string): Record<string, string> => ({
  PORT: '0',
  MINISEAL_ORIGIN: 'http://127.0.0.1:1',
  MINISEAL_DATA: folder,
  MINISEAL_DATABASE: `sqlite:${path}`,
  MINISEAL_MASTER_KEY: masterKey,
})

async function serving<T>(masterKey: string, work: (service: TestService) => Promise<T>): Promise<T> {
  const service = await startTestService({ environment: environment(masterKey) })
  try {
    return await work(service)
  } finally {
    await service.close()
  }
}

const order = { payee: 'bob', amount: 1, currency: 'CNY' }
const transfer = { method: 'POST', path: '/wallet/transfers', body: order, key: 'one' }

/** A database with some people in it, wrapped with the older key. */
async function filled(): Promise<Awaited<ReturnType<typeof logIn>>> {
  return await serving(olderText, async (service) => {
    for (let i = 0; i < 5; i++) await logIn(service)
    const session = await logIn(service, { openid: 'me' })
    expect((await session.send(transfer)).status).toBe(201)
    return session
  })
}

const withStore = <T>(work: (store: Store) => Promise<T>): Promise<T> =>
  withStoreOf(environment(olderText), work)

/** 6 service keys; openid, WeChat's session key, two session keys and the key of what is logged for 6 people; one answer. */
const values = 6 + 5 * 6 + 1

it('rewrapping covers every value, so that the service works without the old master key', async () => {
  const session = await filled()
  const list = async (): Promise<string> =>
    (await runKeys(['list'], environment(`${newerText},${olderText}`))).out
  expect(await list()).toMatch(new RegExp(`^master +${values} values under an old key$`, 'm'))
  const output = await runKeys(['rotate', 'master'], environment(`${newerText},${olderText}`))
  expect(output).toMatchObject({ code: 0, err: '' })
  expect(output.out).toContain(`${values} values wrapped`)
  expect(output.out).toContain('can be removed')
  expect(await list()).toMatch(/^master +no values under an old key$/m)
  await serving(newerText, async (service) => {
    const moved = new RawSession({ ...session, service })
    expect((await moved.send(transfer)).fields).toContainEqual(['idempotency-replayed', 'true'])
    const again = await logIn(service, { openid: 'me' })
    expect(again.user).toBe(session.user)
  })
})

it('rewrapping shows a progress bar on a terminal and nothing in a pipe', async () => {
  await filled()
  const output = await runKeys(['rotate', 'master'], environment(`${newerText},${olderText}`), true)
  expect(output.err).toContain(`${values} of ${values}`)
  expect(output.err).toContain('100%')
})

it('an interrupted rewrapping continues where it stopped', async () => {
  await filled()
  await withStore(async (store) => {
    const stopped = new Error('stopped')
    const first = rewrapAll(store, both, () => {
      throw stopped
    })
    await expect(first).rejects.toBe(stopped)
    const left = await countOld(store, both)
    expect(left).toBeGreaterThan(0)
    expect(left).toBeLessThan(values)
    expect(await rewrapAll(store, both)).toEqual({ rewrapped: left, remaining: 0, unreadable: 0 })
  })
})

it('rewrapping keeps values that were replaced meanwhile, and rewraps those next', async () => {
  await filled()
  await withStore(async (store) => {
    const [value] = await store.listWrapped('users.openid_wrapped', both.prefix, undefined, 1)
    const [id] = value?.row ?? []
    if (typeof id !== 'string') throw new Error('no user')
    const place = { column: 'users.openid_wrapped', row: id }
    const written = createSecretWrapper([new Uint8Array(older)]).wrap(Uint8Array.of(1, 2, 3), place)
    const racing: Store = {
      ...store,
      // A login with the old master key comes between our look and our swap, once.
      commit: async (writes) => {
        const [write] = writes
        if (write?.kind === 'replace-wrapped' && write.column === place.column && write.row[0] === id) {
          const other = new Database(path)
          other
            .prepare('update users set openid_wrapped = ? where id = ? and openid_wrapped = ?')
            .run(written, id, value?.wrapped)
          other.close()
        }
        return await store.commit(writes)
      },
    }
    expect(await rewrapAll(racing, both)).toEqual({ rewrapped: values, remaining: 0, unreadable: 0 })
    const user = await store.findUser(id)
    expect(both.unwrap(user?.openidWrapped ?? new Uint8Array(0), place)).toEqual(Uint8Array.of(1, 2, 3))
  })
})

it('rewrapping reports unreadable values, keeps them unchanged, and still requires the old key', async () => {
  await filled()
  const database = new Database(path)
  database.prepare('update users set openid_wrapped = substr(openid_wrapped, 1, 40) where rowid = 1').run()
  database.close()
  const output = await runKeys(['rotate', 'master'], environment(`${newerText},${olderText}`))
  expect(output.code).toBe(1)
  expect(output.out).toContain(`${values - 1} values wrapped`)
  expect(output.out).not.toContain('can be removed')
  expect(output.err).toBe('1 values cannot be unwrapped with the given master keys\n')
})

it('rewrapping reports a service that still writes with the old key', async () => {
  await filled()
  await withStore(async (store) => {
    const old = createSecretWrapper([new Uint8Array(older)])
    let key = 0
    const result = await rewrapAll(
      {
        ...store,
        countWrapped: async (column, mark) => {
          const place = { column: 'idempotency_keys.response_wrapped', row: `u\n${key}` }
          const claim = { user: 'u', key: String(key++) }
          await store.commit([
            {
              kind: 'claim-idempotency',
              ...claim,
              fingerprint: new Uint8Array(32),
              now: 1,
              expiresAt: 9_999_999_999,
            },
            {
              kind: 'complete-idempotency',
              ...claim,
              startedAt: 1,
              responseWrapped: old.wrap(new Uint8Array(3), place),
              now: 2,
            },
          ])
          return await store.countWrapped(column, mark)
        },
      },
      both,
    )
    expect(result.remaining).toBeGreaterThan(0)
    expect(result.unreadable).toBe(0)
  })
})
