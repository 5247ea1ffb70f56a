/**
 * The error classes of the protocol, and its closed list of codes (section 7).
 *
 * Callers branch on codes only. Messages are for developers and contain no secrets and no attacker-controlled text.
 */

import type { ProtocolCode } from './problem-codes.ts'

export type { ClearCode, ProtocolCode, RefusalCode } from './problem-codes.ts'

/**
 * A message that violates the protocol. `cause` is for the log only; `members` are extension members of the problem
 * document.
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
 * Bytes or text that are not in the one encoding that a parser accepts. It has no code: the caller of the parser converts it
 * into a {@link ProtocolError} with {@link refuseFormat}.
 */
export class FormatError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'FormatError'
  }
}

/** Why verification of the audit log failed. */
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

/** A part of the audit log that does not verify (protocol, section 12). */
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
 * Runs a parser of the log's formats. Other errors pass unchanged.
 *
 * @throws LogError with `reason` when `parse` throws FormatError.
 */
export function refuseLogFormat<T>(reason: LogReason, parse: () => T): T {
  return convertFormatError(parse, (error) => new LogError(reason, error.message, error))
}

/**
 * Runs a parser. Other errors pass unchanged.
 *
 * @throws ProtocolError with `code` when `parse` throws FormatError.
 */
export function refuseFormat<T>(code: ProtocolCode, parse: () => T): T {
  return convertFormatError(parse, (error) => new ProtocolError(code, error.message, error))
}

function convertFormatError<T>(parse: () => T, convert: (error: FormatError) => Error): T {
  try {
    return parse()
  } catch (error) {
    throw error instanceof FormatError ? convert(error) : error
  }
}
