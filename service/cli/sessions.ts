/** `miniseal sessions`: an operator ends the sessions of a user; the devices stay enrolled. */
import { parseArgs } from 'node:util'
import type { Command, ExitCode, Terminal } from './command.ts'
import { UsageError } from './command.ts'
import { assertUser, withDatabase } from './database.ts'
import { commitEnd } from './operator-journal.ts'

const usage = `usage: miniseal sessions revoke USER --all

revoke   ends every session of a user: the next request of each is refused, in every process. Their devices stay
         enrolled and log in again; miniseal devices revoke shuts them out.

USER is the pseudonym that backends see (u_…). Needs MINISEAL_DATABASE, as the service has it. With MINISEAL_MASTER_KEY
the audit log says whom it was about; without it, only what was done.
`

export const sessions: Command = {
  summary: 'end the sessions of a user',
  usage,
  async run(args, terminal) {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: { all: { type: 'boolean', default: false } },
      allowPositionals: true,
      strict: true,
    })
    const [action, user, ...more] = positionals
    if (action !== 'revoke') throw new UsageError('sessions takes revoke')
    if (user === undefined || more.length > 0 || !values.all) {
      throw new UsageError('sessions revoke takes a user and --all')
    }
    return await revokeAll(terminal, user)
  },
}

async function revokeAll(terminal: Terminal, user: string): Promise<ExitCode> {
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
}
