/** Downloads: exports and evidence bundles. For auditors with the role `discloser`; logged first. */
import { type GroupLabel, groupLabels } from 'miniseal-protocol/tlog/audit-leaf'
import type { LogEntry } from '../../store/tlog-entries.ts'
import { leafIdText } from '../../tlog/entry.ts'
import { EvidenceRefused, makeEvidence } from '../../tlog/evidence/make-evidence.ts'
import { openGroups } from '../../tlog/sealed-details.ts'
import type { AuditParts } from './context.ts'
import { type ExportFormat, exportEntries, exportHead, exportLines } from './entries.ts'
import { AuditRefused } from './problems.ts'
import type { AuditFilter, AuditSearch } from './search.ts'

const types: { readonly [F in ExportFormat]: string } = {
  csv: 'text/csv; charset=utf-8',
  jsonl: 'application/jsonl; charset=utf-8',
}

export interface ExportParts extends Pick<AuditParts, 'findKey'> {
  readonly search: AuditSearch
  /** Called when the stream ends or is cancelled, possibly more than once. */
  readonly onEnd: () => void
}

/**
 * Streams all entries that match, page by page. A failure aborts the connection, so that a partial file is not mistaken for
 * a complete one.
 */
export function exportResponse(
  { findKey, search, onEnd }: ExportParts,
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

/** @throws AuditRefused `not_found` for an unknown format */
export function parseFormat(word: string | undefined): ExportFormat {
  if (word === 'csv' || word === 'jsonl') return word
  throw new AuditRefused('not_found')
}

/**
 * The evidence for one entry, with the requested groups that exist; for an erased entry the proof alone.
 *
 * @throws AuditRefused `not_yet` before its first checkpoint
 */
export async function evidenceResponse(
  parts: Pick<AuditParts, 'store' | 'reader' | 'findKey' | 'logKeys' | 'serviceKeys' | 'witnesses'>,
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

/** A comma list of labels, attacker-controlled; empty: nothing but the proof. @throws AuditRefused `not_found` */
export function parseLabels(words: string): readonly GroupLabel[] {
  return words
    .split(',')
    .filter((word) => word !== '')
    .map((word) => {
      const label = groupLabels.find((known) => known === word)
      if (label === undefined) throw new AuditRefused('not_found')
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
