/** `miniseal audit export`: entries as CSV or JSON lines, opened. */
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import type { ExportFormat } from '../admin/api/entries.ts'
import { exportEntries, exportHead, exportLines } from '../admin/api/entries.ts'
import type { AuditFilter, FilterName } from '../admin/api/search.ts'
import { createAuditSearch, FilterError, parseFilter } from '../admin/api/search.ts'
import type { Command, ExitCode, Terminal } from './command.ts'
import { UsageError } from './command.ts'
import type { OpenedLog } from './log-opening.ts'
import { withOpenedLog } from './log-opening.ts'
import { startProgress } from './terminal.ts'

const usage = `usage: miniseal audit export [--format csv|jsonl] [--out FILE] [filters]

Writes the entries that the filters find, the newest first, with what is sealed in them. Erased ones are shown as such.
The export is itself logged, before anything is written.

  --format csv|jsonl  default: csv. A cell that begins like a formula is made text.
  --out FILE          default: standard output; appears under its name when it is whole

  --from TIME --to TIME   2026-01-31T08:00:00Z, or a day (UTC); --to is not included
  --user USER             the pseudonym that backends see
  --device KEY            thumbprint of the device's key
  --path PATH             /wallet/transfers, or /wallet/* for all below the first part
  --kind KIND             request, login, refused, device-added, …
  --result RESULT         ok, refused, failed, unknown
  --code CODE             of a refusal
  --ip ADDRESS
  --receipt ID            UUID or leaf hash of one entry

Needs MINISEAL_DATABASE and MINISEAL_MASTER_KEY, as the service has them.
`

const options = {
  format: { type: 'string', default: 'csv' },
  out: { type: 'string' },
  from: { type: 'string' },
  to: { type: 'string' },
  user: { type: 'string' },
  device: { type: 'string' },
  path: { type: 'string' },
  kind: { type: 'string' },
  result: { type: 'string' },
  code: { type: 'string' },
  ip: { type: 'string' },
  receipt: { type: 'string' },
} as const

export const exportCommand: Command = {
  name: 'audit export',
  summary: 'write entries as CSV or JSON lines',
  usage,
  async run(args, terminal) {
    const { values } = parseArgs({ args: [...args], options, strict: true })
    const { format, out, ...words } = values
    if (format !== 'csv' && format !== 'jsonl') throw new UsageError('--format takes csv or jsonl')
    const filter = readFilter(words)
    return await withOpenedLog(terminal, (log) => write(log, filter, { format, out }, terminal))
  },
}

function readFilter(words: Readonly<Partial<Record<FilterName, string | undefined>>>): AuditFilter {
  try {
    return parseFilter(words)
  } catch (error) {
    throw error instanceof FilterError ? new UsageError(`--${error.message}`) : error
  }
}

interface Destination {
  readonly format: ExportFormat
  readonly out: string | undefined
}

async function write(
  log: OpenedLog,
  filter: AuditFilter,
  { format, out }: Destination,
  terminal: Terminal,
): Promise<ExitCode> {
  // Which filters, never their values: leaves say nothing about a person.
  const names = Object.keys(filter).sort().join(' ')
  await log.logAccess('audit-exported', {
    what: format,
    by: 'command',
    ...(names === '' ? {} : { filters: names }),
  })
  const sink = out === undefined ? toTerminal(terminal) : toFile(out)
  const progress = startProgress(terminal, 'exporting')
  const size = (await log.store.listLogStates()).reduce((sum, state) => sum + state.size, 0)
  let done = 0
  try {
    await sink.write(exportHead(format))
    for await (const entries of exportEntries(
      createAuditSearch(log.store, log.blindIndexOf),
      filter,
      log.findKey,
    )) {
      await sink.write(exportLines(format, entries))
      done += entries.length
      progress.show(done, size)
    }
    await sink.finish()
  } catch (error) {
    await sink.abandon()
    throw error
  } finally {
    progress.clear()
  }
  terminal.err(`${done} entries\n`)
  return 0
}

interface Sink {
  write(text: string): Promise<void>
  finish(): Promise<void>
  abandon(): Promise<void>
}

function toTerminal(terminal: Terminal): Sink {
  return {
    async write(text) {
      terminal.out(text)
      await terminal.drain?.()
    },
    finish: async () => {},
    abandon: async () => {},
  }
}

/** Under another name until it is whole: half an export must not be taken for one. */
function toFile(path: string): Sink {
  const draft = `${path}.part`
  const stream = createWriteStream(draft, { mode: 0o600 })
  const failed = once(stream, 'error').then(([error]) => {
    throw error
  })
  failed.catch(() => {})
  return {
    async write(text) {
      if (!stream.write(text)) await Promise.race([once(stream, 'drain'), failed])
    },
    async finish() {
      stream.end()
      await Promise.race([once(stream, 'close'), failed])
      await rename(draft, path)
    },
    async abandon() {
      stream.destroy()
      await rm(draft, { force: true })
    },
  }
}
