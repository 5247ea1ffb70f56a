/** Shared by the routes of the auditors' API: dependencies, variables and problems. */
import type { Context } from 'hono'
import type { VerifierKey } from 'miniseal-protocol/tlog/signed-note'
import type { PolicyWitness } from 'miniseal-protocol/tlog/tlog-policy'
import type { Sender } from '../../limits/client-address.ts'
import { type Store, StoreUnavailable } from '../../store/store.ts'
import type { Appender } from '../../tlog/appender.ts'
import type { BlindIndexOf } from '../../tlog/blind-index.ts'
import type { LogStatus } from '../../tlog/open-log.ts'
import type { LogReader } from '../../tlog/reader.ts'
import type { FindSubjectKey } from '../../tlog/subject-keys.ts'
import type { Auditor } from './accounts.ts'
import type { AuditProblem, ProblemAnswer } from './answers.ts'
import { FilterError } from './search.ts'

export interface AuditDependencies {
  readonly store: Store
  readonly reader: LogReader
  readonly appender: Appender
  readonly blindIndexOf: BlindIndexOf
  readonly findKey: FindSubjectKey
  /** @throws StoreUnavailable */
  status(): Promise<LogStatus>
  /** All keys of the log with this origin, past ones included. */
  logKeys(origin: string): readonly VerifierKey[]
  /** The current and future signing keys of the log with this origin. */
  signingLogKeys(origin: string): readonly VerifierKey[]
  /** The witnesses from which the service requests cosignatures. */
  readonly witnesses: readonly PolicyWitness[]
  /** Public keys of the service in base64url, by kind. */
  serviceKeys(): Readonly<Record<string, readonly string[]>>
  /** The last successful `audit verify`: UNIX seconds, and the size of the newest log at that time. */
  lastCheck(): Promise<{ readonly at: number; readonly size: number } | undefined>
  /** The public origin of the service. With `https`, cookies are `Secure`. */
  readonly origin: string
  /** Secret key that authenticates cookies: 32 bytes, the same in every process. */
  readonly cookieKey: Uint8Array
  /** Secret key that binds accounts to their tokens: 32 bytes, the same in every process. */
  readonly accountKey: Uint8Array
  /** UNIX seconds. */
  now(): number
  sender(c: Context): Sender
}

/** The variables of a request under `/audit/api`. */
export interface AuditEnvironment {
  readonly Variables: { readonly auditor: Auditor }
}

/** A request of a signed-in auditor. */
export type AuditContext = Context<AuditEnvironment>

// Problems (RFC 9457).

/** A row of {@link auditProblems}. */
interface AuditProblemDefinition {
  readonly status: number
  readonly title: string
  /** Seconds after which the same request may succeed. */
  readonly retryAfter?: number
}

/** The problem codes of the API; docs/guides/auditing.md lists them. */
export const auditProblems: { readonly [P in AuditProblem]: AuditProblemDefinition } = {
  signed_out: { status: 401, title: 'Not signed in' },
  token_refused: { status: 401, title: 'Invalid, expired or revoked token' },
  too_many_tries: {
    status: 429,
    title: 'Too many attempts from this address: try again in a minute',
    retryAfter: 60,
  },
  too_many_concurrent: {
    status: 429,
    title: 'Too many concurrent searches or exports: try again in a few seconds',
    retryAfter: 5,
  },
  other_site: { status: 403, title: 'Cross-site request' },
  not_for_your_role: { status: 403, title: 'Requires the role discloser' },
  unknown_parameter: { status: 400, title: 'Unknown query parameter' },
  invalid_parameter: { status: 400, title: 'Invalid query parameter' },
  not_found: { status: 404, title: 'Entry not found' },
  not_yet: { status: 409, title: 'Not covered by a checkpoint yet: try again in a few seconds' },
  unavailable: { status: 503, title: 'Access log or database unavailable', retryAfter: 2 },
}

/** Rejects a request. The message is the title; only `field` quotes the request. */
export class AuditRefused extends Error {
  readonly code: AuditProblem
  /** The query parameter. */
  readonly field: string | undefined

  constructor(code: AuditProblem, field?: string) {
    super(auditProblems[code].title)
    this.name = 'AuditRefused'
    this.code = code
    this.field = field
  }
}

/** The problem response. @throws every other error: an internal error. */
export function problemOf(c: Context, thrown: unknown): Response {
  const { code, field } = refusalOf(thrown)
  const { status, title, retryAfter } = auditProblems[code]
  const body: ProblemAnswer = { title, status, code, ...(field === undefined ? {} : { field }) }
  return new Response(JSON.stringify(body), {
    status,
    headers: {
      ...Object.fromEntries(c.res.headers),
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
      ...(retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }),
    },
  })
}

function refusalOf(thrown: unknown): AuditRefused {
  if (thrown instanceof AuditRefused) return thrown
  if (thrown instanceof FilterError) return new AuditRefused('invalid_parameter', thrown.field)
  if (thrown instanceof StoreUnavailable) return new AuditRefused('unavailable')
  throw thrown
}
