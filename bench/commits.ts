/**
 * Commits per second on PostgreSQL, of the writes of an encrypted POST: `npm run bench -- commits [--processes N]
 * [--committers N] [--seconds N] [--pool N]`. TEST_POSTGRES_URL names the server.
 *
 * Each committer claims (nonce, session, Idempotency-Key, the person's key, intent), then settles (answer, key, intent,
 * leaf), and again. While they do, it looks at what the server's processes wait for.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { loadavg } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Client } from 'pg'
import { openPostgresStore } from '../service/store/postgres/store.ts'
import type { Store, Write } from '../service/store/store.ts'
import { createPostgres } from '../test/integration/store/engines.ts'
import {
  bytes,
  holdSubjectKey,
  insertSession,
  insertSubjectKey,
  login,
  NOW,
} from '../test/integration/store/records.ts'
import { pendingEntry } from '../test/support/log-records.ts'

/** The task of one process. */
interface Task {
  readonly url: string
  readonly process: number
  readonly committers: number
  readonly seconds: number
  readonly pool: number
}

interface Done {
  readonly commits: number
  readonly transactions: number
  /** Milliseconds, sorted. */
  readonly times: readonly number[]
  /** CPU milliseconds per commit. */
  readonly cpu: number
}

function claim(seed: number, key: string, id: Uint8Array): readonly Write[] {
  const draft = new Uint8Array(randomBytes(900))
  return [
    { kind: 'claim-nonce', scope: 'device', nonce: new Uint8Array(randomBytes(16)), expiresAt: NOW + 240 },
    { kind: 'touch-session', id: bytes(16, seed), now: NOW },
    {
      kind: 'claim-idempotency',
      user: 'user-1',
      key,
      fingerprint: bytes(32, 3),
      now: NOW,
      expiresAt: NOW + 90_000,
    },
    holdSubjectKey(seed),
    { kind: 'insert-intent', intent: { id, userBlindIndex: bytes(8, seed), draft, startedAt: NOW } },
  ]
}

function settle(seed: number, key: string, id: Uint8Array): readonly Write[] {
  const [hash, detail] = [new Uint8Array(randomBytes(32)), new Uint8Array(randomBytes(900))]
  return [
    {
      kind: 'complete-idempotency',
      user: 'user-1',
      key,
      startedAt: NOW,
      responseWrapped: new Uint8Array(randomBytes(400)),
      now: NOW,
    },
    holdSubjectKey(seed),
    { kind: 'delete-intent', id },
    { kind: 'insert-pending-entry', entry: { ...pendingEntry(1), id, hash, detail, mac: hash } },
  ]
}

async function committed(store: Store, writes: readonly Write[]): Promise<number> {
  const startedAt = performance.now()
  const result = await store.commit(writes)
  if (result.kind !== 'committed') throw new Error(`refused: ${result.write.kind}`)
  return performance.now() - startedAt
}

async function work(task: Task): Promise<Done> {
  let transactions = 0
  const onCommit = (): void => {
    transactions += 1
  }
  const store = await openPostgresStore(task.url, { poolSize: task.pool, onCommit })
  const times: number[] = []
  const until = performance.now() + task.seconds * 1_000
  const before = process.cpuUsage()
  const one = async (index: number): Promise<void> => {
    const seed = task.process * task.committers + index
    for (let round = 0; performance.now() < until; round++) {
      const [key, id] = [`${seed}-${round}`, new Uint8Array(randomBytes(16))]
      times.push(await committed(store, claim(seed, key, id)))
      times.push(await committed(store, settle(seed, key, id)))
    }
  }
  await Promise.all(Array.from({ length: task.committers }, (_, index) => one(index)))
  const { user, system } = process.cpuUsage(before)
  await store.close()
  const commits = times.length
  times.sort((a, b) => a - b)
  return { commits, transactions, times, cpu: (user + system) / 1_000 / commits }
}

async function prepare(url: string, seeds: number): Promise<void> {
  const store = await openPostgresStore(url)
  await login(store)
  for (let seed = 0; seed < seeds; seed++) {
    // Session 1 exists.
    if (seed !== 1) await store.commit([insertSession(seed)])
    await store.commit([insertSubjectKey(seed)])
  }
  await store.close()
}

/** The wait events of the server's processes, with their counts. */
async function watchWaits(url: string, seconds: number): Promise<ReadonlyMap<string, number>> {
  const client = new Client({ connectionString: url })
  await client.connect()
  const waits = new Map<string, number>()
  const until = performance.now() + (seconds - 1) * 1_000
  while (performance.now() < until) {
    const { rows } = await client.query<{ wait: string }>(
      `select coalesce(wait_event_type || ':' || wait_event, 'running') as wait from pg_stat_activity
       where state = 'active' and application_name = 'miniseal'`,
    )
    for (const { wait } of rows) waits.set(wait, (waits.get(wait) ?? 0) + 1)
    await sleep(50)
  }
  await client.end()
  return waits
}

async function lead(): Promise<void> {
  const { values } = parseArgs({
    options: {
      processes: { type: 'string', default: '1' },
      committers: { type: 'string', default: '64' },
      seconds: { type: 'string', default: '8' },
      pool: { type: 'string', default: '20' },
    },
  })
  const [processes, committers] = [Number(values.processes), Number(values.committers)]
  const [seconds, pool] = [Number(values.seconds), Number(values.pool)]
  const database = await createPostgres()
  await prepare(database.url, processes * committers)
  const children = Array.from({ length: processes }, (_, index): ChildProcess => {
    const task: Task = { url: database.url, process: index, committers, seconds, pool }
    return fork(fileURLToPath(import.meta.url), [], {
      execArgv: ['--conditions=source', '--import', 'tsx'],
      env: { ...process.env, BENCH_TASK: JSON.stringify(task) },
    })
  })
  const finished = Promise.all(children.map(async (child) => ((await once(child, 'message')) as [Done])[0]))
  const waits = await watchWaits(database.url, seconds)
  const done = await finished
  const sum = (of: (one: Done) => number): number => done.reduce((total, one) => total + of(one), 0)
  const times = done.flatMap((one) => one.times).sort((a, b) => a - b)
  const at = (share: number): string => (times[Math.floor(times.length * share)] ?? 0).toFixed(1)
  console.log(
    `${processes} processes, ${committers} committers and ${pool} connections each, load ${loadavg()[0]?.toFixed(1)}: ` +
      `${Math.round(sum((one) => one.commits) / seconds)} commits/s, ` +
      `${(sum((one) => one.commits) / sum((one) => one.transactions)).toFixed(1)} per transaction, ` +
      `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, ${(sum((one) => one.cpu) / processes).toFixed(3)} CPU ms per commit`,
  )
  console.log(
    [...waits]
      .sort((a, b) => b[1] - a[1])
      .slice(0, 6)
      .map(([wait, n]) => `${wait} ${n}`)
      .join(', '),
  )
  await database.remove()
}

const { BENCH_TASK: task } = process.env
if (task === undefined) await lead()
else process.send?.(await work(JSON.parse(task) as Task), () => process.exit(0))
