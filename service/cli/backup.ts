/** `miniseal backup` and `miniseal restore`: the database as one file. */
import { parseArgs } from 'node:util'
import { readDatabase } from '../config/operator-paths.ts'
import { backUpDatabase, CopyRefused, restoreDatabase } from '../store/sqlite/copy.ts'
import type { Command, Terminal } from './command.ts'
import { CommandFailed, UsageError } from './command.ts'
import { startProgress } from './progress.ts'

const backupUsage = `usage: miniseal backup FILE

Copies the SQLite database that MINISEAL_DATABASE names into one new file of mode 0600, while services run, and checks it.
The master key and MINISEAL_DATA are not in it: keep the key apart from the copy, and do not copy log-anchor with it, which
tells a database that was put back from the real one.

On PostgreSQL use pg_dump, or continuous archiving.
`

export const backup: Command = {
  summary: 'copy the database into one file, while the service runs',
  usage: backupUsage,
  async run(args, terminal) {
    const file = fileOf(args, 'backup')
    const path = sqlitePath(
      terminal,
      'pg_dump --format=custom --file=FILE, with the URL of MINISEAL_DATABASE, or continuous archiving',
    )
    const progress = startProgress(terminal, 'copying')
    const pages = await refusable(() => backUpDatabase(path, file, progress.show)).finally(progress.clear)
    terminal.out(
      [
        `${file}: ${pages} pages, checked`,
        'Keep the master key apart from it: neither is of use without the other.',
        'Leave MINISEAL_DATA/log-anchor where it is: it tells a database that was put back from the real one.',
        '',
      ].join('\n'),
    )
    return 0
  },
}

const restoreUsage = `usage: miniseal restore FILE

Puts a copy that miniseal backup made in the place of the SQLite database that MINISEAL_DATABASE names, without what must
not come back: sessions, login codes, confirmations that were asked for, agreement keys. The old database is kept beside
it, with its -wal. Refused while a process has the database open. Then start a new log: miniseal audit new-origin.

On PostgreSQL use pg_restore, and the statements of docs/guides/operations.md, "Backup and restore".
`

export const restore: Command = {
  summary: 'put a copy in the place of the database',
  usage: restoreUsage,
  async run(args, terminal) {
    const file = fileOf(args, 'restore')
    const path = sqlitePath(
      terminal,
      'pg_restore, and then the statements of docs/guides/operations.md, "Backup and restore"',
    )
    const now = Math.floor(Date.now() / 1000)
    const kept = await refusable(async () => restoreDatabase(file, path, now))
    terminal.out(
      [
        `${path} is what ${file} was; everybody logs in anew`,
        ...(kept === undefined ? [] : [`the database before it is ${kept}`]),
        '',
        'Before the service starts:',
        '  1. Wait until 130 seconds have passed since the old database last took a request.',
        '  2. npx miniseal keys list: rotate or end again what was rotated or ended since the copy was made.',
        '  3. Revoke again which devices and auditors were revoked since, and erase again who was erased since.',
        '  4. npx miniseal audit new-origin: what was signed since is lost, and the new log says so.',
        '  5. npx miniseal audit verify',
        '',
      ].join('\n'),
    )
    return 0
  },
}

function fileOf(args: readonly string[], name: string): string {
  const { positionals } = parseArgs({ args: [...args], options: {}, allowPositionals: true, strict: true })
  const [file, ...more] = positionals
  if (file === undefined || more.length > 0) throw new UsageError(`${name} takes a file`)
  return file
}

function sqlitePath({ environment }: Terminal, otherwise: string): string {
  const location = readDatabase(environment)
  if (location.kind === 'sqlite' && location.path !== ':memory:') return location.path
  throw new CommandFailed(`this is for a SQLite file; for PostgreSQL use ${otherwise}`)
}

async function refusable<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof CopyRefused) throw new CommandFailed(error.message)
    if (error instanceof Error && 'code' in error) throw new CommandFailed(error.message)
    throw error
  }
}
