/** For how long details are kept, by what they are of. Leaves stay for ever. */
import type { LeafKind } from 'miniseal-protocol/tlog/audit-leaf'

/** A time as it stands in a leaf, and in seconds. */
export interface Retention {
  /** `190d`, `5y` */
  readonly text: string
  readonly seconds: number
}

export interface RetentionSettings {
  /** Logins, refusals, devices, keys, what auditors read: all that is about the service's own security. */
  readonly security: Retention
  /** Requests that only look. */
  readonly reads: Retention
  /** Requests that may have an effect: money movements among them. */
  readonly writes: Retention
}

const day = 86_400
const units: Readonly<Record<string, number>> = { d: day, y: 365 * day }

/** @throws Error unless it is 1 to 9999 days or years. */
function parseTime(text: string): Retention {
  const [, count = '', unit = ''] = /^([1-9][0-9]{0,3})([dy])$/.exec(text) ?? []
  const seconds = units[unit]
  if (seconds === undefined) throw new Error(form)
  return { text, seconds: Number(count) * seconds }
}

const form =
  'MINISEAL_RETENTION must be a comma list of security, reads and writes with days or years, for example security=190d,reads=1y,writes=5y'

const defaults: RetentionSettings = {
  security: { text: '190d', seconds: 190 * day },
  reads: { text: '1y', seconds: 365 * day },
  writes: { text: '5y', seconds: 5 * 365 * day },
}

/**
 * Reads `MINISEAL_RETENTION`; what it does not name keeps its default.
 *
 * @throws Error for an unknown or repeated name, or another form, with a message for the operator.
 */
export function parseRetention(text: string | undefined): RetentionSettings {
  const settings: { -readonly [Name in keyof RetentionSettings]: Retention } = { ...defaults }
  const seen = new Set<string>()
  for (const entry of text?.split(',') ?? []) {
    const [name = '', time = '', ...rest] = entry.trim().split('=')
    if (rest.length > 0 || seen.has(name)) throw new Error(form)
    seen.add(name)
    if (name !== 'security' && name !== 'reads' && name !== 'writes') throw new Error(form)
    settings[name] = parseTime(time)
  }
  return settings
}

/** What a request's method says of how long it is kept. */
export type RequestWeight = 'reads' | 'writes'

/** The class of a leaf; `weight` is that of the request it is about, where it is about one. */
export function retentionOf(
  settings: RetentionSettings,
  kind: LeafKind,
  weight: RequestWeight | undefined,
): Retention {
  const isOfRequest = kind === 'request' || kind === 'outcome-unknown'
  return isOfRequest && weight !== undefined ? settings[weight] : settings.security
}
