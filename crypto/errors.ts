/**
 * The closed list of refusal codes (protocol, section 7) and the one error that carries them.
 *
 * A code is all that a caller may act on. Messages are for developers, lower-case, and never hold a secret or
 * attacker-controlled text.
 */

import type { ProtocolCode } from './problem-codes.ts'

export type { ClearCode, ProtocolCode, RefusalCode } from './problem-codes.ts'

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
 * Bytes or text that are not in the one encoding that a parser accepts. It has no code: the stage that calls the parser
 * turns it into a {@link ProtocolError} with the code of that stage ({@link refuseFormat}).
 */
export class FormatError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'FormatError'
  }
}

/** Why a check of the audit log failed. Closed: callers may switch on it. */
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
 * A part of the audit log that does not verify (protocol, section 12). `reason` is from the closed list; `message`
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
