/** The demo backend: a wallet and a chat on one SQLite file. Play money, no secrets. Development only. */
import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import Database from 'better-sqlite3'
import { Hono } from 'hono'
import type { Outbox } from '../events/outbox.ts'
import type { InnerApp, InnerVariables } from '../gateway/backend.ts'
import { createChat } from './chat.ts'
import { openConversations, openPeople } from './conversations.ts'
import { openLedger } from './ledger.ts'
import { createWallet } from './wallet.ts'

export interface Demo {
  readonly app: InnerApp
  close(): void
}

/**
 * @param path a file, or `:memory:`
 * @param now UNIX seconds
 */
export function openDemo(path: string, push: Outbox['push'], now: () => number): Demo {
  if (path !== ':memory:') mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const database = new Database(path)
  database.pragma('journal_mode = WAL')
  database.pragma('synchronous = FULL')
  database.pragma('busy_timeout = 5000')
  const people = openPeople(database)
  const app = new Hono<{ Variables: InnerVariables }>()
  app.route('/', createWallet({ ledger: openLedger(database), people, push, now }))
  app.route('/', createChat({ people, conversations: openConversations(database), push, now }))
  return { app, close: () => database.close() }
}
