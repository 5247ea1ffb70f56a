import { eraseUser, erasureReasons } from '../../../tlog/crypto-shredding.ts'
import { defineCommand, UsageError } from '../../command.ts'
import { unknownUser, withDatabase } from '../../database.ts'
import { masterKeyMissing } from '../../master-key.ts'
import { openOperatorAppender } from '../../operator-appender.ts'

export const erase = defineCommand({
  name: 'audit erase',
  summary: 'erase the personal data of a user from the log; proofs remain valid',
  arguments: { user: { help: 'pairwise subject, as backends see it (u_…)' } },
  options: {
    why: {
      type: 'string',
      value: 'TEXT',
      help: 'required, 1 to 256 characters: logged encrypted; do not name the person',
    },
    reason: {
      type: 'string',
      choices: erasureReasons,
      default: erasureReasons[0],
      help: 'public in the log',
    },
  },
  notes: `
Destroys the key of the user's details in the log, and removes their blind indexes, what WeChat said about the user and
the names of the devices. Ends the sessions and revokes the devices. The entries themselves, and all proofs, remain. An
erasure cannot be undone. If interrupted, run it again.

Stored responses of the last 25 hours remain until they expire, because they prevent repeated effects; so do messages in
the user's outbox. Afterwards only the pairwise subject and the revoked devices remain. Data in backends is not erased.

Needs MINISEAL_DATABASE and MINISEAL_MASTER_KEY, as the service has them.
`,
  async run({ user, why, reason }, terminal) {
    if (why === undefined || !/^[^\p{Cc}]{1,256}$/u.test(why))
      throw new UsageError('--why takes 1 to 256 characters')
    return await withDatabase(terminal, async (store) => {
      const { appender, blindIndexOf } = await openOperatorAppender(store, terminal)
      if (blindIndexOf === undefined) throw masterKeyMissing()
      const now = (): number => Math.floor(Date.now() / 1000)
      const result = await eraseUser({ store, appender, blindIndexOf, now }, { user, why, reason })
      if (result === 'unknown-user') throw unknownUser(user)
      terminal.out(result === 'erased' ? `erased ${user}\n` : `${user} is already erased\n`)
      return 0
    })
  },
})
