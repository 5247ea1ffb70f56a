/** Names that users of the demo chose, for chats and as payees, and messages between two users of one mini program. */
import { randomUUID } from 'node:crypto'
import Database from 'better-sqlite3'

/** A name of any script, without spaces, which cannot be confused with a user id: both are payees. */
const nameForm = /^(?!u_)[\p{L}\p{N}_.-]{1,20}$/u

export interface People {
  findName(user: string): string | null
  /** The user of the mini program with this name. */
  findUser(app: string, name: string): string | undefined
  /** @returns false when the name is taken */
  setName(app: string, user: string, name: string): boolean
}

/** @param text attacker-controlled, and displayed to others */
export function isName(text: string): boolean {
  return nameForm.test(text) && text === text.normalize('NFC')
}

const peopleTable = `
  create table if not exists people (
    user text primary key, app text not null, name text not null, unique (app, name)
  ) strict;
`

export function openPeople(database: Database.Database): People {
  database.exec(peopleTable)
  const nameOf = database.prepare<[string], { name: string }>('select name from people where user = ?')
  const userOf = database.prepare<[string, string], { user: string }>(
    'select user from people where app = ? and name = ?',
  )
  const put = database.prepare(
    'insert into people (user, app, name) values (?, ?, ?) on conflict (user) do update set name = excluded.name',
  )
  return {
    findName: (user) => nameOf.get(user)?.name ?? null,
    findUser: (app, name) => userOf.get(app, name)?.user,
    setName(app, user, name) {
      try {
        put.run(user, app, name)
        return true
      } catch (error) {
        if (error instanceof Database.SqliteError && error.code === 'SQLITE_CONSTRAINT_UNIQUE') return false
        throw error
      }
    },
  }
}

export interface ChatMessage {
  readonly id: string
  /** Increases over all conversations. */
  readonly position: number
  readonly from: string
  readonly to: string
  readonly text: string
  /** UNIX seconds. */
  readonly created_at: number
}

export interface NewMessage {
  readonly from: string
  /** The sender's Idempotency-Key: a repeated key is the same message. */
  readonly key: string
  readonly to: string
  readonly text: string
  /** UNIX seconds. */
  readonly now: number
}

export interface Contact {
  readonly user: string
  readonly name: string
  readonly last_message: ChatMessage | null
}

/** A page of a conversation: after a position, before one, or the last page. */
export interface PageCursor {
  readonly after?: number
  readonly before?: number
}

export interface Conversations {
  /** Durable when it returns. @returns `undefined` when the key was used for another message */
  write(message: NewMessage): ChatMessage | undefined
  /** Oldest first, 100 at most. */
  page(one: string, other: string, cursor: PageCursor): { messages: readonly ChatMessage[]; more: boolean }
  /** Every other user with a name in this mini program: the latest conversation first, 100 at most. */
  contacts(app: string, user: string): readonly Contact[]
}

const pageSize = 100

const messageTable = `
  create table if not exists messages (
    position integer primary key, id text not null unique, pair text not null, sender text not null, key text not null,
    receiver text not null, text text not null, created_at integer not null, unique (sender, key)
  ) strict;
  create index if not exists messages_pair on messages (pair, position);
`

const columns = 'id, position, sender as "from", receiver as "to", text, created_at'

/** The key of a conversation, the same for both users. */
function pairOf(one: string, other: string): string {
  return [one, other].sort().join(' ')
}

export function openConversations(database: Database.Database): Conversations {
  database.exec(messageTable)
  const find = database.prepare<[string, string], ChatMessage>(
    `select ${columns} from messages where sender = ? and key = ?`,
  )
  const insert = database.prepare<unknown[], ChatMessage>(
    `insert into messages (id, pair, sender, key, receiver, text, created_at) values (?, ?, ?, ?, ?, ?, ?)
     returning ${columns}`,
  )
  const write = ({ from, key, to, text, now }: NewMessage): ChatMessage | undefined => {
    const earlier = find.get(from, key)
    if (earlier !== undefined) return earlier.to === to && earlier.text === text ? earlier : undefined
    return insert.get(randomUUID(), pairOf(from, to), from, key, to, text, now)
  }
  return { write: database.transaction(write).immediate, ...openReads(database) }
}

function openReads(database: Database.Database): Pick<Conversations, 'page' | 'contacts'> {
  const following = database.prepare<[string, number, number], ChatMessage>(
    `select ${columns} from messages where pair = ? and position > ? order by position limit ?`,
  )
  const preceding = database.prepare<[string, number, number], ChatMessage>(
    `select ${columns} from messages where pair = ? and position < ? order by position desc limit ?`,
  )
  const others = database.prepare<[string, string], { user: string; name: string }>(
    'select user, name from people where app = ? and user <> ? order by name limit 1000',
  )
  const lastOf = (one: string, other: string): ChatMessage | null =>
    preceding.get(pairOf(one, other), Number.MAX_SAFE_INTEGER, 1) ?? null
  return {
    page(one, other, { after, before = Number.MAX_SAFE_INTEGER }) {
      const pair = pairOf(one, other)
      const limit = pageSize + 1
      const rows =
        after === undefined ? preceding.all(pair, before, limit) : following.all(pair, after, limit)
      const page = rows.slice(0, pageSize)
      return { messages: after === undefined ? page.reverse() : page, more: rows.length > pageSize }
    },
    contacts(app, user) {
      const contacts = others
        .all(app, user)
        .map((other) => ({ ...other, last_message: lastOf(user, other.user) }))
      const latest = ({ last_message }: Contact): number => last_message?.position ?? 0
      return contacts.sort((a, b) => latest(b) - latest(a)).slice(0, pageSize)
    },
  }
}
