import { defineCommand, defineGroup, UsageError } from '../command.ts'
import { assertUser, currentTime, withDatabase } from '../database.ts'
import { commitEnd } from '../log-access.ts'
import { userArgument } from '../option-values.ts'

const revoke = defineCommand({
  name: 'sessions revoke',
  summary: 'end all sessions of a user',
  arguments: { user: userArgument },
  options: { all: { type: 'boolean', help: 'required: single sessions cannot be selected' } },
  notes: `
The next request of each session is refused, in every process. Devices stay enrolled and can log in again; to prevent
that, use miniseal devices revoke.

Without MINISEAL_MASTER_KEY the audit log records the operation but not the user.
`,
  environment: ['MINISEAL_DATABASE', 'MINISEAL_MASTER_KEY'],
  async run({ user, all }, terminal) {
    if (!all) throw new UsageError('--all is required')
    return await withDatabase(terminal, async (store) => {
      await assertUser(store, user)
      const now = currentTime()
      const active = (await store.listSessions(user)).filter(({ endedAt, expiresAt }) => {
        return endedAt === null && expiresAt > now
      })
      await commitEnd(store, terminal, user, [
        { kind: 'end-other-sessions', user, except: null, reason: 'revoked', now },
      ])
      terminal.out(`ended ${active.length} sessions\n`)
      return 0
    })
  },
})

export const sessions = defineGroup('sessions', [revoke])
