/** `miniseal audit evidence ID`: everything that proves one entry, in one file. */
import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { authorityOf } from 'miniseal-protocol/frames/channel-configuration'
import type { GroupLabel } from 'miniseal-protocol/tlog/audit-leaf'
import { groupLabels } from 'miniseal-protocol/tlog/audit-leaf'
import { FilterError, parseFilter } from '../admin/api/search.ts'
import { readBundle } from '../tlog/evidence/bundle.ts'
import { checkEvidence } from '../tlog/evidence/check-evidence.ts'
import { EvidenceRefused, makeEvidence } from '../tlog/evidence/make-evidence.ts'
import { createLogReader } from '../tlog/reader.ts'
import { read } from './audit-check-evidence.ts'
import type { Command, ExitCode, Terminal } from './command.ts'
import { CommandFailed, UsageError } from './command.ts'
import type { OpenedLog } from './log-opening.ts'
import { withOpenedLog } from './log-opening.ts'

const usage = `usage: miniseal audit evidence ID [--groups core,sig,pay] [--body FILE] [--out FILE.zip]

Writes a .zip that proves one entry to somebody who has neither the service nor its database: the leaf, its place in the
log, the groups that you choose, the device's signature, keys, and how to check all of it with other tools.

ID is the entry's UUID, or its leaf hash (the field miniseal-receipt of the answer).

  --groups LIST   what is disclosed: core (method, path, status), sig (the device's signature), pay (digests of the
                  bodies), net (address), sub (user and device); default: core,sig,pay. Empty: nothing but the proof.
  --body FILE     the request's body, if you have it: it must be the one that was signed
  --out FILE      default: evidence-ID.zip; - is standard output

Needs MINISEAL_DATABASE and MINISEAL_MASTER_KEY, as the service has them. The making is itself logged.
`

const options = {
  groups: { type: 'string', default: 'core,sig,pay' },
  body: { type: 'string' },
  out: { type: 'string' },
} as const

export const evidence: Command = {
  name: 'audit evidence',
  summary: 'prove one entry to somebody else',
  usage,
  async run(args, terminal) {
    const { values, positionals } = parseArgs({
      args: [...args],
      options,
      allowPositionals: true,
      strict: true,
    })
    const [id, ...more] = positionals
    if (id === undefined || more.length > 0) throw new UsageError('evidence takes the id of one entry')
    const wanted = { key: parseId(id), groups: parseGroups(values.groups) }
    const body = values.body === undefined ? undefined : await read(values.body)
    const out = values.out ?? `evidence-${id.replace(/[^A-Za-z0-9_-]/g, '')}.zip`
    return await withOpenedLog(terminal, (log) => write(log, wanted, body, out, terminal))
  },
}

interface Wanted {
  readonly key: Uint8Array
  readonly groups: readonly GroupLabel[]
}

async function write(
  log: OpenedLog,
  { key, groups }: Wanted,
  body: Uint8Array | undefined,
  out: string,
  terminal: Terminal,
): Promise<ExitCode> {
  const reader = createLogReader(log.store)
  const entry = await reader.entryById(key)
  if (entry === undefined) throw new CommandFailed('there is no such entry')
  await log.logAccess('audit-exported', { what: 'evidence', entries: 1 })
  const archive = await refusable(() => makeEvidence({ ...log, reader }, entry, { groups, body }))
  const origin = terminal.environment.MINISEAL_ORIGIN
  const known = {
    vkeys: [],
    policy: undefined,
    origin: origin === undefined ? undefined : authorityOf(origin),
    body: undefined,
  }
  const failed = checkEvidence(readBundle(archive), known).filter(({ outcome }) => outcome === 'failed')
  if (failed.length > 0) {
    for (const { name, detail } of failed) terminal.err(`${name}: ${detail}\n`)
    terminal.err('nothing is written: this would not hold\n')
    return 1
  }
  if (out === '-') process.stdout.write(archive)
  else await writeFile(out, archive, { mode: 0o600 })
  terminal.err(`${out}: check it with: miniseal audit check-evidence ${out} --vkey KEY\n`)
  return 0
}

function parseId(text: string): Uint8Array {
  try {
    const { id, hash } = parseFilter({ receipt: text })
    const key = id ?? hash
    if (key !== undefined) return key
  } catch (error) {
    if (error instanceof FilterError) throw new UsageError(error.message)
    throw error
  }
  throw new UsageError('evidence takes the id of one entry')
}

function parseGroups(text: string): readonly GroupLabel[] {
  return text
    .split(',')
    .filter((word) => word !== '')
    .map((word) => {
      const label = groupLabels.find((known) => known === word)
      if (label === undefined) throw new UsageError(`--groups takes ${groupLabels.join(', ')}`)
      return label
    })
}

async function refusable<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw error instanceof EvidenceRefused ? new CommandFailed(error.message) : error
  }
}
