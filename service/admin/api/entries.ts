/** Entries for auditors, with the details that a role may see. */
import { encodeBase64, encodeBase64Url, encodeUtf8 } from 'miniseal-protocol/text'
import { type GroupLabel, groupLabels, parseGroup, parseLeaf } from 'miniseal-protocol/tlog/audit-leaf'
import type { FlatObject } from 'miniseal-protocol/tlog/flat-json'
import type { AuditorRole } from '../../store/auditors.ts'
import { StoreUnavailable } from '../../store/store.ts'
import { indexesPerLog, type LogEntry } from '../../store/tlog-entries.ts'
import { leafIdText } from '../../tlog/entry.ts'
import { openDetail, openGroups } from '../../tlog/sealed-details.ts'
import type { FindSubjectKey } from '../../tlog/subject-keys.ts'
import type { EntryAnswer, EntryRow, ShownGroup, ShownProof } from './answers.ts'
import type { AuditDependencies } from './context.ts'

/** Groups by role. Address and device signature identify a user elsewhere, so they need `discloser`. */
const shown: { readonly [R in AuditorRole]: readonly GroupLabel[] } = {
  reader: ['core', 'pay', 'sub'],
  discloser: groupLabels,
}

/** Whether a role may export and disclose. */
export function mayDisclose(role: AuditorRole): boolean {
  return role === 'discloser'
}

/** Table rows with opened details. A damaged entry is marked and does not hide others. */
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
    ...positionOf(globalIndex),
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

/** The number of an entry's log, and its index there. */
export function positionOf(globalIndex: number): { readonly log: number; readonly index: number } {
  return { log: Math.floor(globalIndex / indexesPerLog), index: globalIndex % indexesPerLog }
}

type ReadEntry = Pick<EntryRow, 'detail' | 'facts'> & Pick<OpenedEntry, 'groups'>

/** Entries may have been tampered with in the database; the others are still shown. */
async function readEntry(entry: LogEntry, findKey: FindSubjectKey): Promise<ReadEntry> {
  try {
    const { detail, groups, facts } = await openEntry(entry, findKey)
    return { detail, groups, ...(facts === undefined ? {} : { facts }) }
  } catch (error) {
    if (error instanceof StoreUnavailable) throw error
    return { detail: 'damaged', groups: {} }
  }
}

/** One entry with its proof and the groups that the role may see. */
export async function entryAnswer(
  { reader, findKey }: Pick<AuditDependencies, 'reader' | 'findKey'>,
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

async function proofOf(
  reader: AuditDependencies['reader'],
  entry: LogEntry,
): Promise<ShownProof | undefined> {
  const proof = await reader.inclusion(entry.globalIndex)
  if (proof === undefined) return undefined
  const { hashes, ...shown } = proof
  return { ...shown, path: hashes.map((hash) => encodeBase64(hash)) }
}

/** An entry with its opened details. */
export interface OpenedEntry {
  readonly entry: LogEntry
  /** `none`: the entry never had details. */
  readonly detail: 'opened' | 'erased' | 'none'
  /** By label; empty unless opened. */
  readonly groups: Readonly<Record<string, FlatObject>>
  /** Public facts of the leaf: member `x`. */
  readonly facts: FlatObject | undefined
}

/** @throws Error for a detail that was tampered with. */
export async function openEntry(entry: LogEntry, findKey: FindSubjectKey): Promise<OpenedEntry> {
  const { facts, commitments } = parseLeaf(entry.leaf)
  const hasGroups = commitments !== undefined && Object.keys(commitments).length > 0
  const nothing = { entry, detail: hasGroups ? 'erased' : 'none', groups: {}, facts } as const
  if (entry.detail === null) return nothing
  const key = await findKey(entry.userBlindIndex)
  if (key === undefined) return nothing
  const groups = [...openDetail(entry.detail, entry.id, key)].map(
    ([label, { value }]): [string, FlatObject] => [label, parseGroup(encodeUtf8(value))],
  )
  return { entry, detail: 'opened', groups: Object.fromEntries(groups), facts }
}
