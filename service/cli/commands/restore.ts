import { restoreDatabase } from '../../store/sqlite/copy.ts'
import { defineCommand } from '../command.ts'
import { copyingDatabase, sqlitePath } from '../database.ts'

export const restore = defineCommand({
  name: 'restore',
  summary: 'replace the SQLite database with a backup',
  arguments: { file: { help: 'a file that miniseal backup wrote' } },
  notes: `
Replaces the database of MINISEAL_DATABASE. Sessions, login codes, step-up challenges and agreement keys are removed, as
they must not come back. The replaced database is kept beside the new one, with its -wal. Refused while a process has the
database open. Afterwards start a new log: miniseal audit new-origin.

For PostgreSQL use pg_restore, and the statements of docs/guides/operations.md, "Backup and restore".
`,
  async run({ file }, terminal) {
    const path = sqlitePath(
      terminal,
      'pg_restore, and then the statements of docs/guides/operations.md, "Backup and restore"',
    )
    const now = Math.floor(Date.now() / 1000)
    const replaced = await copyingDatabase(async () => restoreDatabase(file, path, now))
    terminal.out(
      [
        `restored ${path} from ${file}; every user must log in again`,
        ...(replaced === undefined ? [] : [`the replaced database is ${replaced}`]),
        '',
        'Before the service starts:',
        '  1. Wait until 130 seconds have passed since the replaced database last took a request.',
        '  2. npx miniseal keys list: rotate or revoke again what was rotated or revoked since the backup.',
        '  3. Revoke again the devices and auditors that were revoked since, and erase again the users that were erased.',
        '  4. npx miniseal audit new-origin: entries signed since are lost, and the new log records that.',
        '  5. npx miniseal audit verify',
        '',
      ].join('\n'),
    )
    return 0
  },
})
