import { RecoveryRefused, trustDatabase } from '../../../tlog/recovery.ts'
import { asCommandFailed, defineCommand } from '../../command.ts'
import { serviceEnvironment, withLogContext } from '../../log-access.ts'

export const trustDatabaseCommand = defineCommand({
  name: 'audit trust-database',
  summary: 'pin the newest checkpoint of the database on this machine',
  notes: `
Use it only if the database was not restored from a backup, which cannot be detected without a pinned checkpoint. It is
not needed while a process with a pinned checkpoint runs on another machine: the service then pins the checkpoint itself.
`,
  environment: serviceEnvironment,
  run: async (_values, terminal) =>
    await withLogContext(terminal, async ({ parts }) => {
      const { origin, size } = await asCommandFailed(() => trustDatabase(parts), RecoveryRefused)
      terminal.out(`pinned ${origin}, ${size} entries\n`)
      return 0
    }),
})
