/** The demo's directory: names that users chose, for chats and as payees. */
import Database from 'better-sqlite3'

/** A name of any script, without spaces, which cannot be confused with a user id: both are payees. */
const nameForm = /^(?!u_)[\p{L}\p{N}_.-]{1,20}$/u

export interface People {
  findName(user: string): string | null
  /** @returns the user of the same mini program who has chosen this name */
  findUser(app: string, name: string): string | undefined
  /** @returns false when another user has the name. */
  setName(app: string, user: string, name: string): boolean
}

/** Whether a name is allowed. Attacker-controlled, and shown to others. */
export function isName(text: string): boolean {
  return nameForm.test(text) && text === text.normalize('NFC')
}

const tables = `
  create table if not exists people (
    user text primary key, app text not null, name text not null, unique (app, name)
  ) strict;
`

export function openPeople(database: Database.Database): People {
  database.exec(tables)
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
