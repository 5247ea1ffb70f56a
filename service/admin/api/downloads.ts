/** Downloads: exports and evidence bundles. For auditors with the role `discloser`; logged first. */
import { stringify } from 'csv-stringify/sync'
import { encodeBase64Url } from 'miniseal-protocol/text'
import { type GroupLabel, groupLabels } from 'miniseal-protocol/tlog/audit-leaf'
import type { LogEntry } from '../../store/tlog-entries.ts'
import { leafIdText } from '../../tlog/entry.ts'
import { EvidenceRefused, makeEvidence } from '../../tlog/evidence/make-evidence.ts'
import { openGroups } from '../../tlog/sealed-details.ts'
import type { FindSubjectKey } from '../../tlog/subject-keys.ts'
import { type AuditDependencies, AuditRefused } from './context.ts'
import { type OpenedEntry, openEntry, positionOf } from './entries.ts'
import type { AuditFilter, AuditSearch } from './search.ts'

const types: { readonly [F in ExportFormat]: string } = {
  csv: 'text/csv; charset=utf-8',
  jsonl: 'application/jsonl; charset=utf-8',
}

export interface ExportDependencies extends Pick<AuditDependencies, 'findKey'> {
  readonly search: AuditSearch
  /** Called when the stream ends or is cancelled, possibly more than once. */
  readonly onEnd: () => void
}

/**
 * Streams all entries that match, page by page. A failure aborts the connection, so that a partial file is not mistaken for
 * a complete one.
 */
export function exportResponse(
  { findKey, search, onEnd }: ExportDependencies,
  filter: AuditFilter,
  format: ExportFormat,
): Response {
  const pages = exportEntries(search, filter, findKey)
  const encoder = new TextEncoder()
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(encoder.encode(exportHead(format))),
    async pull(controller) {
      try {
        const { done, value } = await pages.next()
        if (done !== true) return controller.enqueue(encoder.encode(exportLines(format, value)))
        controller.close()
        onEnd()
      } catch (error) {
        controller.error(error)
        onEnd()
      }
    },
    cancel: async () => {
      onEnd()
      await pages.return(undefined)
    },
  })
  return new Response(body, { headers: fileHeaders(types[format], `audit.${format}`) })
}

/** @throws AuditRefused `invalid_parameter` for an unknown format */
export function parseFormat(word: string | undefined): ExportFormat {
  if (word === 'csv' || word === 'jsonl') return word
  throw new AuditRefused('invalid_parameter', 'format')
}

/**
 * The evidence for one entry, with the requested groups that exist; for an erased entry the proof alone.
 *
 * @throws AuditRefused `not_yet` before its first checkpoint
 */
export async function evidenceResponse(
  parts: Pick<AuditDependencies, 'store' | 'reader' | 'findKey' | 'logKeys' | 'serviceKeys' | 'witnesses'>,
  entry: LogEntry,
  groups: readonly GroupLabel[],
): Promise<Response> {
  const sources = { ...parts, serviceKeys: parts.serviceKeys() }
  const opened = await openGroups(entry, parts.findKey)
  const there = groups.filter((label) => opened.has(label))
  try {
    const archive = await makeEvidence(sources, entry, { groups: there, body: undefined })
    const headers = fileHeaders('application/zip', `evidence-${leafIdText(entry.id)}.zip`)
    return new Response(new Uint8Array(archive), { headers })
  } catch (error) {
    if (error instanceof EvidenceRefused) throw new AuditRefused('not_yet')
    throw error
  }
}

/** A comma list of labels, attacker-controlled; empty: the proof alone. @throws AuditRefused `invalid_parameter` */
export function parseLabels(words: string): readonly GroupLabel[] {
  return words
    .split(',')
    .filter((word) => word !== '')
    .map((word) => {
      const label = groupLabels.find((known) => known === word)
      if (label === undefined) throw new AuditRefused('invalid_parameter', 'groups')
      return label
    })
}

function fileHeaders(type: string, name: string): Readonly<Record<string, string>> {
  return {
    'content-type': type,
    'content-disposition': `attachment; filename="${name}"`,
    'cache-control': 'no-store',
  }
}

// Export rows: details are opened; shredded ones are marked as erased.

export type ExportFormat = 'csv' | 'jsonl'

/** Entries that are read, opened and written in one turn of the event loop: some milliseconds. */
export const entriesPerTurn = 50

/** All matching entries, the newest first, page by page; yields to the event loop between pages. */
export async function* exportEntries(
  search: AuditSearch,
  filter: AuditFilter,
  findKey: FindSubjectKey,
): AsyncGenerator<readonly OpenedEntry[]> {
  let before: number | undefined
  do {
    const { entries, next } = await search.page(filter, before, entriesPerTurn)
    const opened: OpenedEntry[] = []
    for (const entry of entries) opened.push(await openEntry(entry, findKey))
    if (opened.length > 0) yield opened
    before = next
  } while (before !== undefined)
}

/** CSV columns: the most used members. JSON lines have all of them. */
const columns = [
  'time',
  'kind',
  'result',
  'code',
  'user',
  'device',
  'ip',
  'method',
  'path',
  'status',
  'step',
  'duration_ms',
  'idempotency_key',
  'app',
  'acr',
  'session',
  'user_agent',
  'request_digest',
  'response_digest',
  'detail',
  'facts',
  'id',
  'log',
  'index',
  'leaf_hash',
] as const

/** The first line of a format; empty without one. */
export function exportHead(format: ExportFormat): string {
  return format === 'csv' ? stringify([[...columns]], { record_delimiter: 'windows' }) : ''
}

/** Lines of a format, each with its end. */
export function exportLines(format: ExportFormat, entries: readonly OpenedEntry[]): string {
  if (format === 'jsonl') return entries.map((opened) => `${JSON.stringify(jsonOf(opened))}\n`).join('')
  // Formulas are escaped (OWASP, "CSV Injection").
  return stringify(entries.map(cellsOf), { escape_formulas: true, record_delimiter: 'windows' })
}

function jsonOf({ entry, detail, groups, facts }: OpenedEntry) {
  return { ...publicPart(entry), detail, groups, ...(facts === undefined ? {} : { facts }) }
}

function cellsOf({ entry, detail, groups, facts }: OpenedEntry): readonly (string | number | null)[] {
  const { core = {}, net = {}, pay = {}, sub = {} } = groups
  const row: Readonly<Record<string, string | number | null>> = {
    ...core,
    ...net,
    ...pay,
    ...sub,
    ...publicPart(entry),
    detail,
    facts: facts === undefined ? null : JSON.stringify(facts),
  }
  return columns.map((column) => plain(row[column] ?? null))
}

/** Some spreadsheets split cells at these characters, so a formula may begin after them. */
function plain(cell: string | number | null): string | number | null {
  return typeof cell === 'string' ? cell.replace(/([;|\t\r\n][\s"']*)([=+@-])/g, "$1'$2") : cell
}

function publicPart({ globalIndex, id, hash, at, kind, result, code, app }: LogEntry) {
  return {
    time: new Date(at).toISOString(),
    kind,
    result,
    code,
    app,
    id: leafIdText(id),
    ...positionOf(globalIndex),
    leaf_hash: encodeBase64Url(hash),
  }
}
