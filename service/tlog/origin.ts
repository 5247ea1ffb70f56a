/** Origins of logs, and the first entry of a log, which cites the log it continues. */
import { encodeBase64 } from 'miniseal-protocol/text'
import type { Checkpoint } from 'miniseal-protocol/tlog/checkpoint'
import type { Write } from '../store/store.ts'
import { globalIndexOf } from '../store/tlog-entries.ts'
import { makeEntry, newLeafId } from './entry.ts'
import type { RowMacs } from './row-macs.ts'

/** The default origin of a log: host and port of the service, and the year in which the log starts. */
export function defaultOrigin(authority: string, now: number): string {
  return `${authority}/audit/${new Date(now * 1000).getUTCFullYear()}`
}

/** Whether `origin` is `base` or a log that continues it: `base-2`, `base-3`, … */
export function isOriginOf(origin: string, base: string): boolean {
  return (
    origin === base || (origin.startsWith(`${base}-`) && /^[1-9][0-9]*$/.test(origin.slice(base.length + 1)))
  )
}

/** The first of `base`, `base-2`, `base-3`, … that is not taken. */
export async function findFreeOrigin(
  base: string,
  isTaken: (origin: string) => Promise<boolean>,
): Promise<string> {
  for (let number = 1; ; number++) {
    const origin = number === 1 ? base : `${base}-${number}`
    if (!(await isTaken(origin))) return origin
  }
}

export interface LogStart {
  readonly log: number
  readonly origin: string
  /** The last signed checkpoint of the previous log; the first entry cites it. */
  readonly previous: Checkpoint | undefined
  /** UNIX seconds. */
  readonly now: number
  readonly macs: RowMacs
}

/** The writes that create a log with its first entry, for one commit. */
export function startWrites({ log, origin, previous, now, macs }: LogStart): readonly Write[] {
  const cited =
    previous === undefined
      ? {}
      : {
          previous_origin: previous.origin,
          previous_root: encodeBase64(previous.root),
          previous_size: previous.size,
        }
  const at = now * 1000
  const retention = { text: '5y', seconds: 5 * 365 * 86_400 }
  const facts = { origin, ...cited }
  const entry = makeEntry({ kind: 'log-started', result: 'ok', at, retention, facts }, newLeafId(at))
  const hour = Math.floor(now / 3600) * 3600
  const state = { log, origin, size: 1, root: entry.hash }
  return [
    { kind: 'insert-log-state', state: { ...state, mac: macs.ofState(state) } },
    { kind: 'insert-log-entry', entry: { globalIndex: globalIndexOf(log, 0), ...entry } },
    { kind: 'insert-tile', tile: { log, level: 0, index: 0, hashes: entry.hash } },
    { kind: 'add-hour-count', count: { hour, kind: entry.kind, result: entry.result, code: '', entries: 1 } },
  ]
}
