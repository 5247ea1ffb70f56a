/** `miniseal audit`: everything that is done with the audit log from a terminal, one file for each command. */
import { checkEvidenceCommand } from './audit-check-evidence.ts'
import { erase } from './audit-erase.ts'
import { evidence } from './audit-evidence.ts'
import { exportCommand } from './audit-export.ts'
import { newOrigin, trustDatabase } from './audit-new-origin.ts'
import { status } from './audit-status.ts'
import { verify } from './audit-verify.ts'
import { witness } from './audit-witness.ts'
import type { CommandGroup } from './command.ts'

export const audit: CommandGroup = {
  summary: 'check, export and prove what the audit log holds',
  commands: {
    erase,
    verify,
    export: exportCommand,
    evidence,
    'check-evidence': checkEvidenceCommand,
    witness,
    status,
    'new-origin': newOrigin,
    'trust-database': trustDatabase,
  },
}
