/** The store behind PgBouncer in transaction pooling mode. */
import { type ChildProcess, spawn } from 'node:child_process'
import { chownSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Change } from '../../../service/store/changes.ts'
import { openStore } from '../../../service/store/open-store.ts'
import type { Store } from '../../../service/store/store.ts'
import { createPostgres } from '../../integration/store/engines.ts'
import { claimNonce, endSession, login, NOW, touchSession } from '../../integration/store/records.ts'
import { requireTool } from '../../support/required-tool.ts'
import { freePort } from '../../support/service-process.ts'

const program = ['/usr/sbin/pgbouncer', '/usr/bin/pgbouncer', '/opt/homebrew/bin/pgbouncer'].find(existsSync)
requireTool(program !== undefined, 'pgbouncer')

/** It refuses to run as root. */
function unprivileged(): { readonly uid?: number; readonly gid?: number } {
  if (process.getuid?.() !== 0) return {}
  const [, uid = '', gid = ''] =
    /^nobody:[^:]*:([0-9]+):([0-9]+):/m.exec(readFileSync('/etc/passwd', 'utf8')) ?? []
  return { uid: Number(uid), gid: Number(gid) }
}

describe('behind PgBouncer in transaction mode', () => {
  let database: Awaited<ReturnType<typeof createPostgres>>
  let pooler: ChildProcess
  let folder: string
  let url: string
  const stores: Store[] = []

  beforeEach(async () => {
    database = await createPostgres()
    folder = mkdtempSync(join(tmpdir(), 'miniseal-pooler-'))
    const port = await freePort()
    const server = new URL(database.url)
    const schema = server.searchParams.get('options')?.replace('-c search_path=', '') ?? ''
    const [host, name, user] = [server.hostname, server.pathname.slice(1), server.username]
    const password = server.password === '' ? '' : ` password='${server.password}'`
    const target = `host=${host} port=${server.port || 5432} dbname=${name} user=${user}${password}`
    writeFileSync(
      join(folder, 'pgbouncer.ini'),
      `[databases]
service = ${target} connect_query='set search_path to ${schema}'
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 4
`,
    )
    const runAs = unprivileged()
    if (runAs.uid !== undefined && runAs.gid !== undefined) chownSync(folder, runAs.uid, runAs.gid)
    pooler = spawn(program ?? '', ['-q', join(folder, 'pgbouncer.ini')], { ...runAs, stdio: 'ignore' })
    await expect.poll(() => answers(port), { timeout: 60_000, interval: 50 }).toBe(true)
    url = `postgres://anybody@127.0.0.1:${port}/service`
  })

  afterEach(async () => {
    await Promise.all(stores.splice(0).map((store) => store.close()))
    pooler.kill('SIGKILL')
    await database.remove()
    rmSync(folder, { recursive: true, force: true })
  })

  async function open(directUrl?: string): Promise<Store> {
    const store = await openStore({
      kind: 'postgres',
      url,
      ...(directUrl === undefined ? {} : { directUrl }),
    })
    stores.push(store)
    return store
  }

  const many = Array.from({ length: 100 }, (_, i) => i)

  test('migrations, races and pruning work through the pooler', async () => {
    const [here, there] = [await open(), await open()]
    const results = await Promise.all(
      many.map((i) => (i % 2 === 0 ? here : there).commit([claimNonce(7), claimNonce(1_000 + i)])),
    )
    expect(results.filter(({ kind }) => kind === 'committed')).toHaveLength(1)
    // Often enough that statements would be prepared on a connection of one's own.
    for (const i of many) expect(await here.commit([claimNonce(2_000 + i)])).toEqual({ kind: 'committed' })
    for (const _ of many) expect(await there.findUser('nobody')).toBeUndefined()
    expect(await here.prune(NOW + 1_000, 500)).toBe(102)
    await there.assertWritable()
  })

  test('changes of other processes arrive at once over a direct connection, and by polling without one', async () => {
    const [direct, behind] = [await open(database.url), await open()]
    await login(direct)
    const changes: Change[] = []
    direct.watch((change) => changes.push(change))
    let looks = 0
    behind.watch(() => {
      looks += 1
    })
    await expect.poll(() => looks, { timeout: 60_000 }).toBeGreaterThan(1)
    await behind.commit([touchSession(), endSession()])
    await expect.poll(() => changes, { timeout: 60_000 }).toContainEqual({ kind: 'sessions', user: 'user-1' })
  })

  async function answers(port: number): Promise<boolean> {
    return await new Promise((resolve) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.destroy()
        resolve(true)
      })
      socket.on('error', () => resolve(false))
    })
  }
})
