import { defaultOrigin } from '../../../tlog/origin.ts'
import { RecoveryRefused, startNextLog } from '../../../tlog/recovery.ts'
import { parseOrigin } from '../../../tlog/settings.ts'
import { asCommandFailed, defineCommand, UsageError } from '../../command.ts'
import { serviceEnvironment, withLogContext } from '../../log-access.ts'

export const newOrigin = defineCommand({
  name: 'audit new-origin',
  summary: 'end the log and start the next one after a restore',
  options: {
    origin: {
      type: 'string',
      value: 'NAME',
      help: `name of the next log (default: MINISEAL_LOG_ORIGIN, or host and year;
with -2, -3, … if it is taken)`,
    },
  },
  notes: `
Use it after a restore from a backup: entries signed since the backup are lost, so the old log cannot be continued. The
first entry of the next log references the last checkpoint of the old one. Running services switch to the next log.
Inform your auditors that the old log is final.
`,
  environment: serviceEnvironment,
  async run({ origin: given }, terminal) {
    const name = readOrigin(given)
    return await withLogContext(terminal, async ({ config, parts, authority, now }) => {
      const base = name ?? config.log.origin ?? defaultOrigin(authority, now)
      const { origin, previous } = await asCommandFailed(
        () => startNextLog(parts, base, now),
        RecoveryRefused,
      )
      terminal.out(`started log ${origin}\n`)
      if (previous !== undefined) {
        const root = Buffer.from(previous.root).toString('base64')
        terminal.out(`it references ${previous.origin}, ${previous.size} entries, root ${root}\n`)
      }
      return 0
    })
  },
})

/** @throws UsageError */
function readOrigin(text: string | undefined): string | undefined {
  try {
    return parseOrigin(text)
  } catch {
    throw new UsageError('--origin must be a host with a path, such as pay.example.com/audit/2026-2')
  }
}
