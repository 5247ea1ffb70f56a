/** Origins of logs, and the first entry of a log, which may cite the log it continues. */
import { randomBytes } from 'node:crypto'
import { encodeBase64 } from 'miniseal-protocol/text'
import { encodeLeaf } from 'miniseal-protocol/tlog/audit-leaf'
import type { Write } from '../store/store.ts'
import type { PendingEntry } from '../store/tlog-entries.ts'
import { globalIndexOf } from '../store/tlog-entries.ts'
import type { Checkpoint } from './checkpoint.ts'
import type { RowMacs } from './row-macs.ts'
import { hashLeaf } from './tree.ts'

/** The origin of a service's first log: its host and port, and the year in which the log begins. */
export function defaultOrigin(authority: string, now: number): string {
  return `${authority}/audit/${new Date(now * 1000).getUTCFullYear()}`
}

/**
 * Reads a configured origin: a URL without its scheme, of characters that every tool takes in names of keys.
 *
 * @throws Error for another form.
 */
export function parseOrigin(text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  if (text.length > 128 || !/^[a-z0-9.:[\]-]+(\/[A-Za-z0-9._-]+)*$/.test(text)) {
    throw new Error(
      'MINISEAL_LOG_ORIGIN must be a host with a path, for example pay.example.com/audit/2026, of at most 128 characters',
    )
  }
  return text
}

/** Whether `origin` is `base`, or one of the logs that continue it: `base-2`, `base-3`, … */
export function isOriginOf(origin: string, base: string): boolean {
  return (
    origin === base || (origin.startsWith(`${base}-`) && /^[1-9][0-9]*$/.test(origin.slice(base.length + 1)))
  )
}

/** The first of `base`, `base-2`, `base-3`, … that is free. */
export async function findFreeOrigin(
  base: string,
  isTaken: (origin: string) => Promise<boolean>,
): Promise<string> {
  for (let number = 1; ; number++) {
    const origin = number === 1 ? base : `${base}-${number}`
    if (!(await isTaken(origin))) return origin
  }
}

/** A log that is to begin. */
export interface LogStart {
  readonly log: number
  readonly origin: string
  /** The last checkpoint that was signed of the log before, which the first leaf cites. */
  readonly previous: Checkpoint | undefined
  /** UNIX seconds. */
  readonly now: number
  readonly macs: RowMacs
}

/** What makes a log of one leaf, all in one commit. */
export function startWrites({ log, origin, previous, now, macs }: LogStart): readonly Write[] {
  const entry = startLeaf(origin, previous, now)
  const hour = Math.floor(now / 3600) * 3600
  const { kind, result } = entry
  const state = { log, origin, size: 1, root: entry.hash }
  return [
    { kind: 'insert-log-state', state: { ...state, mac: macs.ofState(state) } },
    { kind: 'insert-log-entry', entry: { globalIndex: globalIndexOf(log, 0), ...entry } },
    { kind: 'insert-tile', tile: { log, level: 0, index: 0, hashes: entry.hash } },
    { kind: 'add-hour-count', count: { hour, kind, result, code: '', entries: 1 } },
  ]
}

function startLeaf(origin: string, previous: Checkpoint | undefined, now: number): PendingEntry {
  const at = now * 1000
  const id = timedId(at)
  const cited =
    previous === undefined
      ? {}
      : {
          previous_origin: previous.origin,
          previous_root: encodeBase64(previous.root),
          previous_size: previous.size,
        }
  const leaf = encodeLeaf({
    id: textOfId(id),
    kind: 'log-started',
    result: 'ok',
    retention: '5y',
    at,
    facts: { origin, ...cited },
  })
  return {
    id,
    hash: hashLeaf(leaf),
    leaf,
    at,
    kind: 'log-started',
    result: 'ok',
    code: null,
    app: null,
    userBlindIndex: null,
    deviceBlindIndex: null,
    ipBlindIndex: null,
    pathBlindIndex: null,
    areaBlindIndex: null,
    detail: null,
    detailExpiresAt: 0,
  }
}

/** A UUIDv7 (RFC 9562, section 5.7). */
function timedId(milliseconds: number): Uint8Array {
  const id = new Uint8Array(randomBytes(16))
  const view = new DataView(id.buffer)
  view.setUint16(0, Math.floor(milliseconds / 2 ** 32))
  view.setUint32(2, milliseconds % 2 ** 32)
  view.setUint8(6, (view.getUint8(6) & 0x0f) | 0x70)
  view.setUint8(8, (view.getUint8(8) & 0x3f) | 0x80)
  return id
}

function textOfId(id: Uint8Array): string {
  const hex = Buffer.from(id).toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}
