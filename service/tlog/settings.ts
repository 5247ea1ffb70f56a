/** Settings of the log: origin, retention, timestamp authority, and the witnesses of a policy file (C2SP tlog-policy). */
import { readFileSync } from 'node:fs'
import type { LeafKind } from 'miniseal-protocol/tlog/audit-leaf'
import { encodePolicy, parsePolicy } from 'miniseal-protocol/tlog/tlog-policy'
import { sodiumPrimitives } from '../keys/sodium-primitives.ts'
import type { WitnessTarget } from './witnesses.ts'

export interface LogSettings {
  /** C2SP tlog-checkpoint; `undefined`: derived from the public origin when the log starts. */
  readonly origin: string | undefined
  /** Witnesses that cosign each checkpoint. */
  readonly witnesses: readonly WitnessTarget[]
  /** The policy for clients; `undefined` without a quorum. */
  readonly policy: string | undefined
  /** Timestamp authority (RFC 3161), one token a day; `undefined`: none. */
  readonly timestampUrl: string | undefined
  readonly retention: RetentionSettings
}

/** @throws Error with a message for the operator. */
export function readLogSettings(values: {
  readonly MINISEAL_LOG_ORIGIN?: string | undefined
  readonly MINISEAL_LOG_POLICY_FILE?: string | undefined
  readonly MINISEAL_TSA_URL?: string | undefined
  readonly MINISEAL_RETENTION?: string | undefined
}): LogSettings {
  return {
    origin: parseOrigin(values.MINISEAL_LOG_ORIGIN),
    ...readPolicy(values.MINISEAL_LOG_POLICY_FILE),
    timestampUrl: parseTimestampUrl(values.MINISEAL_TSA_URL),
    retention: parseRetention(values.MINISEAL_RETENTION),
  }
}

/**
 * Parses a configured origin: a URL without its scheme, in characters that all tools accept in key names.
 *
 * @throws Error with a message for the operator
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

/** Witnesses without a URL poll the log; no requests are sent to them. */
function readPolicy(path: string | undefined): Pick<LogSettings, 'witnesses' | 'policy'> {
  if (path === undefined) return { witnesses: [], policy: undefined }
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch {
    throw new Error('the file of MINISEAL_LOG_POLICY_FILE cannot be read')
  }
  try {
    const policy = parsePolicy(sodiumPrimitives, text)
    const witnesses = policy.witnesses.flatMap((witness) =>
      witness.url === undefined ? [] : [{ ...witness, url: checkedUrl(witness.url) }],
    )
    // Clients have the log keys from the configuration, and contact no witness.
    const required = {
      ...policy,
      logs: [],
      witnesses: policy.witnesses.map(({ name, key }) => ({ name, key })),
    }
    const isRequired = policy.quorum !== undefined
    return { witnesses, policy: isRequired ? encodePolicy(sodiumPrimitives, required) : undefined }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new Error(`MINISEAL_LOG_POLICY_FILE is not a valid policy: ${reason}`)
  }
}

function checkedUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const isLoopback = ['127.0.0.1', 'localhost', '[::1]'].includes(url?.hostname ?? '')
  if (url?.protocol !== 'https:' && !(url?.protocol === 'http:' && isLoopback)) {
    throw new Error('the URL of a witness must be https, or on loopback')
  }
  return text
}

/** Plain http is common for authorities: the response is signed and nothing is secret. */
function parseTimestampUrl(text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  if (!URL.canParse(text) || !['http:', 'https:'].includes(new URL(text).protocol)) {
    throw new Error('MINISEAL_TSA_URL must be an http or https URL')
  }
  return text
}

// Retention of sealed details, by class. Entries are never deleted.

/** A retention period as text in the entry, and in seconds. */
export interface Retention {
  /** `190d`, `5y` */
  readonly text: string
  readonly seconds: number
}

export interface RetentionSettings {
  /** Security events: logins, refusals, devices, keys, access by auditors. */
  readonly security: Retention
  /** Requests with safe methods. */
  readonly reads: Retention
  /** Requests that may have an effect, such as payments. */
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
 * Parses `MINISEAL_RETENTION`; classes it does not name keep their defaults.
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

/** The retention class of a request, by its method. */
export type RequestWeight = 'reads' | 'writes'

/** @param weight the class of the request, for entries about a request */
export function retentionOf(
  settings: RetentionSettings,
  kind: LeafKind,
  weight: RequestWeight | undefined,
): Retention {
  const isOfRequest = kind === 'request' || kind === 'outcome-unknown'
  return isOfRequest && weight !== undefined ? settings[weight] : settings.security
}
