/** An entry as an auditor of a role may see it. */

import { encodeBase64, encodeBase64Url } from 'miniseal-protocol/text'
import { type GroupLabel, groupLabels } from 'miniseal-protocol/tlog/audit-leaf'
import type { AuditorRole } from '../../store/auditors.ts'
import { StoreUnavailable } from '../../store/store.ts'
import type { LogEntry } from '../../store/tlog-entries.ts'
import { indexesPerLog } from '../../store/tlog-entries.ts'
import { leafIdText } from '../../tlog/leaf-id.ts'
import { type OpenedGroups, openDetail } from '../../tlog/sealed-details.ts'
import type { FindSubjectKey } from '../../tlog/subject-keys.ts'
import type { EntryAnswer, EntryRow, ShownGroup, ShownProof } from './answers.ts'
import { type OpenedEntry, openEntry } from './export.ts'
import type { AuditParts } from './parts.ts'

/** What the roles show. The address and the device's signature identify a person elsewhere: they are for disclosure. */
const shown: { readonly [R in AuditorRole]: readonly GroupLabel[] } = {
  reader: ['core', 'pay', 'sub'],
  discloser: groupLabels,
}

/** Whether a role may take entries away, as a file. */
export function mayDisclose(role: AuditorRole): boolean {
  return role === 'discloser'
}

/** The rows of a table, opened. One that was changed in the database says so, and hides no other. */
export async function rowsOf(
  entries: readonly LogEntry[],
  findKey: FindSubjectKey,
): Promise<readonly EntryRow[]> {
  const rows: EntryRow[] = []
  for (const entry of entries) rows.push(await rowOf(entry, findKey))
  return rows
}

async function rowOf(entry: LogEntry, findKey: FindSubjectKey): Promise<EntryRow> {
  const { globalIndex, id, hash, at, kind, result, code, app } = entry
  const { detail, groups, facts } = await readEntry(entry, findKey)
  const { core, sub } = groups
  return {
    globalIndex,
    log: Math.floor(globalIndex / indexesPerLog),
    index: globalIndex % indexesPerLog,
    id: leafIdText(id),
    hash: encodeBase64Url(hash),
    at,
    kind,
    result,
    code,
    app,
    detail,
    ...(core === undefined ? {} : { core }),
    ...(sub === undefined ? {} : { sub }),
    ...(facts === undefined ? {} : { facts }),
  }
}

type ReadEntry = Pick<EntryRow, 'detail' | 'facts'> & Pick<OpenedEntry, 'groups'>

/** Who can write the database can change a leaf or a detail: the rest is shown all the same. */
async function readEntry(entry: LogEntry, findKey: FindSubjectKey): Promise<ReadEntry> {
  try {
    const { detail, groups, facts } = await openEntry(entry, findKey)
    return { detail, groups, ...(facts === undefined ? {} : { facts }) }
  } catch (error) {
    if (error instanceof StoreUnavailable) throw error
    return { detail: 'damaged', groups: {} }
  }
}

/** One entry with everything that proves it, as far as the role goes. */
export async function entryAnswer(
  { reader, findKey }: Pick<AuditParts, 'reader' | 'findKey'>,
  entry: LogEntry,
  role: AuditorRole,
): Promise<EntryAnswer> {
  const row = await rowOf(entry, findKey)
  const opened = row.detail === 'opened' ? await openGroups(entry, findKey) : new Map()
  const groups: Partial<Record<GroupLabel, ShownGroup>> = {}
  for (const label of shown[role]) {
    const group = opened.get(label)
    if (group !== undefined) groups[label] = { salt: encodeBase64(group.salt), value: group.value }
  }
  return {
    row,
    leaf: encodeBase64(entry.leaf),
    groups,
    withheld: groupLabels.filter((label) => opened.has(label) && groups[label] === undefined),
    proof: (await proofOf(reader, entry)) ?? null,
  }
}

/** Empty where there is none, or none any more. @throws Error for a detail that does not open: it was changed. */
export async function openGroups(
  { detail, id, userBlindIndex }: LogEntry,
  findKey: FindSubjectKey,
): Promise<OpenedGroups> {
  const key = detail === null ? undefined : await findKey(userBlindIndex)
  return detail === null || key === undefined ? new Map() : openDetail(detail, id, key)
}

async function proofOf(
  reader: AuditParts['reader'],
  { globalIndex }: LogEntry,
): Promise<ShownProof | undefined> {
  const [log, index] = [Math.floor(globalIndex / indexesPerLog), globalIndex % indexesPerLog]
  const checkpoint = await reader.latestCheckpoint(log)
  if (checkpoint === undefined || checkpoint.size <= index) return undefined
  const path = await reader.inclusion(index, checkpoint.size, log)
  return {
    index,
    size: checkpoint.size,
    path: path.map((hash) => encodeBase64(hash)),
    checkpoint: checkpoint.note + checkpoint.cosignatures,
  }
}
