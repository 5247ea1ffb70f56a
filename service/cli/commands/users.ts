import { defineCommand } from '../command.ts'
import { assertUser, withDatabase } from '../database.ts'

export const users = defineCommand({
  name: 'users',
  summary: 'print how many devices and sessions a user has',
  arguments: { user: { help: 'pairwise subject, as backends see it (u_…)' } },
  notes: `
Reads MINISEAL_DATABASE, as the service does.
`,
  async run({ user }, terminal) {
    return await withDatabase(terminal, async (store) => {
      await assertUser(store, user)
      const devices = await store.listDevices(user)
      const sessions = await store.listSessions(user)
      terminal.out(`${devices.length} devices, ${sessions.length} sessions\n`)
      return 0
    })
  },
})
