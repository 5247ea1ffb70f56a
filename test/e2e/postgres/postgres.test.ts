/** Failures of a server: hangs, crashes, deadlocks. */
import { createServer, type Server, type Socket } from 'node:net'
import { Client } from 'pg'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openPostgresStore } from '../../../service/store/postgres/store.ts'
import { type Store, StoreUnavailable } from '../../../service/store/store.ts'
import { createPostgres } from '../../integration/store/engines.ts'
import {
  bytes,
  claimNonce,
  insertSession,
  login,
  NOW,
  touchSession,
} from '../../integration/store/records.ts'
import { startTcpProxy } from '../../support/tcp-proxy.ts'

describe('store on PostgreSQL', () => {
  let database: Awaited<ReturnType<typeof createPostgres>>
  let store: Store
  let other: Client

  beforeEach(async () => {
    database = await createPostgres()
    store = await openPostgresStore(database.url, { statementTimeout: 3_000 })
    other = new Client({ connectionString: database.url })
    await other.connect()
  })

  afterEach(async () => {
    await store.close()
    await other.end()
    await database.remove()
  })

  test('a statement that times out makes its commit unavailable, and the store stays usable', async () => {
    const hasty = await openPostgresStore(database.url, { statementTimeout: 200 })
    await other.query('begin; lock table nonces')
    await expect(hasty.commit([claimNonce(1)])).rejects.toThrow(/unavailable \(57014\)/)
    await expect(hasty.assertWritable()).rejects.toThrow(StoreUnavailable)
    await other.query('rollback')
    expect(await hasty.commit([claimNonce(1)])).toEqual({ kind: 'committed' })
    await hasty.close()
  })

  test('the victim of a deadlock is retried', async () => {
    await login(store)
    await store.commit([insertSession(2)])
    await other.query('begin')
    await other.query('update sessions set last_seen_at = 1 where id = $1', [bytes(16, 2)])
    const commit = store.commit([touchSession(1, NOW + 9), touchSession(2, NOW + 9)])
    await new Promise((resolve) => setTimeout(resolve, 300))
    await other.query('update sessions set last_seen_at = 1 where id = $1', [bytes(16, 1)])
    await other.query('commit')
    expect(await commit).toEqual({ kind: 'committed' })
  })

  test('commits on connections that the server terminates are unavailable, and the connections are replaced', async () => {
    await store.commit([claimNonce(1)])
    await other.query('begin; lock table nonces')
    const commits = Promise.allSettled([2, 3].map((seed) => store.commit([claimNonce(seed)])))
    await new Promise((resolve) => setTimeout(resolve, 200))
    await other.query(
      `select pg_terminate_backend(pid) from pg_locks where relation = 'nonces'::regclass and not granted`,
    )
    const results = await commits
    for (const result of results) {
      expect(result.status === 'rejected' && result.reason).toBeInstanceOf(StoreUnavailable)
    }
    await other.query('rollback')
    expect(await store.commit([claimNonce(2), claimNonce(3)])).toEqual({ kind: 'committed' })
  })

  test('a commit whose connection is lost during COMMIT is unavailable and is not retried', async () => {
    const proxy = await startProxy(database.url, 'COMMIT')
    const behind = await openPostgresStore(proxy.url)
    proxy.arm('cut')
    await expect(behind.commit([claimNonce(1)])).rejects.toThrow(StoreUnavailable)
    expect(proxy.losses()).toBe(1)
    await behind.close()
    await proxy.close()
  })

  test('a commit that the server answers with a shutdown error has an unknown outcome and is not retried', async () => {
    const proxy = await startProxy(database.url, 'COMMIT')
    const behind = await openPostgresStore(proxy.url)
    await behind.commit([claimNonce(9)])
    proxy.arm('stop')
    const commits = await Promise.allSettled([1, 2, 3].map((seed) => behind.commit([claimNonce(seed)])))
    for (const commit of commits) {
      expect(commit.status === 'rejected' && commit.reason).toBeInstanceOf(StoreUnavailable)
    }
    expect(proxy.losses()).toBe(1)
    proxy.disarm()
    expect(await behind.commit([claimNonce(4)])).toEqual({ kind: 'committed' })
    await behind.close()
    await proxy.close()
  })

  test('a connection that hangs during COMMIT is closed and never reused', async () => {
    const proxy = await startProxy(database.url, 'COMMIT')
    const narrow = await openPostgresStore(proxy.url, { poolSize: 1, statementTimeout: 200 })
    proxy.arm('silence')
    await expect(narrow.commit([claimNonce(1)])).rejects.toThrow(StoreUnavailable)
    proxy.disarm()
    expect(await narrow.commit([claimNonce(2)])).toEqual({ kind: 'committed' })
    await narrow.close()
    await proxy.close()
  })

  test('a server that accepts connections and never answers is unavailable', async () => {
    const sockets = new Set<Socket>()
    const server = createServer((socket) => sockets.add(socket))
    const port = await listen(server)
    const opening = openPostgresStore(`postgres://nobody@127.0.0.1:${port}/none`, { connectionTimeout: 300 })
    await expect(opening).rejects.toThrow(StoreUnavailable)
    for (const socket of sockets) socket.destroy()
    server.close()
  })

  test('a server that refuses connections is unavailable', async () => {
    const server = createServer()
    const port = await listen(server)
    await new Promise((resolve) => server.close(resolve))
    await expect(openPostgresStore(`postgres://nobody@127.0.0.1:${port}/none`)).rejects.toThrow(
      /ECONNREFUSED/,
    )
  })

  test('a database with synchronous_commit = off is refused', async () => {
    const url = new URL(database.url)
    url.searchParams.set('options', `${url.searchParams.get('options')} -c synchronous_commit=off`)
    await expect(openPostgresStore(url.href)).rejects.toThrow(StoreUnavailable)
  })

  test('a commit is unavailable when every connection stays in use', async () => {
    const narrow = await openPostgresStore(database.url, { poolSize: 1, connectionTimeout: 200 })
    await other.query('begin; lock table nonces')
    const first = narrow.commit([claimNonce(1)])
    await expect(narrow.commit([claimNonce(2)])).rejects.toThrow(StoreUnavailable)
    await other.query('rollback')
    expect(await first).toEqual({ kind: 'committed' })
    await narrow.close()
  })

  test('an error does not quote the values of the query', async () => {
    await other.query('alter table users rename to elsewhere')
    const error = await store.findUser('a-secret-subject').catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(StoreUnavailable)
    const { message, cause } = error as StoreUnavailable
    expect(`${message} ${cause}`).not.toContain('a-secret-subject')
  })
})

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('no port')
  return address.port
}

/** The error message of a server that shuts down. */
const stopped = errorMessage(
  'SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0',
)

function errorMessage(fields: string): Buffer {
  const message = Buffer.from(`E0000${fields}`)
  message.writeInt32BE(message.length - 1, 1)
  return message
}

/**
 * When armed, still passes `word` on to the server but no response back: the client's connection is cut, stays silent, or
 * ends with the error of a shutdown.
 */
async function startProxy(target: string, word: string) {
  let mode: 'pass' | 'cut' | 'silence' | 'stop' = 'pass'
  let losses = 0
  const proxy = await startTcpProxy(target, (client, upstream) => {
    upstream.on('data', (data) => client.write(data))
    client.on('data', (data) => {
      if (mode !== 'pass' && data.includes(word)) {
        losses++
        upstream.removeAllListeners('data').resume()
        if (mode === 'cut') client.destroy()
        if (mode === 'stop') client.end(stopped)
      }
      upstream.write(data)
    })
  })
  return {
    ...proxy,
    arm: (how: 'cut' | 'silence' | 'stop') => {
      mode = how
    },
    disarm: () => {
      mode = 'pass'
    },
    losses: () => losses,
  }
}
