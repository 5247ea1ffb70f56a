/** The demo's own SQLite file: ledger, names and messages. Play money, no secrets. */
import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import Database from 'better-sqlite3'
import type { Conversations } from './conversations.ts'
import { openConversations } from './conversations.ts'
import type { Ledger } from './ledger.ts'
import { openLedger } from './ledger.ts'
import type { People } from './people.ts'
import { openPeople } from './people.ts'

export interface DemoDatabase {
  readonly ledger: Ledger
  readonly people: People
  readonly conversations: Conversations
  close(): void
}

/** @param path a file, or `:memory:` */
export function openDemoDatabase(path: string): DemoDatabase {
  if (path !== ':memory:') mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const database = new Database(path)
  database.pragma('journal_mode = WAL')
  database.pragma('synchronous = FULL')
  database.pragma('busy_timeout = 5000')
  return {
    ledger: openLedger(database),
    people: openPeople(database),
    conversations: openConversations(database),
    close: () => database.close(),
  }
}
