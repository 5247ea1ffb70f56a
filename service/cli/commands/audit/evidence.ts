import { writeFile } from 'node:fs/promises'
import { authorityOf } from 'miniseal-protocol/frames/channel-configuration'
import type { GroupLabel } from 'miniseal-protocol/tlog/audit-leaf'
import { groupLabels } from 'miniseal-protocol/tlog/audit-leaf'
import { FilterError, parseFilter } from '../../../admin/api/search.ts'
import { readBundle } from '../../../tlog/evidence/bundle.ts'
import { checkEvidence } from '../../../tlog/evidence/check-evidence.ts'
import { EvidenceRefused, makeEvidence } from '../../../tlog/evidence/make-evidence.ts'
import { createLogReader } from '../../../tlog/reader.ts'
import { asCommandFailed, CommandFailed, defineCommand, UsageError } from '../../command.ts'
import { withDecryptedLog } from '../../log-access.ts'
import { readBytes } from '../../option-values.ts'

export const evidence = defineCommand({
  name: 'audit evidence',
  summary: 'write a bundle that proves one entry to third parties',
  arguments: { id: { help: 'UUID or leaf hash of the entry (response field miniseal-receipt)' } },
  options: {
    groups: {
      type: 'string',
      value: 'LIST',
      default: 'core,sig,pay',
      help: `groups to disclose: core (method, path, status), sig (device signature),
pay (body digests), net (address), sub (user and device); "" for the
inclusion proof alone`,
    },
    body: {
      type: 'string',
      value: 'FILE',
      help: 'request body to include; must match the signed digest',
    },
    out: {
      type: 'string',
      value: 'FILE',
      help: 'output file, or - for standard output (default: evidence-ID.zip)',
    },
  },
  notes: `
The bundle is a .zip file with the entry, its inclusion proof and checkpoint, the disclosed groups, the device signature,
keys, and instructions for other tools. Recipients need neither the service nor its database. The audit log records the
disclosure first.
`,
  environment: ['MINISEAL_DATABASE', 'MINISEAL_MASTER_KEY'],
  async run(values, terminal) {
    const { id, out = `evidence-${id.replace(/[^A-Za-z0-9_-]/g, '')}.zip` } = values
    const key = parseId(id)
    const groups = parseGroups(values.groups)
    const body = values.body === undefined ? undefined : await readBytes(values.body)
    return await withDecryptedLog(terminal, async (log) => {
      const reader = createLogReader(log.store)
      const entry = await reader.entryById(key)
      if (entry === undefined) throw new CommandFailed('entry not found')
      await log.logAccess('audit-exported', { what: 'evidence', entries: 1 })
      const archive = await asCommandFailed(
        () => makeEvidence({ ...log, reader }, entry, { groups, body }),
        EvidenceRefused,
      )
      const origin = terminal.environment.MINISEAL_ORIGIN
      const steps = checkEvidence(readBundle(archive), {
        vkeys: [],
        policy: undefined,
        origin: origin === undefined ? undefined : authorityOf(origin),
        body: undefined,
      })
      const failed = steps.filter(({ outcome }) => outcome === 'failed')
      if (failed.length > 0) {
        for (const { name, detail } of failed) terminal.err(`${name}: ${detail}\n`)
        terminal.err('the evidence is invalid; no file was written\n')
        return 1
      }
      if (out === '-') process.stdout.write(archive)
      else await writeFile(out, archive, { mode: 0o600 })
      terminal.err(`Verify it with: miniseal audit check-evidence ${out} --vkey KEY\n`)
      return 0
    })
  },
})

/** @throws UsageError */
function parseId(text: string): Uint8Array {
  try {
    const { id, hash } = parseFilter({ receipt: text })
    const key = id ?? hash
    if (key !== undefined) return key
  } catch (error) {
    if (!(error instanceof FilterError)) throw error
  }
  throw new UsageError('ID must be the UUID or the leaf hash of an entry')
}

/** @throws UsageError */
function parseGroups(text: string): readonly GroupLabel[] {
  return text
    .split(',')
    .filter((word) => word !== '')
    .map((word) => {
      const label = groupLabels.find((known) => known === word)
      if (label === undefined) throw new UsageError(`--groups must be a list of ${groupLabels.join(', ')}`)
      return label
    })
}
