/**
 * Two processes of one service on PostgreSQL. The database server is stopped and crashes, and one of the processes is
 * killed repeatedly, while clients retry without end.
 */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'better-sqlite3'
import pg from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { findField } from '../../crypto/frames/binary-http.ts'
import { openStore } from '../../service/store/open-store.ts'
import { openCheckpointPin } from '../../service/tlog/checkpoint-pin.ts'
import { sandboxApp } from '../../service/wechat/apps.ts'
import { createSandbox } from '../../service/wechat/sandbox/sandbox.ts'
import { expectWholeLog } from '../support/log-writers.ts'
import { type PrivatePostgres, startPrivatePostgres } from '../support/private-postgres.ts'
import { logIn, type RawSession, type ReceivedReply } from '../support/raw-client.ts'
import { openSocket } from '../support/raw-socket.ts'
import type { TestService } from '../support/service.ts'
import { freePort, type RunningCommand, runMiniseal, serviceOutside } from '../support/service-process.ts'
import { until } from '../support/until.ts'

const transfers = Number(process.env.TEST_CHAOS_TRANSFERS ?? 600)
const copies = 3
const people = 4
const atOnce = 10
/** Responses between two faults. */
const answersPerPeace = 25

/** A process of the service, which is killed and started again. */
interface Member {
  readonly service: TestService
  running: RunningCommand
  start(): Promise<void>
}

const seen = {
  requests: 0,
  lost: 0,
  unavailable: 0,
  inProgress: 0,
  answered: 0,
  stops: 0,
  crashes: 0,
  kills: 0,
}

const sandbox = createSandbox({ apps: [sandboxApp] })
const folder = mkdtempSync(join(tmpdir(), 'miniseal-chaos-'))
let server: PrivatePostgres
let members: readonly Member[]
let sessions: readonly RawSession[]
const receipts = new Set<string>()

beforeAll(async () => {
  server = await startPrivatePostgres()
  const { url: sandboxUrl } = await sandbox.start(0, '127.0.0.1')
  const first = String(await freePort())
  const environment = {
    MINISEAL_ORIGIN: `http://127.0.0.1:${first}`,
    MINISEAL_DATA: folder,
    MINISEAL_DATABASE: server.url,
    MINISEAL_MASTER_KEY: randomBytes(32).toString('base64'),
    MINISEAL_WECHAT_API: sandboxUrl,
    MINISEAL_LOG_LEVEL: 'silent',
  }
  const startMember = async (port: string): Promise<Member> => {
    const run = (): RunningCommand => runMiniseal(['serve'], { ...environment, PORT: port })
    const running = run()
    const greeting = await running.waitFor('Ctrl+C')
    const root = /root key\s+(\S+)/.exec(greeting)?.[1] ?? ''
    const service = serviceOutside({ ...environment, PORT: first }, sandboxUrl, root)
    const member: Member = {
      service: { ...service, url: `http://127.0.0.1:${port}` },
      running,
      async start() {
        member.running = run()
        await member.running.waitFor('Ctrl+C')
      },
    }
    return member
  }
  members = [await startMember(first), await startMember(String(await freePort()))]
  sessions = await Promise.all(Array.from({ length: people }, (_, i) => logIn(memberAt(i).service)))
}, 90_000)

afterAll(async () => {
  for (const { running } of members ?? []) {
    running.child.kill('SIGKILL')
    await running.finished
  }
  await sandbox.close()
  await server?.remove()
  rmSync(folder, { recursive: true, force: true })
})

function memberAt(index: number): Member {
  const member = members[index % members.length]
  if (member === undefined) throw new Error('there is no process')
  return member
}

/** One attempt at either process; `undefined` without a response. */
async function attempt(session: RawSession, name: string): Promise<ReceivedReply | undefined> {
  seen.requests += 1
  try {
    const body = { payee: 'bob', amount: 1, currency: 'CNY', note: name }
    const parts = { method: 'POST', path: '/wallet/transfers', key: name, body }
    return await session.send(parts, memberAt(seen.requests).service)
  } catch (error) {
    // The error of `fetch` for a broken connection; an invalid response throws another one.
    if (!(error instanceof TypeError)) throw error
    seen.lost += 1
    return undefined
  }
}

/** Whether a refusal allows another attempt. @throws Error for any other refusal */
function count({ status, json, kind }: ReceivedReply): void {
  if (json.code === 'idempotency_in_progress') seen.inProgress += 1
  // Not encrypted if the session could not be read from the database.
  else if (
    status === 503 &&
    (json.code === 'unavailable' || (kind === 'clear' && json.code === 'overloaded'))
  ) {
    expect(json.retryable).toBe(true)
    seen.unavailable += 1
  } else throw new Error(`refused: ${JSON.stringify(json)}`)
}

/** Repeats a transfer until it has the response. @returns the transfer's id */
async function persist(session: RawSession, name: string): Promise<string> {
  for (let tries = 0; tries < 500; tries++) {
    const reply = await attempt(session, name)
    if (reply?.status === 201) {
      seen.answered += 1
      const receipt = findField(reply.fields, 'miniseal-receipt') ?? ''
      receipts.add(Buffer.from(receipt.slice(1, -1), 'base64').toString('hex'))
      return reply.json.id
    }
    if (reply !== undefined) count(reply)
    await sleep(Math.min(20 * 2 ** tries, 400) * (0.5 + Math.random()))
  }
  throw new Error(`${name} was never answered`)
}

/** Advances past the takeover minute, for requests without a process. */
async function ageLostClaims(): Promise<void> {
  const client = new pg.Client({ connectionString: server.url })
  client.on('error', () => undefined)
  try {
    await client.connect()
    const now = Math.floor(Date.now() / 1000)
    await client.query(
      `update idempotency_keys set started_at = started_at - 61 where completed_at is null and started_at < ${now - 12}`,
    )
  } catch {
    // The server is down.
  } finally {
    await client.end().catch(() => undefined)
  }
}

const troubles: readonly (() => Promise<void>)[] = [
  async () => {
    await server.stop('fast')
    await sleep(500)
    await server.start()
    seen.stops += 1
  },
  async () => {
    await server.stop('immediate')
    await server.start()
    seen.crashes += 1
  },
  async () => {
    const member = memberAt(seen.kills)
    member.running.child.kill('SIGKILL')
    await member.running.finished
    await member.start()
    seen.kills += 1
  },
]

it(`each of ${transfers} transfers has one effect and one response, and the log is complete`, {
  timeout: 120_000 + transfers * 1_500,
}, async () => {
  const answers = new Map<string, readonly string[]>()
  const names = Array.from({ length: transfers }, (_, index) => `transfer-${index}`)
  let isDone = false
  const worker = async (index: number): Promise<void> => {
    for (let name = names.pop(); name !== undefined; name = names.pop()) {
      const sent = name
      const session = sessions[index % people]
      if (session === undefined) throw new Error('no session')
      answers.set(sent, await Promise.all(Array.from({ length: copies }, () => persist(session, sent))))
    }
  }
  const trouble = async (): Promise<void> => {
    for (let n = 0; !isDone; n++) {
      const next = seen.answered + answersPerPeace
      while (seen.answered < next && !isDone) await sleep(10)
      if (!isDone) await troubles[n % troubles.length]?.()
    }
  }
  const clock = async (): Promise<void> => {
    while (!isDone) {
      await ageLostClaims()
      await sleep(1_000)
    }
  }
  const work = Promise.all(Array.from({ length: atOnce }, (_, index) => worker(index))).finally(() => {
    isDone = true
  })
  await Promise.all([work, trouble(), clock()])
  console.log(JSON.stringify(seen))
  expectLedger(answers)
  expect(seen.stops + seen.crashes).toBeGreaterThan(1)
  expect(seen.kills).toBeGreaterThan(0)
  expect(seen.lost + seen.unavailable).toBeGreaterThan(0)
})

function expectLedger(answers: ReadonlyMap<string, readonly string[]>): void {
  const database = new Database(join(folder, 'demo-wallet.db'), { readonly: true })
  const rows = database.prepare<[], { key: string; id: string }>('select key, id from transfers').all()
  const sum = database
    .prepare<[], { total: number; accounts: number }>(
      'select sum(balance) as total, count(*) as accounts from accounts',
    )
    .get()
  database.close()
  expect(rows).toHaveLength(transfers)
  expect(answers.size).toBe(transfers)
  // The wallet stores the field unchanged: a structured-field string, in quotes.
  for (const { key, id } of rows) expect(new Set(answers.get(JSON.parse(key)))).toEqual(new Set([id]))
  // All accounts started with 10,000.00, and money is conserved.
  expect(sum?.total).toBe(1_000_000 * (sum?.accounts ?? 0))
}

it('the processes deliver events to each other again after PostgreSQL restarts', {
  timeout: 60_000,
}, async () => {
  const [session] = sessions
  if (session === undefined) throw new Error('no session')
  const [here, there] = [memberAt(0).service, memberAt(1).service]
  const socket = await openSocket(here)
  expect(await socket.subscribe(session, 0)).toMatchObject({ status: 200 })
  await server.stop('fast')
  await server.start()
  await expect.poll(() => listeners(), { timeout: 30_000, interval: 100 }).toBeGreaterThan(0)
  const before = socket.events.length
  // Another user pays over the other process: a transfer to oneself is refused.
  const payer = await logIn(there)
  const body = { payee: session.user, amount: 1, currency: 'CNY' }
  const pay = () => payer.send({ method: 'POST', path: '/wallet/transfers', key: 'an-event', body }, there)
  await expect.poll(async () => (await pay()).status, { timeout: 30_000, interval: 200 }).toBe(201)
  await until(() => socket.events.length > before, 20_000)
  socket.ws.close()
})

/** The number of the service's listening connections. */
async function listeners(): Promise<number> {
  const client = new pg.Client({ connectionString: server.url })
  await client.connect()
  try {
    const { rows } = await client.query<{ n: string }>(
      `select count(*) as n from pg_stat_activity where application_name = 'miniseal events' and query ilike 'listen%'`,
    )
    return Number(rows[0]?.n)
  } finally {
    await client.end()
  }
}

it('the service becomes ready again without help, and every acknowledged leaf is in the one tree once', {
  timeout: 60_000,
}, async () => {
  for (const { service } of members) {
    const ready = async () => (await fetch(`${service.url}/readyz`)).status
    await expect.poll(ready, { timeout: 30_000, interval: 200 }).toBe(200)
  }
  for (const { running } of members) running.child.kill('SIGTERM')
  for (const { running } of members) expect((await running.finished).code).toBe(0)
  const store = await openStore({ kind: 'postgres', url: server.url })
  expect(await store.countPending()).toBe(0)
  const size = await expectWholeLog({ store, checkpointPin: openCheckpointPin(folder) }, receipts)
  expect(size).toBeGreaterThanOrEqual(receipts.size)
  await store.close()
})
