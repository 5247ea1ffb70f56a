/** The state of a witness: the latest cosigned checkpoint of each log, in a SQLite file. */
import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import Database from 'better-sqlite3'
import { parseCheckpointNote } from 'miniseal-protocol/tlog/checkpoint'

/** Milliseconds for which a process waits for another. */
const busyTimeout = 5_000

/** "MSWI" in ASCII; prevents opening another database by mistake. */
const applicationId = 0x4d535749

export interface WitnessStore {
  /** The latest cosigned note; `undefined` for an unknown log. */
  latest(origin: string): string | undefined
  /**
   * Replaces the note of a log by the result of `decide`, atomically across processes; durable on return.
   *
   * @param decide returns the new note; if it throws, nothing changes
   */
  update(origin: string, decide: (latest: string | undefined) => string): void
  close(): void
}

/** Opens or creates the file, in a folder of mode 0700. @throws Error if that fails, or it is another database */
export function openWitnessStore(path: string): WitnessStore {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const connection = new Database(path, { timeout: busyTimeout })
  try {
    prepare(connection)
  } catch (error) {
    connection.close()
    throw error
  }
  const find = connection.prepare<[string], { readonly note: string }>(
    'select note from logs where origin = ?',
  )
  const put = connection.prepare<[string, number, string]>(
    'insert into logs (origin, size, note) values (?, ?, ?) on conflict (origin) do update set size = excluded.size, note = excluded.note where excluded.size >= logs.size',
  )
  const update = connection.transaction((origin: string, decide: (latest: string | undefined) => string) => {
    const note = decide(find.get(origin)?.note)
    const { checkpoint } = parseCheckpointNote(note)
    // Defence in depth.
    if (put.run(origin, checkpoint.size, note).changes !== 1) throw new Error('a log must not become smaller')
  })
  return {
    latest: (origin) => find.get(origin)?.note,
    update: (origin, decide) => update.immediate(origin, decide),
    close: () => connection.close(),
  }
}

function prepare(connection: Database.Database): void {
  connection.pragma('journal_mode = WAL')
  connection.pragma('synchronous = FULL')
  connection
    .transaction(() => {
      const found = connection.pragma('application_id', { simple: true })
      const { tables } = connection
        .prepare<[], { readonly tables: number }>('select count(*) as tables from sqlite_master')
        .get() ?? { tables: 0 }
      if (found === applicationId) return
      if (tables > 0) throw new Error('the file is another SQLite database')
      connection.pragma(`application_id = ${applicationId}`)
      connection.exec(
        'create table logs (origin text primary key, size integer not null check (size >= 0), note text not null) strict',
      )
    })
    .immediate()
}
