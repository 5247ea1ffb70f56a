/** `miniseal audit`: everything that is done with the audit log from a terminal, one file for each command. */
import { checkEvidenceCommand } from './audit-check-evidence.ts'
import { erase } from './audit-erase.ts'
import { evidence } from './audit-evidence.ts'
import { exportCommand } from './audit-export.ts'
import { newOrigin, trustDatabase } from './audit-new-origin.ts'
import { status } from './audit-status.ts'
import { verify } from './audit-verify.ts'
import { witness } from './audit-witness.ts'
import { defineGroup } from './command.ts'

export const audit = defineGroup('audit', [
  erase,
  verify,
  exportCommand,
  evidence,
  checkEvidenceCommand,
  witness,
  status,
  newOrigin,
  trustDatabase,
])
