/** Problems of the auditors' API (RFC 9457). */
import type { Context } from 'hono'
import { StoreUnavailable } from '../../store/store.ts'
import type { AuditProblem, ProblemAnswer } from './answers.ts'
import { FilterError } from './search.ts'

const problems: { readonly [P in AuditProblem]: { readonly status: number; readonly title: string } } = {
  signed_out: { status: 401, title: 'Sign in first' },
  token_refused: { status: 401, title: 'The token opens nothing: it is wrong, expired or revoked' },
  too_many_tries: { status: 429, title: 'Too many tries from this address: wait a minute' },
  too_much_at_once: {
    status: 429,
    title: 'Too many searches or exports are running: try again in a few seconds',
  },
  other_site: { status: 403, title: 'The request comes from another site' },
  not_for_your_role: { status: 403, title: 'This is for auditors who may disclose' },
  filter_unreadable: { status: 400, title: 'The filter cannot be read' },
  not_found: { status: 404, title: 'There is no such entry' },
  not_yet: { status: 409, title: 'No checkpoint is signed over this yet: try again in some seconds' },
  unavailable: { status: 503, title: 'Nothing is shown that cannot be logged, or the database is away' },
}

/** Seconds after which the same request may succeed. */
const retryAfter: Partial<Record<AuditProblem, string>> = {
  too_many_tries: '60',
  too_much_at_once: '5',
  unavailable: '2',
}

/** Rejects a request. The message is the title and contains nothing of the request. */
export class AuditRefused extends Error {
  readonly code: AuditProblem
  /** The word of the filter. */
  readonly field: string | undefined

  constructor(code: AuditProblem, field?: string) {
    super(problems[code].title)
    this.name = 'AuditRefused'
    this.code = code
    this.field = field
  }
}

/** The problem response. @throws every other error: an internal error. */
export function problemOf(c: Context, thrown: unknown): Response {
  const { code, field } = refusalOf(thrown)
  const { status, title } = problems[code]
  const body: ProblemAnswer = { title, status, code, ...(field === undefined ? {} : { field }) }
  return new Response(JSON.stringify(body), {
    status,
    headers: {
      ...Object.fromEntries(c.res.headers),
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
      ...(retryAfter[code] === undefined ? {} : { 'retry-after': retryAfter[code] }),
    },
  })
}

function refusalOf(thrown: unknown): AuditRefused {
  if (thrown instanceof AuditRefused) return thrown
  if (thrown instanceof FilterError) return new AuditRefused('filter_unreadable', thrown.field)
  if (thrown instanceof StoreUnavailable) return new AuditRefused('unavailable')
  throw thrown
}
