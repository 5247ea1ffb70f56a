/** `miniseal audit`: everything that is done with the audit log from a terminal, one file for each command. */
import { verify } from './audit-verify.ts'
import type { CommandGroup } from './command.ts'

export const audit: CommandGroup = {
  summary: 'check, export and prove what the audit log holds',
  commands: {
    verify,
  },
}
