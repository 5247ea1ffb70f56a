/** Change notifications by NOTIFY: other schemas, lost connections, and poolers that drop them. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from 'pg'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Change } from '../../../service/store/changes.ts'
import { openPostgresStore } from '../../../service/store/postgres/store.ts'
import type { Store } from '../../../service/store/store.ts'
import { createPostgres } from '../../integration/store/engines.ts'
import { login, pushEvent } from '../../integration/store/records.ts'
import { startTcpProxy } from '../../support/tcp-proxy.ts'

describe('change notifications on PostgreSQL', () => {
  let database: Awaited<ReturnType<typeof createPostgres>>
  let here: Store
  let there: Store
  let notified: { readonly change: Change; readonly at: number }[]

  beforeEach(async () => {
    notified = []
    database = await createPostgres()
    here = await openPostgresStore(database.url)
    there = await openPostgresStore(database.url)
    await login(there)
  })

  afterEach(async () => {
    await Promise.all([here.close(), there.close()])
    await database.remove()
  })

  const watch = (store: Store) => store.watch((change) => notified.push({ change, at: performance.now() }))

  /** Pushes through the other store until the change arrives: at first, the connection may not listen yet. */
  async function pushThere(seed: number, isIt: (change: Change) => boolean): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      const startedAt = performance.now()
      await there.commit([pushEvent(seed * 1_000 + attempt)])
      while (performance.now() - startedAt < 2_000) {
        if (notified.some(({ change, at }) => at >= startedAt && isIt(change))) return
        await sleep(5)
      }
    }
  }

  const isOurs = ({ kind, user }: Change) => kind === 'events' && user === 'user-1'

  test('a notification names the user shortly after the commit', async () => {
    watch(here)
    await pushThere(1, isOurs)
  })

  test('a notification does not reach another schema of the same database', async () => {
    const elsewhere = await createPostgres()
    const foreign = await openPostgresStore(elsewhere.url)
    try {
      watch(here)
      await login(foreign)
      await sleep(1_000)
      await foreign.commit([pushEvent(1)])
      await sleep(500)
      expect(notified.filter(({ change }) => isOurs(change))).toEqual([])
    } finally {
      await foreign.close()
      await elsewhere.remove()
    }
  })

  test('a lost listening connection is replaced, and listeners are notified that anything may have changed', async () => {
    watch(here)
    await pushThere(9, isOurs)
    const admin = new Client({ connectionString: database.url })
    await admin.connect()
    const { rowCount } = await admin.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where application_name = 'miniseal events' and query like 'listen%' and datname = current_database()`,
    )
    await admin.end()
    expect(rowCount).toBeGreaterThan(0)
    await pushThere(1, ({ kind, user }) => kind === 'any' || user === 'user-1')
    await pushThere(2, isOurs)
  })

  test('without notifications, as through a pooler, listeners are notified every second', async () => {
    const proxy = await startDeafProxy(database.url)
    const deaf = await openPostgresStore(proxy.url)
    try {
      watch(deaf)
      await sleep(2_500)
      for (const seed of [1, 2, 3]) {
        await pushThere(seed, ({ kind }) => kind === 'any')
      }
      expect(notified.filter(({ change }) => isOurs(change))).toEqual([])
    } finally {
      await deaf.close()
      await proxy.close()
    }
  })

  test('changes of too many users for one notification are sent as a change of any user', async () => {
    const users = Array.from({ length: 300 }, (_, i) => `user-with-a-rather-long-name-${i}`)
    await there.commit(
      users.map((id) => ({
        kind: 'upsert-user',
        id,
        app: 'wxapp',
        openidWrapped: new Uint8Array(40),
        sessionKeyWrapped: new Uint8Array(40),
        now: 1,
      })),
    )
    watch(here)
    await sleep(1_000)
    notified = []
    await there.commit(users.map((user, i) => pushEvent(i, { user })))
    await sleep(500)
    expect(notified.length).toBeGreaterThan(0)
    expect(notified.every(({ change }) => change.kind === 'any')).toBe(true)
  })
})

/** Drops notifications of the server. */
const startDeafProxy = (target: string) =>
  startTcpProxy(target, (client, upstream) => {
    client.pipe(upstream)
    let rest = Buffer.alloc(0)
    upstream.on('data', (chunk) => {
      rest = Buffer.concat([rest, chunk])
      // A message is a letter, a length that includes itself, and content. `A` is a notification.
      while (rest.length >= 5 && rest.length >= 1 + rest.readUInt32BE(1)) {
        const end = 1 + rest.readUInt32BE(1)
        if (rest[0] !== 0x41) client.write(rest.subarray(0, end))
        rest = rest.subarray(end)
      }
    })
  })
