import { backUpDatabase } from '../../store/sqlite/copy.ts'
import { defineCommand } from '../command.ts'
import { copyingDatabase, sqlitePath } from '../database.ts'
import { startProgress } from '../terminal.ts'

export const backup = defineCommand({
  name: 'backup',
  summary: 'copy the SQLite database to a file while services run',
  arguments: { file: { help: 'must not exist; created with mode 0600' } },
  notes: `
Checks the copy. It does not include the master key; store the key separately. Do not back up
MINISEAL_DATA/pinned-checkpoints, which detects a restored database.

For PostgreSQL use pg_dump or continuous archiving.
`,
  environment: ['MINISEAL_DATABASE'],
  async run({ file }, terminal) {
    const path = sqlitePath(
      terminal,
      'pg_dump --format=custom --file=FILE, with the URL of MINISEAL_DATABASE, or continuous archiving',
    )
    const progress = startProgress(terminal, 'copying')
    const pages = await copyingDatabase(() => backUpDatabase(path, file, progress.show)).finally(
      progress.clear,
    )
    terminal.out(
      [
        `${file}: ${pages} pages, checked`,
        'Store the master key separately; the backup is useless without it.',
        'Do not back up MINISEAL_DATA/pinned-checkpoints, which detects a restored database.',
        '',
      ].join('\n'),
    )
    return 0
  },
})
