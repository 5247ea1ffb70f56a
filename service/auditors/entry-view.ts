/** An entry as an auditor of a role may see it. */
import { type GroupLabel, groupLabels, parseLeaf } from '../../crypto/audit-leaf.ts'
import { encodeBase64, encodeBase64Url } from '../../crypto/text.ts'
import { leafIdText } from '../log/leaf-id.ts'
import { type OpenedGroups, openDetail } from '../log/sealed-details.ts'
import type { FindSubjectKey } from '../log/subject-keys.ts'
import type { AuditorRole, LogEntry } from '../store/log-records.ts'
import { placesPerLog } from '../store/log-records.ts'
import type { EntryAnswer, EntryRow, ShownGroup, ShownProof } from './answers.ts'
import { openEntry } from './export.ts'
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

/** The rows of a table, opened. @throws Error for a detail that is there and does not open: it was changed. */
export async function rowsOf(
  entries: readonly LogEntry[],
  findKey: FindSubjectKey,
): Promise<readonly EntryRow[]> {
  const rows: EntryRow[] = []
  for (const entry of entries) rows.push(await rowOf(entry, findKey))
  return rows
}

async function rowOf(entry: LogEntry, findKey: FindSubjectKey): Promise<EntryRow> {
  const { place, id, hash, at, kind, result, code, app } = entry
  const { detail, groups } = await openEntry(entry, findKey)
  const { core, sub } = groups
  const { facts } = parseLeaf(entry.leaf)
  return {
    place,
    log: Math.floor(place / placesPerLog),
    position: place % placesPerLog,
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

/** One entry with everything that proves it, as far as the role goes. */
export async function entryAnswer(
  { reader, findKey }: Pick<AuditParts, 'reader' | 'findKey'>,
  entry: LogEntry,
  role: AuditorRole,
): Promise<EntryAnswer> {
  const opened = await openGroups(entry, findKey)
  const groups: Partial<Record<GroupLabel, ShownGroup>> = {}
  for (const label of shown[role]) {
    const group = opened.get(label)
    if (group !== undefined) groups[label] = { salt: encodeBase64(group.salt), value: group.value }
  }
  return {
    row: await rowOf(entry, findKey),
    leaf: encodeBase64(entry.leaf),
    groups,
    withheld: groupLabels.filter((label) => opened.has(label) && groups[label] === undefined),
    proof: (await proofOf(reader, entry)) ?? null,
  }
}

/** Empty where there is none, or none any more. @throws Error for a detail that does not open: it was changed. */
export async function openGroups(
  { detail, id, userTag }: LogEntry,
  findKey: FindSubjectKey,
): Promise<OpenedGroups> {
  const key = detail === null ? undefined : await findKey(userTag)
  return detail === null || key === undefined ? new Map() : openDetail(detail, id, key)
}

async function proofOf(reader: AuditParts['reader'], { place }: LogEntry): Promise<ShownProof | undefined> {
  const [log, index] = [Math.floor(place / placesPerLog), place % placesPerLog]
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
