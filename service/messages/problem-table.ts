/** The only table of refusal codes (protocol, section 7): what stands on the wire, on the pages of the codes and in the OpenAPI document. */
import type { ProtocolCode } from 'miniseal-protocol/errors'

interface WireRow {
  readonly status: number
  readonly title: string
  /** Whether the same call may succeed later, without a change by the user. */
  readonly retryable: boolean
}

const row = (status: number, title: string, retryable = false): WireRow => ({ status, title, retryable })

const table: Readonly<Record<ProtocolCode, WireRow>> = {
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
  request_cancelled: row(409, 'The request was cancelled before it ran'),
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

/** The codes that may stand in the clear (protocol, section 4, "Over HTTP"). */
const clearCodes: ReadonlySet<ProtocolCode> = new Set<ProtocolCode>([
  'malformed_frame',
  'unknown_agreement_key',
  'unknown_session',
  'frame_too_large',
  'cannot_open',
  'overloaded',
])

/** The checks that may refuse with each code, in the order of the protocol (section 5). */
const steps: Readonly<Record<ProtocolCode, readonly string[]>> = {
  malformed_frame: ['frame'],
  unknown_agreement_key: ['session'],
  unknown_session: ['session'],
  frame_too_large: ['frame'],
  cannot_open: ['open'],
  overloaded: ['limits', 'frame', 'session', 'open'],
  signature_missing: ['signature'],
  signature_malformed: ['signature'],
  components_incomplete: ['signature'],
  tag_invalid: ['signature'],
  alg_not_allowed: ['signature'],
  window_invalid: ['window'],
  digest_mismatch: ['digest'],
  key_unknown: ['key'],
  key_revoked: ['key', 'claim', 'login'],
  signature_invalid: ['verify'],
  token_missing: ['token'],
  token_invalid: ['token'],
  token_expired: ['token'],
  token_key_mismatch: ['token'],
  replayed: ['claim'],
  session_ended: ['claim', 'handler'],
  payload_invalid: ['binary-http', 'key', 'login', 'handler'],
  not_found: ['handler'],
  idempotency_missing: ['idempotency'],
  idempotency_in_progress: ['idempotency'],
  idempotency_mismatch: ['idempotency'],
  request_cancelled: ['idempotency'],
  login_code_invalid: ['login'],
  login_code_used: ['claim', 'login'],
  login_blocked: ['login'],
  login_busy: ['login', 'step-up'],
  wechat_unavailable: ['login', 'step-up', 'handler'],
  device_key_refused: ['key', 'login'],
  upstream_unavailable: ['handler'],
  unavailable: ['limits', 'claim', 'login', 'idempotency', 'step-up', 'handler'],
  internal: ['login', 'handler'],
  step_up_required: ['handler'],
  step_up_invalid: ['step-up'],
  rate_limited: ['limits', 'handler'],
}

export interface ProblemRow extends WireRow {
  readonly code: ProtocolCode
  /** Answered in the clear, where there is nothing to seal with. */
  readonly isClear: boolean
  /** Seconds of `Retry-After`, where the code has any of its own. */
  readonly retryAfter: number | undefined
  /** The checks that refuse with it. */
  readonly steps: readonly string[]
}

export function problemRow(code: ProtocolCode): ProblemRow {
  return {
    ...table[code],
    code,
    isClear: clearCodes.has(code),
    retryAfter: retryAfter[code],
    steps: steps[code],
  }
}

/** Every code of the closed list, in the order of the protocol. */
export const problemCodes: readonly ProtocolCode[] = Object.keys(table) as ProtocolCode[]

/** The code that a text names, or `undefined`. Attacker-controlled. */
export function findProblemCode(text: string): ProtocolCode | undefined {
  return problemCodes.find((code) => code === text)
}
