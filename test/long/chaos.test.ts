/** Clients send every transfer five times concurrently and retry without end, while the process is killed repeatedly. */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { logIn, type RawSession, type ReceivedReply } from '../support/raw-client.ts'
import { type ServiceProcess, startServiceProcess } from '../support/service-process.ts'

const transfers = Number(process.env.TEST_CHAOS_TRANSFERS ?? 1_000)
const copies = 5
const people = 4
/** Concurrent transfers. */
const atOnce = 10
/** The most responses between two kills, so that a slow machine makes progress too. */
const answersPerLife = 80

let killed: ServiceProcess
let sessions: RawSession[]
const seen = { requests: 0, lost: 0, inProgress: 0, kills: 0, open: 0, answered: 0 }

beforeAll(async () => {
  killed = await startServiceProcess()
  sessions = await Promise.all(Array.from({ length: people }, () => logIn(killed.service)))
})

afterAll(() => killed.close())

/** One attempt with a new frame, nonce and signature; `undefined` without a response. */
async function attempt(session: RawSession, name: string): Promise<ReceivedReply | undefined> {
  seen.requests += 1
  try {
    return await session.send({
      method: 'POST',
      path: '/wallet/transfers',
      key: name,
      body: { payee: 'bob', amount: 1, currency: 'CNY', note: name },
    })
  } catch (error) {
    // The error of `fetch` for a broken connection; an invalid response throws another one.
    if (!(error instanceof TypeError)) throw error
    seen.lost += 1
    return undefined
  }
}

/** Repeats a transfer until it has the response. @returns the transfer's id */
async function persist(session: RawSession, name: string): Promise<string> {
  for (let tries = 0; tries < 200; tries++) {
    const reply = await attempt(session, name)
    if (reply?.status === 201) {
      seen.answered += 1
      return reply.json.id
    }
    if (reply?.json.code === 'idempotency_in_progress') seen.inProgress += 1
    else if (reply?.json.code === 'token_expired') await renew(session)
    else if (reply !== undefined) throw new Error(`refused: ${JSON.stringify(reply.json)}`)
    await sleep(Math.min(20 * 2 ** tries, 500) * (0.5 + Math.random()))
  }
  throw new Error(`${name} was never answered`)
}

async function renew(session: RawSession): Promise<void> {
  const reply = await session.send({ method: 'POST', path: '/sessions/current/token' }).catch(() => undefined)
  if (reply?.status === 201) session.token = reply.json.access_token
}

interface Row {
  readonly key: string
  readonly id: string
}

function ledger(): readonly Row[] {
  const database = new Database(join(killed.folder, 'demo-wallet.db'), { readonly: true })
  const rows = database.prepare<[], Row>('select key, id from transfers').all()
  database.close()
  return rows
}

/** Open idempotency claims of the killed process, which are executed again. */
function countOpen(): void {
  const database = new Database(join(killed.folder, 'miniseal.db'))
  const count = database.prepare<[], { open: number }>(
    'select count(*) as open from idempotency_keys where completed_at is null',
  )
  seen.open += count.get()?.open ?? 0
  database.close()
}

it(`${transfers} transfers have ${transfers} effects, each sent ${copies} times at once, through kills`, {
  timeout: 120_000 + transfers * 1_500,
}, async () => {
  const answers = new Map<string, readonly string[]>()
  const names = Array.from({ length: transfers }, (_, index) => `transfer-${index}`)
  let isDone = false
  const worker = async (): Promise<void> => {
    for (let name = names.pop(); name !== undefined; name = names.pop()) {
      const sent = name
      const session = sessions[answers.size % people] ?? sessions[0]
      if (session === undefined) throw new Error('no session')
      answers.set(sent, await Promise.all(Array.from({ length: copies }, () => persist(session, sent))))
    }
  }
  const killer = async (): Promise<void> => {
    while (!isDone) {
      const next = seen.answered + Math.random() * answersPerLife
      while (seen.answered < next && !isDone) await sleep(10 * Math.random())
      if (isDone) return
      await killed.restart(countOpen)
      seen.kills += 1
    }
  }
  const work = Promise.all(Array.from({ length: atOnce }, worker)).finally(() => {
    isDone = true
  })
  await Promise.all([work, killer()])
  console.log(
    `${transfers} transfers, each ${copies} times; ${seen.requests} requests, ${seen.kills} kills: ` +
      `${seen.lost} without a response, ${seen.inProgress} in progress, ${seen.open} claims left open`,
  )
  const rows = ledger()
  expect(rows).toHaveLength(transfers)
  expect(answers.size).toBe(transfers)
  // The wallet stores the field unchanged: a structured-field string, in quotes.
  for (const { key, id } of rows) expect(new Set(answers.get(JSON.parse(key)))).toEqual(new Set([id]))
  expect(seen.kills).toBeGreaterThan(0)
  expect(seen.lost).toBeGreaterThan(0)
})
