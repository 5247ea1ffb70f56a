/**
 * Fills a database of a stopped service, in the real schema, as if it had served for long: users with their devices,
 * open sessions, and the entries of the log. Values that no benchmark reads, such as keys, are random bytes.
 */
import Database from 'better-sqlite3'
import { readServiceKey } from '../../service/keys/keyring.ts'
import { parseMasterKeys } from '../../service/keys/master-keys.ts'
import { createSecretWrapper } from '../../service/keys/wrapping.ts'
import { openStore } from '../../service/store/open-store.ts'
import { createRowMacs, type RowMacs } from '../../service/tlog/row-macs.ts'
import { fillLog } from './fill-log.ts'

/** Tables that are filled. */
const tables = "('users', 'devices', 'sessions', 'subject_keys', 'tlog_entries')"

/** @param size how many sessions and log entries there are afterwards */
export async function fillDatabase(path: string, size: number, masterKey: string): Promise<void> {
  const macs = await sealsOf(path, masterKey)
  const connection = new Database(path)
  try {
    // Out of WAL first: only then can the journal be turned off.
    connection.pragma('journal_mode = DELETE')
    for (const pragma of [
      'journal_mode = OFF',
      'synchronous = OFF',
      'foreign_keys = OFF',
      'cache_size = -500000',
    ])
      connection.pragma(pragma)
    const indexes = connection
      .prepare<[], { name: string; sql: string }>(
        `select name, sql from sqlite_master where type = 'index' and sql is not null and tbl_name in ${tables}`,
      )
      .all()
    // Sorting once is faster than inserting every row into the index.
    for (const { name } of indexes) connection.exec(`drop index "${name}"`)
    connection.exec('begin')
    fillPeople(connection, size)
    fillLog(connection, size, macs)
    connection.exec('commit')
    for (const { sql } of indexes) connection.exec(sql)
  } finally {
    connection.close()
  }
}

/** What the service seals the state of its log with. */
async function sealsOf(path: string, masterKey: string): Promise<RowMacs> {
  const store = await openStore({ kind: 'sqlite', path })
  try {
    const wrapper = createSecretWrapper(parseMasterKeys(masterKey) ?? [])
    const lookup = (await store.listServiceKeys()).find(({ kind }) => kind === 'lookup')
    if (lookup === undefined) throw new Error('there is no lookup key')
    return createRowMacs(readServiceKey(lookup, wrapper).secretKey)
  } finally {
    await store.close()
  }
}

function fillPeople(connection: Database.Database, size: number): void {
  const has = connection.prepare<[], { n: number }>('select count(*) as n from sessions').get()?.n ?? 0
  if (has === 0) throw new Error('there is no session to copy')
  if (has >= size) return
  connection.exec(`
    create temp table made as
      with recursive counted (i) as (select 1 union all select i + 1 from counted where i < ${size - has})
      select 'u_' || lower(substr(hex(randomblob(12)), 1, 24)) as person,
        substr(hex(randomblob(22)), 1, 43) as device, randomblob(16) as session, randomblob(8) as subject_index from counted;
    insert into users select person, app, randomblob(length(openid_wrapped)), randomblob(length(session_key_wrapped)),
      created_at, updated_at from made, (select * from users limit 1);
    insert into devices select made.device, person, randomblob(32), name, platform, created_at, last_seen_at, revoked_at
      from made, (select * from devices limit 1);
    insert into sessions select session, person, device, app, randomblob(length(c2s_wrapped)),
      randomblob(length(s2c_wrapped)), created_at, expires_at, last_seen_at, ended_at, end_reason, required_acr
      from made, (select app, c2s_wrapped, s2c_wrapped, created_at, expires_at, last_seen_at, ended_at, end_reason,
        required_acr from sessions where ended_at is null limit 1);
    insert into subject_keys select made.subject_index, randomblob(length(key_wrapped)), created_at
      from made, (select * from subject_keys limit 1);
    drop table made;`)
}
