import { restoreDatabase } from '../../store/sqlite/copy.ts'
import { defineCommand } from '../command.ts'
import { copyingDatabase, currentTime, sqlitePath } from '../database.ts'

export const restore = defineCommand({
  name: 'restore',
  summary: 'replace the SQLite database with a backup',
  arguments: { file: { help: 'file written by miniseal backup' } },
  notes: `
Stop the service first. Removes sessions, login codes, step-up challenges and agreement keys, which must not become valid
again. The replaced database is kept in the same folder, with its -wal file. Afterwards start a new log with miniseal
audit new-origin.

For PostgreSQL use pg_restore and the statements of docs/guides/operations.md, "Backup and restore".
`,
  environment: ['MINISEAL_DATABASE'],
  async run({ file }, terminal) {
    const path = sqlitePath(
      terminal,
      'pg_restore and the statements of docs/guides/operations.md, "Backup and restore"',
    )
    const now = currentTime()
    const replaced = await copyingDatabase(async () => restoreDatabase(file, path, now))
    terminal.out(
      [
        `restored ${path} from ${file}; all users must log in again`,
        ...(replaced === undefined ? [] : [`replaced database: ${replaced}`]),
        '',
        'Before you start the service:',
        '  1. Wait until 130 seconds after the last request to the replaced database.',
        '  2. npx miniseal keys list: rotate or revoke again the keys rotated or revoked since the backup.',
        '  3. Revoke again the devices and auditors, and erase again the users, revoked or erased since the backup.',
        '  4. npx miniseal audit new-origin: starts a new log, which records that entries since the backup are lost.',
        '  5. npx miniseal audit verify',
        '',
      ].join('\n'),
    )
    return 0
  },
})
