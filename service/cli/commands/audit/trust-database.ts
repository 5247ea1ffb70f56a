import { RecoveryRefused, trustDatabase } from '../../../tlog/recovery.ts'
import { asCommandFailed, defineCommand } from '../../command.ts'
import { environmentNote, withLogContext } from '../../log-context.ts'

export const trustDatabaseCommand = defineCommand({
  name: 'audit trust-database',
  summary: 'pin the newest checkpoint of the database on this machine',
  notes: `
Only for a database that was not restored from a backup: without a pinned checkpoint, a restored backup cannot be
detected. While another process with a pinned checkpoint runs, the service pins the checkpoint by itself.

${environmentNote}
`,
  run: async (_values, terminal) =>
    await withLogContext(terminal, async ({ paths }) => {
      const { origin, size } = await asCommandFailed(() => trustDatabase(paths), RecoveryRefused)
      terminal.out(`pinned: ${origin}, ${size} entries\n`)
      return 0
    }),
})
