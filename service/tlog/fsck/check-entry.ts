/** Checks one entry: columns against its bytes, sealed details against commitments and blind indexes. */
import { equalBytes } from 'miniseal-protocol/bytes'
import { decodeHex } from 'miniseal-protocol/text'
import { parseLeaf } from 'miniseal-protocol/tlog/audit-leaf'
import type { LogEntry, PendingEntry } from '../../store/tlog-entries.ts'
import type { BlindIndexName, BlindIndexOf } from '../blind-index.ts'
import { areaOf, pathOf } from '../blind-index.ts'
import type { OpenedGroups } from '../sealed-details.ts'
import { commitmentOf, openDetail } from '../sealed-details.ts'
import type { FindSubjectKey } from '../subject-keys.ts'
import type { Findings } from './findings.ts'

/** The checked members of an entry. */
export interface ReadLeaf {
  /** 16 bytes. */
  readonly id: Uint8Array
  readonly kind: string
  readonly result: string
  /** Milliseconds since 1970. */
  readonly at: number
  /** Empty: none. */
  readonly app: string
  /** The problem code of a refusal, if it is a public fact; otherwise it is in a group. */
  readonly code: string | undefined
  /** Retention of its detail in seconds; `undefined` if unparsable. */
  readonly retentionSeconds: number | undefined
  /** Commitments to groups, base64, by label. */
  readonly commitments: ReadonlyMap<string, string>
}

/** Compares the sealed details of an entry with its leaf. */
type CheckDetail = (row: LogEntry, leaf: ReadLeaf, location: string) => Promise<void>

const maxLeafLength = 2_048

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** 32 bytes in base64. */
const digestText = /^[A-Za-z0-9+/]{43}=$/

/** @throws Error unless the bytes are a leaf */
export function readLeaf(bytes: Uint8Array): ReadLeaf {
  if (bytes.length > maxLeafLength) throw new Error('the leaf is too long')
  const value: unknown = JSON.parse(utf8.decode(bytes))
  if (!isRecord(value) || value.v !== 1) throw new Error('not a leaf')
  const groups = value.c === undefined ? {} : value.c
  if (!isRecord(groups)) throw new Error('not a leaf')
  const { id, k, r, rc, ts, app } = value
  const code = isRecord(value.x) ? value.x.code : undefined
  if (typeof k !== 'string' || typeof r !== 'string' || typeof ts !== 'number') throw new Error('not a leaf')
  const commitments = Object.entries(groups).map(([label, text]): [string, string] => {
    if (!digestText.test(textOf(text))) throw new Error('not a commitment')
    return [label, textOf(text)]
  })
  return {
    id: decodeHex(textOf(id).replaceAll('-', '')),
    kind: k,
    result: r,
    at: ts,
    app: app === undefined ? '' : textOf(app),
    code: code === undefined ? undefined : textOf(code),
    retentionSeconds: secondsOf(typeof rc === 'string' ? rc : ''),
    commitments: new Map(commitments),
  }
}

/** `190d`, `5y`. */
function secondsOf(text: string): number | undefined {
  const [, count, unit] = /^([1-9][0-9]{0,3})([dy])$/.exec(text) ?? []
  return count === undefined ? undefined : Number(count) * (unit === 'y' ? 365 : 1) * 86_400
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function textOf(value: unknown): string {
  if (typeof value !== 'string') throw new Error('not a text')
  return value
}

/**
 * Compares the columns of a row with its entry: a changed column would hide the entry from searches.
 *
 * @returns the leaf; `undefined` for malformed bytes, which is a finding
 */
export function checkColumns(row: PendingEntry, location: string, findings: Findings): ReadLeaf | undefined {
  let leaf: ReadLeaf
  try {
    leaf = readLeaf(row.leaf)
  } catch {
    findings.report('entry-unreadable', location, 'the bytes are not an entry')
    return undefined
  }
  const wrong = [
    ['id', equalBytes(row.id, leaf.id)],
    ['kind', row.kind === leaf.kind],
    ['result', row.result === leaf.result],
    ['at', row.at === leaf.at],
    ['app', (row.app ?? '') === leaf.app],
    ['code', leaf.code === undefined || row.code === leaf.code],
  ].filter(([, isSame]) => isSame === false)
  for (const [column] of wrong) {
    findings.report('column-changed', location, `the column ${column} differs from the entry`)
  }
  return leaf
}

// Sealed details are opened and compared with the entry's commitments and blind indexes.

/** Counts of details. */
export interface DetailCount {
  opened: number
  /** Pruned after their retention period, or none from the start. */
  absent: number
  /** Deleted within their retention period. */
  erased: number
}

export interface DetailCheck {
  readonly check: CheckDetail
  readonly count: Readonly<DetailCount>
  /** For authentic pending entries, which may record an erasure. */
  readonly seePending: (leaf: Uint8Array) => void
  /** Call it after the last entry. */
  finish(): void
}

export interface DetailCheckOptions {
  readonly findKey: FindSubjectKey
  readonly blindIndexOf: BlindIndexOf
  readonly findings: Findings
  /** UNIX seconds. */
  readonly now: number
}

/** Needs the master key. */
export function checkDetails({ findKey, blindIndexOf, findings, now }: DetailCheckOptions): DetailCheck {
  const count: DetailCount = { opened: 0, absent: 0, erased: 0 }
  let erasures = 0
  let firstErased: string | undefined
  const countMissing = (leaf: ReadLeaf, location: string): void => {
    // From the entry: an attacker could change the column.
    const isExpired = leaf.commitments.size === 0 || leaf.at / 1000 + (leaf.retentionSeconds ?? 0) <= now
    if (isExpired) {
      count.absent++
      return
    }
    count.erased++
    firstErased ??= location
  }
  const check = async (row: LogEntry, leaf: ReadLeaf, location: string): Promise<void> => {
    if (leaf.kind === 'erased') erasures++
    if (row.detail === null) {
      countMissing(leaf, location)
      return
    }
    try {
      const key = await findKey(row.userBlindIndex)
      if (key === undefined) throw new Error('no key')
      const groups = openDetail(row.detail, row.id, key)
      count.opened++
      compareGroups(groups, leaf, location, findings)
      compareBlindIndexes(groups, row, location, { blindIndexOf, findings })
    } catch {
      const message = 'the details cannot be decrypted with the key of this entry and user'
      findings.report('detail-changed', location, message)
    }
  }
  const seePending = (leaf: Uint8Array): void => {
    if (parseLeaf(leaf).kind === 'erased') erasures++
  }
  const finish = (): void => {
    if (firstErased === undefined || erasures > 0) return
    const message = `the details of this and ${count.erased - 1} more entries are missing, and no entry records an erasure`
    findings.report('detail-missing', firstErased, message)
  }
  return { check, count, seePending, finish }
}

function compareGroups(
  groups: OpenedGroups,
  { commitments }: ReadLeaf,
  location: string,
  findings: Findings,
): void {
  for (const label of new Set([...commitments.keys(), ...groups.keys()])) {
    const [committed, group] = [commitments.get(label), groups.get(label)]
    const computed = group === undefined ? '' : Buffer.from(commitmentOf(label, group)).toString('base64')
    if (committed !== computed) {
      findings.report('detail-changed', location, `the group ${label} does not match its commitment`)
    }
  }
}

function compareBlindIndexes(
  groups: OpenedGroups,
  row: LogEntry,
  location: string,
  { blindIndexOf, findings }: { readonly blindIndexOf: BlindIndexOf; readonly findings: Findings },
): void {
  const [core, net, sub] = ['core', 'net', 'sub'].map((label) => membersOf(groups, label))
  const path = core?.path
  const found: readonly (readonly [BlindIndexName, Uint8Array | null, string | undefined])[] = [
    ['user', row.userBlindIndex, sub?.user],
    ['device', row.deviceBlindIndex, sub?.device],
    ['ip', row.ipBlindIndex, net?.ip],
    ['path', row.pathBlindIndex, path === undefined ? undefined : pathOf(path)],
    ['area', row.areaBlindIndex, path === undefined ? undefined : areaOf(path)],
  ]
  for (const [name, stored, value] of found) {
    const isSame =
      stored === null
        ? value === undefined
        : value !== undefined && equalBytes(stored, blindIndexOf(name, value))
    if (!isSame)
      findings.report(
        'blind-index-changed',
        location,
        `the blind index of the ${name} differs from the details`,
      )
  }
  const isRefusal =
    core?.refusal === undefined ? row.code === null || row.result !== 'ok' : core.refusal === row.code
  if (!isRefusal) {
    findings.report('column-changed', location, 'the column code differs from the details')
  }
}

/** The text members of a group. */
function membersOf(groups: OpenedGroups, label: string): Readonly<Record<string, string>> {
  const value: unknown = JSON.parse(groups.get(label)?.value ?? '{}')
  const members = typeof value === 'object' && value !== null ? Object.entries(value) : []
  return Object.fromEntries(
    members.filter((member): member is [string, string] => typeof member[1] === 'string'),
  )
}
