import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { exportEntries, exportHead, exportLines } from '../../../admin/api/downloads.ts'
import type { AuditFilter, FilterInput } from '../../../admin/api/search.ts'
import { createAuditSearch, FilterError, parseFilter } from '../../../admin/api/search.ts'
import type { Terminal } from '../../command.ts'
import { defineCommand, UsageError } from '../../command.ts'
import { withDecryptedLog } from '../../log-access.ts'
import { userArgument } from '../../option-values.ts'
import { startProgress } from '../../terminal.ts'

export const exportCommand = defineCommand({
  name: 'audit export',
  summary: 'export entries with details as CSV or JSON lines, newest first',
  options: {
    format: {
      type: 'string',
      choices: ['csv', 'jsonl'],
      default: 'csv',
      help: 'output format; CSV escapes formulas',
    },
    out: {
      type: 'string',
      value: 'FILE',
      help: 'output file, created when the export is complete (default: standard output)',
    },
    from: { type: 'string', value: 'TIME', help: 'start: 2026-01-31T08:00:00Z, or a day (UTC)' },
    to: { type: 'string', value: 'TIME', help: 'end, exclusive' },
    user: { type: 'string', value: 'USER', ...userArgument },
    device: { type: 'string', value: 'ID', help: 'thumbprint of the device key' },
    path: {
      type: 'string',
      value: 'PATH',
      help: '/wallet/transfers, or /wallet/* for all paths below /wallet',
    },
    kind: { type: 'string', value: 'KIND', help: 'request, login, refused, device-added, …' },
    result: { type: 'string', value: 'RESULT', help: 'ok, refused, failed or unknown' },
    code: { type: 'string', value: 'CODE', help: 'problem code of a refusal' },
    ip: { type: 'string', value: 'ADDRESS', help: 'address of the client' },
    receipt: { type: 'string', value: 'ID', help: 'UUID or leaf hash of one entry' },
  },
  notes: `
Erased entries have no details. The audit log records the export first.
`,
  environment: ['MINISEAL_DATABASE', 'MINISEAL_MASTER_KEY'],
  async run({ format, out, ...filters }, terminal) {
    const filter = readFilter(filters)
    return await withDecryptedLog(terminal, async (log) => {
      // Only the names of filters: their values may be personal data.
      const names = Object.keys(filter).sort().join(' ')
      await log.logAccess('audit-exported', {
        what: format,
        by: 'command',
        ...(names === '' ? {} : { filters: names }),
      })
      const sink = out === undefined ? terminalSink(terminal) : fileSink(out)
      const progress = startProgress(terminal, 'exporting')
      const size = (await log.store.listLogStates()).reduce((sum, state) => sum + state.size, 0)
      const search = createAuditSearch(log.store, log.blindIndexOf)
      let done = 0
      try {
        await sink.write(exportHead(format))
        for await (const entries of exportEntries(search, filter, log.findKey)) {
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
    })
  },
})

/** @throws UsageError */
function readFilter(filters: FilterInput): AuditFilter {
  try {
    return parseFilter(filters)
  } catch (error) {
    throw error instanceof FilterError ? new UsageError(`--${error.message}`) : error
  }
}

interface Sink {
  write(text: string): Promise<void>
  finish(): Promise<void>
  abandon(): Promise<void>
}

function terminalSink(terminal: Terminal): Sink {
  return {
    async write(text) {
      terminal.out(text)
      await terminal.drain?.()
    },
    finish: async () => {},
    abandon: async () => {},
  }
}

/** Writes to a temporary name, so that a partial export is not mistaken for a complete one. */
function fileSink(path: string): Sink {
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
