/** The demo wallet's ledger: balances and transfers. Amounts in fen (0.01 CNY). */
import { randomUUID } from 'node:crypto'
import type Database from 'better-sqlite3'

/** The balance of a new account: 10,000.00 CNY of play money. */
const openingBalance = 1_000_000

export interface TransferOrder {
  readonly user: string
  /** The caller's Idempotency-Key: a repeated key is the same transfer. */
  readonly key: string
  readonly payee: string
  /** The payee's account: a user id, or any other name. */
  readonly account: string
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

/** The payee's view. `balance`: the payee's balance after the transfer. */
export interface ReceivedTransfer extends Omit<Transfer, 'payee'> {
  /** The user who sent it. */
  readonly payer: string
}

export type TransferResult =
  /** `account`: the payee's account. */
  | {
      readonly kind: 'done'
      readonly transfer: Transfer
      readonly account: string
      readonly received: ReceivedTransfer
    }
  | { readonly kind: 'insufficient-funds'; readonly balance: number }
  | { readonly kind: 'key-reused' }

export interface Ledger {
  balance(user: string): number
  /** Newest first, 50 at most. */
  transfers(user: string): readonly Transfer[]
  /** Transfers to a user's account, newest first, 50 at most. */
  received(user: string): readonly ReceivedTransfer[]
  /** Durable when it returns. */
  transfer(order: TransferOrder): TransferResult
}

const tables = `
  create table if not exists accounts (name text primary key, balance integer not null check (balance >= 0)) strict;
  create table if not exists transfers (
    position integer primary key, id text not null unique, user text not null, key text not null, payee text not null,
    amount integer not null check (amount > 0), note text, created_at integer not null, balance integer not null,
    unique (user, key)
  ) strict;
  create table if not exists receipts (
    transfer text primary key references transfers (id), account text not null, balance integer not null
  ) strict;
  create index if not exists receipts_account on receipts (account);
`

const columns = 'id, payee, amount, note, created_at, balance'

const received = `select t.id, t.user as payer, t.amount, t.note, t.created_at, r.balance, r.account
  from receipts r inner join transfers t on t.id = r.transfer`

type ReceiptRow = ReceivedTransfer & { readonly account: string }

export function openLedger(database: Database.Database): Ledger {
  database.exec(tables)
  const find = database.prepare<[string, string], Transfer>(
    `select ${columns} from transfers where user = ? and key = ?`,
  )
  const list = database.prepare<[string], Transfer>(
    `select ${columns} from transfers where user = ? order by position desc limit 50`,
  )
  const listReceived = database.prepare<[string], ReceiptRow>(
    `${received} where r.account = ? order by t.position desc limit 50`,
  )
  const balance = openAccounts(database)
  const record = openRecords(database)
  const transfer = (order: TransferOrder): TransferResult => {
    const { user, key, payee, account, amount, note } = order
    const earlier = find.get(user, key)
    if (earlier !== undefined) {
      const isSame = earlier.payee === payee && earlier.amount === amount && earlier.note === note
      return isSame ? record.done(earlier) : { kind: 'key-reused' }
    }
    const before = balance.of(user)
    if (before < amount) return { kind: 'insufficient-funds', balance: before }
    balance.of(account)
    balance.add(user, -amount)
    balance.add(account, amount)
    return record.done(record.write(order, balance.of(user), balance.of(account)))
  }
  return {
    balance: balance.of,
    transfers: (user) => list.all(user),
    received: (user) => listReceived.all(user).map(withoutAccount),
    transfer: database.transaction(transfer).immediate,
  }
}

/** Balances; an account is opened on first use. */
function openAccounts(database: Database.Database) {
  const open = database.prepare('insert into accounts values (?, ?) on conflict do nothing')
  const find = database.prepare<[string], { balance: number }>('select balance from accounts where name = ?')
  const add = database.prepare('update accounts set balance = balance + ? where name = ?')
  return {
    of(name: string): number {
      open.run(name, openingBalance)
      return find.get(name)?.balance ?? 0
    },
    add: (name: string, amount: number) => add.run(amount, name),
  }
}

/** Transfers and their receipts. */
function openRecords(database: Database.Database) {
  const insert = database.prepare(
    'insert into transfers (id, user, key, payee, amount, note, created_at, balance) values (?, ?, ?, ?, ?, ?, ?, ?)',
  )
  const receive = database.prepare('insert into receipts (transfer, account, balance) values (?, ?, ?)')
  const find = database.prepare<[string], ReceiptRow>(`${received} where t.id = ?`)
  return {
    write(order: TransferOrder, left: number, arrived: number): Transfer {
      const { user, key, payee, account, amount, note, now } = order
      const done = { id: randomUUID(), payee, amount, note, created_at: now, balance: left }
      insert.run(done.id, user, key, payee, amount, note, now, left)
      receive.run(done.id, account, arrived)
      return done
    },
    done(transfer: Transfer): TransferResult {
      const row = find.get(transfer.id)
      if (row === undefined) throw new Error('a transfer without a receipt')
      return { kind: 'done', transfer, account: row.account, received: withoutAccount(row) }
    },
  }
}

function withoutAccount({ account: _, ...received }: ReceiptRow): ReceivedTransfer {
  return received
}
