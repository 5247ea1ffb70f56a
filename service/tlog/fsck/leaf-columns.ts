/** What a leaf says of itself, read anew from its bytes, and compared with the columns that it is found by. */
import { equalBytes } from 'miniseal-protocol/bytes'
import { decodeHex } from 'miniseal-protocol/text'
import type { PendingEntry } from '../../store/tlog-entries.ts'
import type { Findings } from './findings.ts'

/** A leaf's members as far as a check needs them. */
export interface ReadLeaf {
  /** 16 bytes. */
  readonly id: Uint8Array
  readonly kind: string
  readonly result: string
  /** Milliseconds since 1970. */
  readonly at: number
  /** Empty: none. */
  readonly app: string
  /** Of a refusal, where it is a public fact; else it is in a group. */
  readonly code: string | undefined
  /** For how long its detail is kept, in seconds; `undefined` where its class is not told as a time. */
  readonly retentionSeconds: number | undefined
  /** Commitments to groups, base64, by label. */
  readonly commitments: ReadonlyMap<string, string>
}

const maxLeafLength = 2_048

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** 32 bytes in base64. */
const digestText = /^[A-Za-z0-9+/]{43}=$/

/** @throws Error for bytes that are no leaf. */
export function readLeaf(bytes: Uint8Array): ReadLeaf {
  if (bytes.length > maxLeafLength) throw new Error('a leaf is too long')
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
 * Compares the columns of a row with its leaf: a row that is found by something else than what was logged hides it.
 *
 * @returns the leaf; `undefined` when its bytes are none, which is a finding
 */
export function checkColumns(row: PendingEntry, location: string, findings: Findings): ReadLeaf | undefined {
  let leaf: ReadLeaf
  try {
    leaf = readLeaf(row.leaf)
  } catch {
    findings.report('entry-unreadable', location, 'its bytes are no leaf')
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
    findings.report('column-changed', location, `the column ${column} is not what its leaf says`)
  }
  return leaf
}
