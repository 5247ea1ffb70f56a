/** The environment variables: names, defaults and bounds. `docs/guides/operations.md` documents each one. */
import { z } from 'zod'

const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const

const optional = z.string().optional()

/** A decimal integer without sign or leading zeros. */
function integer(name: string, min: number, max: number, fallback: number) {
  const error = `${name} must be an integer from ${min} to ${max}`
  return z
    .string()
    .regex(/^(?:0|[1-9][0-9]{0,8})$/, { error })
    .transform(Number)
    .refine((value) => value >= min && value <= max, { error })
    .default(fallback)
}

/** Variables of the service. */
export const variables = z.object({
  NODE_ENV: optional,
  HOST: z.string().min(1).default('127.0.0.1'),
  PORT: integer('PORT', 0, 65_535, 8_787),
  MINISEAL_ORIGIN: optional,
  MINISEAL_DATABASE: z.string().default('sqlite:data/miniseal.db'),
  MINISEAL_POSTGRES_POOL: optional,
  MINISEAL_POSTGRES_DIRECT_URL: optional,
  MINISEAL_DATA: z.string().min(1).default('data'),
  MINISEAL_MASTER_KEY: optional,
  MINISEAL_WECHAT_APPS: optional,
  MINISEAL_WECHAT_API: optional,
  MINISEAL_UPSTREAMS: optional,
  MINISEAL_ROUTES_FILE: optional,
  MINISEAL_LIMITS: optional,
  MINISEAL_TRUSTED_PROXIES: optional,
  /** MiB; 0 disables the check. */
  MINISEAL_DISK_RESERVE: integer('MINISEAL_DISK_RESERVE', 0, 999_999, 256),
  MINISEAL_MAX_DEVICES: integer('MINISEAL_MAX_DEVICES', 1, 9_999, 10),
  MINISEAL_EVENT_DAYS: integer('MINISEAL_EVENT_DAYS', 1, 999, 30),
  MINISEAL_PUSH_KEYS: optional,
  MINISEAL_RISK_POLICY: optional,
  MINISEAL_METRICS_TOKEN: optional,
  MINISEAL_LOG_ORIGIN: optional,
  MINISEAL_RETENTION: optional,
  MINISEAL_LOG_POLICY_FILE: optional,
  MINISEAL_TSA_URL: optional,
  MINISEAL_LOG_LEVEL: z
    .enum(logLevels, { error: `MINISEAL_LOG_LEVEL must be one of ${logLevels.join(', ')}` })
    .default('info'),
})

/** Variables with a variant `NAME_FILE` that names a file with the value, for mounted secrets. */
export const fileVariables = [
  'MINISEAL_MASTER_KEY',
  'MINISEAL_WECHAT_APPS',
  'MINISEAL_DATABASE',
  'MINISEAL_POSTGRES_DIRECT_URL',
  'MINISEAL_METRICS_TOKEN',
  'MINISEAL_PUSH_KEYS',
] as const

/** Variables of single commands. */
const commandVariables = ['MINISEAL_AUDITOR_TOKEN'] as const

export const knownVariables: readonly string[] = [
  ...Object.keys(variables.shape),
  ...fileVariables.map((name) => `${name}_FILE`),
  ...commandVariables,
]

/** Set by Docker links and Kubernetes for a service named `miniseal`. */
const containerVariable =
  /^MINISEAL_(?:SERVICE_(?:HOST|PORT(?:_.*)?)|PORT(?:_[0-9]+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)?)$/

/** @returns an error message with a suggestion for each unknown `MINISEAL_…` name: a typo must not select a default */
export function findUnknownVariables(names: readonly string[]): string[] {
  return names
    .filter(
      (name) =>
        name.startsWith('MINISEAL_') && !knownVariables.includes(name) && !containerVariable.test(name),
    )
    .map((name) => `${name} is not known; did you mean ${nearestTo(name)}?`)
}

function nearestTo(name: string): string {
  const candidates = knownVariables.filter((known) => known.startsWith('MINISEAL_'))
  return closest(name, candidates, Number.POSITIVE_INFINITY) ?? ''
}

/** The candidate with the smallest edit distance to `name`; `undefined` when that is above `limit`. */
export function closest(name: string, candidates: readonly string[], limit: number): string | undefined {
  let best: { readonly distance: number; readonly candidate: string } | undefined
  for (const candidate of candidates) {
    const distance = editDistance(name, candidate)
    if (distance <= limit && distance < (best?.distance ?? Number.POSITIVE_INFINITY))
      best = { distance, candidate }
  }
  return best?.candidate
}

/** Levenshtein distance. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
