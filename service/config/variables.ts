/** The environment variables of the service and of its commands: the one list of them. */
import { z } from 'zod'

const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const

/** What the service reads. Its keys are the names. */
export const variables = z.object({
  NODE_ENV: z.string().optional(),
  HOST: z.string().min(1).default('127.0.0.1'),
  PORT: z.coerce.number({ error: 'PORT must be a number' }).int().min(0).max(65535).default(8787),
  MINISEAL_ORIGIN: z.string().optional(),
  MINISEAL_DATABASE: z.string().default('sqlite:data/miniseal.db'),
  MINISEAL_POSTGRES_POOL: z.string().optional(),
  MINISEAL_POSTGRES_DIRECT_URL: z.string().optional(),
  MINISEAL_DATA: z.string().min(1).default('data'),
  MINISEAL_MASTER_KEY: z.string().optional(),
  MINISEAL_WECHAT_APPS: z.string().optional(),
  MINISEAL_WECHAT_API: z.string().optional(),
  MINISEAL_UPSTREAMS: z.string().optional(),
  MINISEAL_LIMITS: z.string().optional(),
  MINISEAL_DISK_RESERVE: z
    .string()
    .regex(/^(?:0|[1-9][0-9]{0,5})$/, {
      error: 'MINISEAL_DISK_RESERVE must be a whole number of MiB, 0 for none',
    })
    .default('256'),
  MINISEAL_TRUSTED_PROXIES: z.string().optional(),
  MINISEAL_ROUTES_FILE: z.string().optional(),
  MINISEAL_MAX_DEVICES: z
    .string()
    .regex(/^[1-9][0-9]{0,3}$/, { error: 'MINISEAL_MAX_DEVICES must be a whole number from 1 to 9999' })
    .default('10'),
  MINISEAL_EVENT_DAYS: z
    .string()
    .regex(/^[1-9][0-9]{0,2}$/, { error: 'MINISEAL_EVENT_DAYS must be a whole number from 1 to 999' })
    .default('30'),
  MINISEAL_PUSH_KEYS: z.string().optional(),
  MINISEAL_RISK_POLICY: z.string().optional(),
  MINISEAL_METRICS_TOKEN: z.string().optional(),
  MINISEAL_LOG_ORIGIN: z.string().optional(),
  MINISEAL_RETENTION: z.string().optional(),
  MINISEAL_LOG_POLICY_FILE: z.string().optional(),
  MINISEAL_TSA_URL: z.string().optional(),
  MINISEAL_LOG_LEVEL: z
    .enum(logLevels, { error: `MINISEAL_LOG_LEVEL must be one of ${logLevels.join(', ')}` })
    .default('info'),
})

/** Those whose value may stand in a file that `NAME_FILE` names: secrets that are mounted. */
export const variablesInFiles = [
  'MINISEAL_MASTER_KEY',
  'MINISEAL_WECHAT_APPS',
  'MINISEAL_DATABASE',
  'MINISEAL_POSTGRES_DIRECT_URL',
  'MINISEAL_METRICS_TOKEN',
  'MINISEAL_PUSH_KEYS',
] as const

/** What single commands read besides. */
const variablesOfCommands = ['MINISEAL_AUDITOR_TOKEN'] as const

/** Every name that means something. */
export const knownVariables: readonly string[] = [
  ...Object.keys(variables.shape),
  ...variablesInFiles.map((name) => `${name}_FILE`),
  ...variablesOfCommands,
]

/** What Docker and Kubernetes set in every container for a service that is called `miniseal`. */
const ofContainers =
  /^MINISEAL_(?:SERVICE_(?:HOST|PORT(?:_.*)?)|PORT(?:_[0-9]+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)?)$/

/**
 * What is wrong with the names that are set: a name that nobody reads is a mistake, and its default would be used.
 *
 * @returns a line for the operator for each one that is not known
 */
export function findUnknownVariables(names: readonly string[]): string[] {
  return names
    .filter(
      (name) => name.startsWith('MINISEAL_') && !knownVariables.includes(name) && !ofContainers.test(name),
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

/** How many characters must be put in, taken out or replaced (Levenshtein). */
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
