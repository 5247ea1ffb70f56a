/** The demo wallet's ledger: balances and transfers in an SQLite file of its own. Amounts in fen (0.01 CNY). */
import { randomUUID } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import Database from 'better-sqlite3'

/** What everybody starts with: 10,000.00 CNY of play money. */
const openingBalance = 1_000_000

export interface TransferOrder {
  readonly user: string
  /** The caller's Idempotency-Key: the same key is the same transfer. */
  readonly key: string
  readonly payee: string
  readonly amount: number
  readonly note: string | null
  /** UNIX seconds. */
  readonly now: number
}

export interface Transfer {
  readonly id: string
  readonly payee: string
  readonly amount: number
  readonly note: string | null
  readonly created_at: number
  /** The payer's balance after it. */
  readonly balance: number
}

export type TransferResult =
  | { readonly kind: 'done'; readonly transfer: Transfer }
  | { readonly kind: 'insufficient-funds'; readonly balance: number }
  | { readonly kind: 'key-used-otherwise' }

export interface Ledger {
  balance(user: string): number
  /** Newest first, 50 at most. */
  transfers(user: string): readonly Transfer[]
  /** One transaction; durable when it returns. */
  transfer(order: TransferOrder): TransferResult
  close(): void
}

const tables = `
  create table if not exists accounts (name text primary key, balance integer not null check (balance >= 0)) strict;
  create table if not exists transfers (
    position integer primary key, id text not null unique, user text not null, key text not null, payee text not null,
    amount integer not null check (amount > 0), note text, created_at integer not null, balance integer not null,
    unique (user, key)
  ) strict;
`

const columns = 'id, payee, amount, note, created_at, balance'

/** @param path a file, or `:memory:` */
export function openLedger(path: string): Ledger {
  if (path !== ':memory:') mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const database = new Database(path)
  database.pragma('journal_mode = WAL')
  database.pragma('synchronous = FULL')
  database.pragma('busy_timeout = 5000')
  database.exec(tables)
  const open = database.prepare('insert into accounts values (?, ?) on conflict do nothing')
  const balanceOf = database.prepare<[string], { balance: number }>(
    'select balance from accounts where name = ?',
  )
  const add = database.prepare('update accounts set balance = balance + ? where name = ?')
  const find = database.prepare<[string, string], Transfer>(
    `select ${columns} from transfers where user = ? and key = ?`,
  )
  const list = database.prepare<[string], Transfer>(
    `select ${columns} from transfers where user = ? order by position desc limit 50`,
  )
  const insert = database.prepare(
    'insert into transfers (id, user, key, payee, amount, note, created_at, balance) values (?, ?, ?, ?, ?, ?, ?, ?)',
  )
  const balance = (user: string): number => {
    open.run(user, openingBalance)
    return balanceOf.get(user)?.balance ?? 0
  }
  const transfer = ({ user, key, payee, amount, note, now }: TransferOrder): TransferResult => {
    const earlier = find.get(user, key)
    if (earlier !== undefined) {
      const isSame = earlier.payee === payee && earlier.amount === amount && earlier.note === note
      return isSame ? { kind: 'done', transfer: earlier } : { kind: 'key-used-otherwise' }
    }
    const before = balance(user)
    if (before < amount) return { kind: 'insufficient-funds', balance: before }
    balance(payee)
    add.run(-amount, user)
    add.run(amount, payee)
    const done: Transfer = { id: randomUUID(), payee, amount, note, created_at: now, balance: balance(user) }
    insert.run(done.id, user, key, payee, amount, note, now, done.balance)
    return { kind: 'done', transfer: done }
  }
  return {
    balance,
    transfers: (user) => list.all(user),
    transfer: database.transaction(transfer).immediate,
    close: () => database.close(),
  }
}
