/** `miniseal audit`: everything that is done with the audit log from a terminal, one file for each command. */
import { newOrigin, trustDatabase } from './audit-new-origin.ts'
import { status } from './audit-status.ts'
import { verify } from './audit-verify.ts'
import type { CommandGroup } from './command.ts'

export const audit: CommandGroup = {
  summary: 'check, export and prove what the audit log holds',
  commands: {
    verify,
    status,
    'new-origin': newOrigin,
    'trust-database': trustDatabase,
  },
}
