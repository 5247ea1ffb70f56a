/** SIGKILL at random points and restart: no acknowledged transfer is lost, none is executed twice. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { readConfig } from '../../service/config/config.ts'
import { sandboxApp } from '../../service/wechat/apps.ts'
import { createSandbox } from '../../service/wechat/sandbox/sandbox.ts'
import type { Prepared, RawSession, ReceivedReply } from '../support/raw-client.ts'
import { logIn, send } from '../support/raw-client.ts'
import type { TestService } from '../support/service.ts'
import type { RunningCommand } from '../support/service-process.ts'
import { freePort, runMiniseal, serviceOutside } from '../support/service-process.ts'

const rounds = Number(process.env.TEST_CRASH_ROUNDS ?? 40)
const folder = mkdtempSync(join(tmpdir(), 'miniseal-crash-'))
const sandbox = createSandbox({ apps: [sandboxApp] })
let environment: Record<string, string>
let running: RunningCommand
let service: TestService
let session: RawSession

beforeAll(async () => {
  const { url } = await sandbox.start(0, '127.0.0.1')
  environment = {
    PORT: String(await freePort()),
    MINISEAL_DATA: folder,
    MINISEAL_DATABASE: `sqlite:${join(folder, 'miniseal.db')}`,
    MINISEAL_WECHAT_API: url,
    MINISEAL_LOG_LEVEL: 'error',
  }
  expect(readConfig(environment).port).toBeGreaterThan(0)
  const greeting = await start()
  const root = /root key\s+(\S+)/.exec(greeting)?.[1] ?? ''
  service = serviceOutside(environment, url, root)
  session = await logIn(service)
})

afterAll(async () => {
  running.child.kill('SIGKILL')
  await sandbox.close()
  rmSync(folder, { recursive: true, force: true })
})

async function start(): Promise<string> {
  running = runMiniseal(['serve'], environment)
  return await running.waitFor('Ctrl+C')
}

const posting = (note: string) => ({
  method: 'POST',
  path: '/wallet/transfers',
  body: { payee: 'bob', amount: 1, currency: 'CNY', note },
})

/** Sends transfers in sequence until the service dies. @returns those acknowledged */
async function work(name: string, sent: Map<string, Prepared>, done: Map<string, string>): Promise<void> {
  for (let i = 0; i < 10_000; i++) {
    const note = `${name}-${i}`
    const prepared = session.prepare(posting(note))
    sent.set(note, prepared)
    let reply: ReceivedReply
    try {
      reply = await send(service, prepared)
    } catch {
      return
    }
    if (reply.status !== 201) throw new Error(`not done: ${JSON.stringify(reply.json)}`)
    done.set(note, reply.json.id)
  }
}

it(`the service survives ${rounds} kills in the middle of transfers`, {
  timeout: 30_000 + rounds * 10_000,
}, async () => {
  let total = 0
  for (let round = 0; round < rounds; round++) {
    const sent = new Map<string, Prepared>()
    const done = new Map<string, string>()
    const workers = Array.from({ length: 8 }, (_, index) => work(`${round}-${index}`, sent, done))
    while (done.size === 0) await new Promise((resolve) => setTimeout(resolve, 20))
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 350))
    running.child.kill('SIGKILL')
    await Promise.all([...workers, running.finished])
    expect(done.size).toBeGreaterThan(0)
    await start()
    // Acknowledged transfers are refused as replays; those in flight were executed, or are executed once now.
    let late = 0
    for (const [note, prepared] of sent) {
      const reply = await send(service, prepared)
      expect(reply.kind).toBe('sealed')
      if (done.has(note)) expect(reply.json.code).toBe('replayed')
      if (reply.status === 201) late += 1
    }
    expect(late).toBeLessThanOrEqual(8)
    const notes = await ledgerNotes()
    const mine = notes.filter((note) => note.startsWith(`${round}-`))
    expect(new Set(mine).size).toBe(mine.length)
    for (const note of done.keys()) expect(mine).toContain(note)
    total += mine.length
    expect((await session.send()).json.balance).toBe(1_000_000 - total)
  }
})

/** All transfers of the ledger's file; the route lists only the last ones. */
async function ledgerNotes(): Promise<string[]> {
  const { default: Database } = await import('better-sqlite3')
  const ledger = new Database(join(folder, 'demo-wallet.db'), { readonly: true })
  const rows = ledger.prepare<[], { note: string }>('select note from transfers').all()
  ledger.close()
  return rows.map(({ note }) => note)
}
