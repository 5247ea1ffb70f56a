import { eraseUser, erasureReasons } from '../../../tlog/crypto-shredding.ts'
import { defineCommand, UsageError } from '../../command.ts'
import { currentTime, masterKeyMissing, unknownUser, withDatabase } from '../../database.ts'
import { openOperatorAppender } from '../../log-access.ts'
import { userArgument } from '../../option-values.ts'

export const erase = defineCommand({
  name: 'audit erase',
  summary: 'erase the personal data of a user from the log',
  arguments: { user: userArgument },
  options: {
    why: {
      type: 'string',
      value: 'TEXT',
      help: 'required: note of 1 to 256 characters, logged encrypted; do not name the user',
    },
    reason: {
      type: 'string',
      choices: erasureReasons,
      default: erasureReasons[0],
      help: 'public reason in the log',
    },
  },
  notes: `
Deletes the key of the user's details in the log, their blind indexes, the data received from WeChat and the device
names. Ends the sessions and revokes the devices. Entries and proofs remain valid. An erasure cannot be undone. If it is
interrupted, run it again.

Responses stored in the last 25 hours, which prevent repeated effects, and messages in the outbox remain until they
expire. Afterwards only the pairwise subject and the revoked devices remain. Data in backends is not erased.
`,
  environment: ['MINISEAL_DATABASE', 'MINISEAL_MASTER_KEY'],
  async run({ user, why, reason }, terminal) {
    if (why === undefined || !/^[^\p{Cc}]{1,256}$/u.test(why))
      throw new UsageError('--why is required: 1 to 256 characters')
    return await withDatabase(terminal, async (store) => {
      const { appender, blindIndexOf } = await openOperatorAppender(store, terminal)
      if (blindIndexOf === undefined) throw masterKeyMissing()
      const now = (): number => currentTime()
      const result = await eraseUser({ store, appender, blindIndexOf, now }, { user, why, reason })
      if (result === 'unknown-user') throw unknownUser(user)
      terminal.out(result === 'erased' ? `erased ${user}\n` : `${user} is already erased\n`)
      return 0
    })
  },
})
