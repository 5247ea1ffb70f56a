/** `miniseal audit erase`: forgets a person, and keeps every proof. */
import { parseArgs } from 'node:util'
import { type ErasureReason, eraseUser, erasureReasons } from '../tlog/crypto-shredding.ts'
import type { Command } from './command.ts'
import { CommandFailed, UsageError } from './command.ts'
import { withDatabase } from './database.ts'
import { openOperatorAppender } from './operator-journal.ts'

const usage = `usage: miniseal audit erase USER --why TEXT [--reason REASON]

Destroys the key that everything the log says of a user is sealed with, takes away what entries are found by, what WeChat
said of them and the names of their devices; ends their sessions and revokes their devices. The leaves stay, and with
them every proof. It cannot be undone. Stopped in the middle, it is finished by calling it again.

  --why TEXT        your own words, 1 to 256 characters: kept sealed, without the person's name, please
  --reason REASON   public, in the log: ${erasureReasons.join(', ')} (default: ${erasureReasons[0]})

Stored answers to requests of the last 25 hours stay for as long, against second effects, and messages in the user's
outbox until they expire; then nothing of the person is left but the pseudonym, beside revoked devices. What your backends keep is theirs to erase.

USER is the pseudonym that backends see (u_…). Needs MINISEAL_DATABASE and MINISEAL_MASTER_KEY, as the service has them.
`

const options = { why: { type: 'string' }, reason: { type: 'string' } } as const

export const erase: Command = {
  name: 'audit erase',
  summary: 'forget a person, and keep every proof',
  usage,
  async run(args, terminal) {
    const { values, positionals } = parseArgs({
      args: [...args],
      options,
      allowPositionals: true,
      strict: true,
    })
    const [user, ...more] = positionals
    if (user === undefined || more.length > 0) throw new UsageError('audit erase takes a user')
    const erasure = { user, why: parseWhy(values.why), reason: parseReason(values.reason) }
    return await withDatabase(terminal, async (store) => {
      const { appender, blindIndexOf } = await openOperatorAppender(store, terminal)
      if (blindIndexOf === undefined) {
        throw new CommandFailed(
          'MINISEAL_MASTER_KEY is missing: without it nobody knows which entries are about whom',
        )
      }
      const now = (): number => Math.floor(Date.now() / 1000)
      const result = await eraseUser({ store, appender, blindIndexOf, now }, erasure)
      if (result === 'unknown-user') throw new CommandFailed(`there is no user ${JSON.stringify(user)}`)
      terminal.out(result === 'erased' ? `erased ${user}\n` : `${user} was erased before; nothing is left\n`)
      return 0
    })
  },
}

function parseWhy(text: string | undefined): string {
  if (text === undefined || !/^[^\p{Cc}]{1,256}$/u.test(text))
    throw new UsageError('--why takes 1 to 256 characters')
  return text
}

function parseReason(text: string | undefined): ErasureReason {
  const found = erasureReasons.find((reason) => reason === (text ?? erasureReasons[0]))
  if (found === undefined) throw new UsageError(`--reason takes one of ${erasureReasons.join(', ')}`)
  return found
}
