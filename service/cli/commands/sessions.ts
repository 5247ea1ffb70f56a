import { defineCommand, defineGroup, UsageError } from '../command.ts'
import { assertUser, withDatabase } from '../database.ts'
import { commitEnd } from '../operator-appender.ts'

const revoke = defineCommand({
  name: 'sessions revoke',
  summary: 'end every session of a user; their devices stay enrolled',
  arguments: { user: { help: 'pairwise subject, as backends see it (u_…)' } },
  options: { all: { type: 'boolean', help: 'required: single sessions cannot be named' } },
  notes: `
The next request of each session is refused, in every process. The devices can log in again; to prevent that, use
miniseal devices revoke.

Reads MINISEAL_DATABASE, as the service does. With MINISEAL_MASTER_KEY the audit log names the user; without it, only
the operation.
`,
  async run({ user, all }, terminal) {
    if (!all) throw new UsageError('sessions revoke needs --all')
    return await withDatabase(terminal, async (store) => {
      await assertUser(store, user)
      const now = Math.floor(Date.now() / 1000)
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
