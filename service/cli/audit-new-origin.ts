/** `miniseal audit new-origin` and `trust-database`: what only an operator can decide. */
import { parseArgs } from 'node:util'
import { defaultOrigin, parseOrigin } from '../tlog/origin.ts'
import { RecoveryRefused, startNextLog, trustDatabase as trust } from '../tlog/recovery.ts'
import { needs, withLog } from './audit-places.ts'
import type { Command } from './command.ts'
import { CommandFailed, UsageError } from './command.ts'

const usage = `usage: miniseal audit new-origin [--origin NAME]

Ends the log and starts the next one, whose first leaf cites the last checkpoint of the one before. Needed after a
database was put back from a backup: what was signed since is lost, and the old log can never go on. Without --origin the
name is made of MINISEAL_LOG_ORIGIN, or of the host and the year, with -2, -3, … where it is taken.
Running services go on with the new log by themselves. Tell your auditors: the old log's checkpoints end here.
${needs}
`

export const newOrigin: Command = {
  name: 'audit new-origin',
  summary: 'end the log and start the next one, after a restore',
  usage,
  async run(args, terminal) {
    const { values } = parseArgs({ args: [...args], options: { origin: { type: 'string' } }, strict: true })
    const given = readOrigin(values.origin)
    return await withLog(terminal, async ({ config, paths, authority, now }) => {
      const base = given ?? config.log.origin ?? defaultOrigin(authority, now)
      const { origin, previous } = await refusable(() => startNextLog(paths, base, now))
      terminal.out(`the log goes on as ${origin}\n`)
      if (previous !== undefined) {
        const root = Buffer.from(previous.root).toString('base64')
        terminal.out(`it cites ${previous.origin}, ${previous.size} leaves, root ${root}\n`)
      }
      return 0
    })
  },
}

const trustUsage = `usage: miniseal audit trust-database

Pins the newest checkpoint of the database on this machine. Only when you know that the database was NOT
restored from a backup, which cannot be detected without a pinned checkpoint. While another process with one runs, nothing
needs to be done: the service pins the checkpoint by itself.
${needs}
`

export const trustDatabase: Command = {
  name: 'audit trust-database',
  summary: 'pin the newest checkpoint of the database on this machine',
  usage: trustUsage,
  async run(args, terminal) {
    parseArgs({ args: [...args], options: {}, strict: true })
    return await withLog(terminal, async ({ paths }) => {
      const { origin, size } = await refusable(() => trust(paths))
      terminal.out(`pinned: ${origin}, ${size} leaves\n`)
      return 0
    })
  },
}

function readOrigin(text: string | undefined): string | undefined {
  try {
    return parseOrigin(text)
  } catch {
    throw new UsageError('--origin takes a host with a path, for example pay.example.com/audit/2026-2')
  }
}

async function refusable<T>(change: () => Promise<T>): Promise<T> {
  try {
    return await change()
  } catch (error) {
    throw error instanceof RecoveryRefused ? new CommandFailed(error.message) : error
  }
}
