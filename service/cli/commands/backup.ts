import { backUpDatabase } from '../../store/sqlite/copy.ts'
import { defineCommand } from '../command.ts'
import { copyingDatabase, sqlitePath } from '../database.ts'
import { startProgress } from '../terminal.ts'

export const backup = defineCommand({
  name: 'backup',
  summary: 'copy the SQLite database into one file, while services run',
  arguments: { file: { help: 'must not exist; created with mode 0600' } },
  notes: `
Copies the database of MINISEAL_DATABASE and checks the copy. The master key and MINISEAL_DATA are not included: keep
the key apart from the copy, and do not copy pinned-checkpoints with it, which tells a restored database from the real one.

For PostgreSQL use pg_dump, or continuous archiving.
`,
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
        'Keep the master key apart from it: neither is of use without the other.',
        'Leave MINISEAL_DATA/pinned-checkpoints where it is: it tells a restored database from the real one.',
        '',
      ].join('\n'),
    )
    return 0
  },
})
