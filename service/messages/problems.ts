/** The only table from a refusal code to what stands on the wire (protocol, section 7; RFC 9457). */
import type { ProtocolCode } from '../../crypto/errors.ts'
import { ProtocolError } from '../../crypto/errors.ts'
import { StoreUnavailable } from '../store/store.ts'
import { Throttled } from './throttled.ts'

interface ProblemRow {
  readonly status: number
  readonly title: string
  /** Whether the same call may succeed later, without a change by the user. */
  readonly retryable: boolean
}

const row = (status: number, title: string, retryable = false): ProblemRow => ({ status, title, retryable })

const table: Readonly<Record<ProtocolCode, ProblemRow>> = {
  malformed_frame: row(400, 'The frame cannot be read'),
  unknown_agreement_key: row(409, 'The agreement key is not in use', true),
  unknown_session: row(401, 'The session is not known', true),
  frame_too_large: row(413, 'The frame is too large'),
  cannot_open: row(400, 'The frame cannot be opened'),
  overloaded: row(503, 'The service is overloaded', true),
  signature_missing: row(401, 'The request is not signed'),
  signature_malformed: row(401, 'The signature cannot be read'),
  components_incomplete: row(401, 'The signature does not cover what it must'),
  tag_invalid: row(401, 'The signature has another purpose'),
  alg_not_allowed: row(401, 'The signature names an algorithm'),
  window_invalid: row(401, 'The signature was created outside the accepted window', true),
  digest_mismatch: row(400, 'The content does not match its digest'),
  key_unknown: row(401, 'The signing key is not the one of this session'),
  key_revoked: row(401, 'The signing key was revoked'),
  signature_invalid: row(401, 'The signature does not verify'),
  token_missing: row(401, 'The access token is missing'),
  token_invalid: row(401, 'The access token is not valid'),
  token_expired: row(401, 'The access token has expired', true),
  token_key_mismatch: row(401, 'The access token belongs to another key'),
  replayed: row(409, 'The request was received before'),
  session_ended: row(401, 'The session has ended', true),
  idempotency_missing: row(400, 'The request needs an Idempotency-Key'),
  idempotency_in_progress: row(409, 'A request with this Idempotency-Key is not settled', true),
  idempotency_mismatch: row(422, 'The Idempotency-Key was used for another request'),
  step_up_required: row(401, 'The request needs a biometric confirmation'),
  step_up_invalid: row(401, 'The biometric confirmation is not valid'),
  login_code_invalid: row(401, 'The login code is not valid', true),
  login_code_used: row(401, 'The login code was used before', true),
  login_blocked: row(403, 'The login is blocked as high-risk'),
  login_busy: row(429, 'Too many logins at the moment', true),
  wechat_unavailable: row(503, 'WeChat cannot be reached', true),
  device_key_refused: row(400, 'The device key is not acceptable'),
  rate_limited: row(429, 'Too many requests', true),
  payload_invalid: row(400, 'The request is not as it must be'),
  not_found: row(404, 'There is nothing at this path'),
  upstream_unavailable: row(502, 'The backend cannot be reached', true),
  unavailable: row(503, 'The service cannot take the request now', true),
  internal: row(500, 'The service failed'),
}

/** Codes that tell the client to wait, and how long, in seconds; a refusal's own member `retry_after` goes first. */
const retryAfter: Partial<Record<ProtocolCode, number>> = {
  overloaded: 1,
  login_busy: 30,
  rate_limited: 10,
  wechat_unavailable: 3,
  unavailable: 2,
}

/** Fields of single codes (RFC 9470, section 3). */
const challenges: Partial<Record<ProtocolCode, string>> = {
  step_up_required: 'HTTPSig error="insufficient_user_authentication", acr_values="soter"',
}

/** The title of a code, or `undefined` when there is no such code. */
export function findProblemTitle(code: string): string | undefined {
  return Object.hasOwn(table, code) ? table[code as ProtocolCode].title : undefined
}

/** A problem document and how it is answered. */
export interface Problem {
  readonly code: ProtocolCode
  readonly status: number
  readonly headers: readonly (readonly [string, string])[]
  readonly body: string
}

/** What a problem document says besides its code. */
export interface ProblemContext {
  readonly origin: string
  /** Names the stage that refused, for example `window`. */
  readonly step: string
  /** UNIX seconds: what a client with a wrong clock corrects it by. */
  readonly time: number
  /** A UUID, also in the service's log. */
  readonly requestId: string
}

/** Gives any thrown value its refusal; what is not of ours is `internal` and says nothing more. */
export function refusalOf(error: unknown): ProtocolError {
  if (error instanceof ProtocolError) return error
  if (error instanceof StoreUnavailable) {
    return new ProtocolError('unavailable', 'the service cannot take the request now', error)
  }
  return new ProtocolError('internal', 'the service failed', error)
}

/** The codes that may stand in the clear (protocol, section 4, "Over HTTP"). */
const clearCodes: ReadonlySet<ProtocolCode> = new Set<ProtocolCode>([
  'malformed_frame',
  'unknown_agreement_key',
  'unknown_session',
  'frame_too_large',
  'cannot_open',
  'overloaded',
])

/** A refusal where nothing can be sealed: any other code becomes `overloaded`, since the service could not do its part. */
export function clearProblem(error: unknown, context: ProblemContext): Problem {
  const refusal = refusalOf(error)
  if (clearCodes.has(refusal.code)) return problemOf(refusal, context)
  return problemOf(
    new ProtocolError('overloaded', 'the service cannot take the request now', refusal),
    context,
  )
}

/** Writes the problem document of a refusal (RFC 9457, with `code`, `step`, `time`, `retryable`). */
export function problemOf(refusal: ProtocolError, context: ProblemContext): Problem {
  const { title, retryable } = table[refusal.code]
  const limited = refusal instanceof Throttled ? refusal : undefined
  const status = limited?.status ?? table[refusal.code].status
  const seconds = limited?.retryAfter ?? refusal.members.retry_after ?? retryAfter[refusal.code]
  const body = JSON.stringify({
    type: `${context.origin}/docs/problems/${refusal.code}`,
    title,
    status,
    detail: refusal.message,
    instance: `urn:uuid:${context.requestId}`,
    code: refusal.code,
    step: context.step,
    time: context.time,
    retryable,
    ...refusal.members,
  })
  const headers: (readonly [string, string])[] = [['content-type', 'application/problem+json']]
  if (seconds !== undefined) headers.push(['retry-after', String(seconds)])
  headers.push(...(limited?.fields ?? []))
  const challenge = challenges[refusal.code]
  if (challenge !== undefined) headers.push(['www-authenticate', challenge])
  return { code: refusal.code, status, headers, body }
}
