/** What an operator sets of the log: its name, how long details are kept, and the witnesses that a policy file names (C2SP tlog-policy). */
import { readFileSync } from 'node:fs'
import { encodePolicy, parsePolicy } from 'miniseal-protocol/tlog/tlog-policy'
import { sodiumPrimitives } from '../keys/sodium-primitives.ts'
import { parseOrigin } from './origin.ts'
import type { RetentionSettings } from './retention.ts'
import { parseRetention } from './retention.ts'
import type { WitnessTarget } from './witnessing.ts'

export interface LogSettings {
  /** (C2SP tlog-checkpoint.) `undefined`: made from the public origin when the log is started. */
  readonly origin: string | undefined
  /** Asked to cosign each checkpoint. */
  readonly witnesses: readonly WitnessTarget[]
  /** What the policy file requires, for clients; `undefined` where it requires nobody. */
  readonly policy: string | undefined
  /** Of the authority that stamps a checkpoint a day (RFC 3161). `undefined`: none. */
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

/** Those of the file that verifiers use, too. Witnesses without a URL are not asked: they get at the log by themselves. */
function readPolicy(path: string | undefined): Pick<LogSettings, 'witnesses' | 'policy'> {
  if (path === undefined) return { witnesses: [], policy: undefined }
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch {
    throw new Error('MINISEAL_LOG_POLICY_FILE names a file that cannot be read')
  }
  try {
    const policy = parsePolicy(sodiumPrimitives, text)
    const witnesses = policy.witnesses.flatMap((witness) =>
      witness.url === undefined ? [] : [{ ...witness, url: checkedUrl(witness.url) }],
    )
    // Clients have the log's keys from the configuration, and ask no witness.
    const required = {
      ...policy,
      logs: [],
      witnesses: policy.witnesses.map(({ name, key }) => ({ name, key })),
    }
    const isRequired = policy.quorum !== undefined
    return { witnesses, policy: isRequired ? encodePolicy(sodiumPrimitives, required) : undefined }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new Error(`MINISEAL_LOG_POLICY_FILE is not a policy: ${reason}`)
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

/** Plain http is usual for authorities: their answer is signed, and asks for no secret. */
function parseTimestampUrl(text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  if (!URL.canParse(text) || !['http:', 'https:'].includes(new URL(text).protocol)) {
    throw new Error('MINISEAL_TSA_URL must be an http or https URL')
  }
  return text
}
