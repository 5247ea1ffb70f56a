/**
 * The closed list of refusal codes (protocol, section 7) and the one error that carries them.
 *
 * A code is all that a caller may act on. Messages are for developers, lower-case, and never hold a secret or
 * attacker-controlled text.
 */

/** Codes that are answered in the clear, because there is no session to seal the answer for. */
export type ClearCode =
  | 'malformed_frame'
  | 'unknown_agreement_key'
  | 'unknown_session'
  | 'frame_too_large'
  | 'cannot_open'
  | 'overloaded'

/** Codes that travel sealed and signed, as an inner problem document. */
export type RefusalCode =
  | 'signature_missing'
  | 'signature_malformed'
  | 'components_incomplete'
  | 'tag_invalid'
  | 'alg_not_allowed'
  | 'window_invalid'
  | 'digest_mismatch'
  | 'key_unknown'
  | 'key_revoked'
  | 'signature_invalid'
  | 'token_missing'
  | 'token_invalid'
  | 'token_expired'
  | 'token_key_mismatch'
  | 'replayed'
  | 'session_ended'
  | 'idempotency_missing'
  | 'idempotency_in_progress'
  | 'idempotency_mismatch'
  | 'request_cancelled'
  | 'step_up_required'
  | 'step_up_invalid'
  | 'login_code_invalid'
  | 'login_code_used'
  | 'login_blocked'
  | 'login_busy'
  | 'wechat_unavailable'
  | 'device_key_refused'
  | 'rate_limited'
  | 'payload_invalid'
  | 'not_found'
  | 'upstream_unavailable'
  | 'unavailable'
  | 'internal'

export type ProtocolCode = ClearCode | RefusalCode

/**
 * A message that the protocol refuses.
 *
 * `code` is from the closed list; `message` is lower-case developer text without secrets; `cause` keeps what
 * was caught, for the log only; `members` are what this code adds to its problem document.
 */
export class ProtocolError extends Error {
  readonly code: ProtocolCode
  readonly cause: unknown
  readonly members: Readonly<Record<string, string>>

  constructor(
    code: ProtocolCode,
    message: string,
    cause?: unknown,
    members: Readonly<Record<string, string>> = {},
  ) {
    super(message)
    this.name = 'ProtocolError'
    this.code = code
    this.cause = cause
    this.members = members
  }
}

/**
 * Bytes or text that are not in the one encoding a parser accepts. Never leaves `crypto/`'s callers as it is:
 * the stage that asked for the parse turns it into a {@link ProtocolError} with the code of that stage.
 */
export class FormatError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'FormatError'
  }
}

/** What a check of the audit log found wrong. Closed: whoever verifies may switch on it. */
export type LogReason =
  | 'commitment_wrong'
  | 'consistency_wrong'
  | 'inclusion_wrong'
  | 'leaf_malformed'
  | 'note_malformed'
  | 'origin_wrong'
  | 'proof_malformed'
  | 'quorum_missing'
  | 'signature_missing'
  | 'signature_wrong'

/**
 * Something of the audit log that does not verify (protocol, section 12). `reason` is from the closed list; `message`
 * is lower-case developer text without attacker-controlled parts.
 */
export class LogError extends Error {
  readonly reason: LogReason
  readonly cause: unknown

  constructor(reason: LogReason, message: string, cause?: unknown) {
    super(message)
    this.name = 'LogError'
    this.reason = reason
    this.cause = cause
  }
}

/**
 * Runs a parser of the log's formats and gives its {@link FormatError} a reason. Any other error passes as it is.
 *
 * @throws LogError with `reason` when `parse` throws FormatError.
 */
export function refuseLogFormat<T>(reason: LogReason, parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    if (error instanceof FormatError) throw new LogError(reason, error.message, error)
    throw error
  }
}

/**
 * Runs a parser and gives its {@link FormatError} the code of the calling stage. Any other error passes as it is.
 *
 * @throws ProtocolError with `code` when `parse` throws FormatError.
 */
export function refuseFormat<T>(code: ProtocolCode, parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    if (error instanceof FormatError) throw new ProtocolError(code, error.message, error)
    throw error
  }
}
