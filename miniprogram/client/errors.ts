/** The error class of the client, its codes and texts, and conversion of other errors into it. */
import type { ClearCode, RefusalCode } from 'miniseal-protocol/errors'
import { FormatError, ProtocolError } from 'miniseal-protocol/errors'
import type { ClientCode, ErrorText } from './problem-texts.ts'
import { clearTexts, clientTexts, refusalTexts } from './problem-texts.ts'

/** The closed list of codes of a {@link ChannelError}. */
export type ChannelErrorCode = ClearCode | RefusalCode | ClientCode

export type Locale = 'zh-CN' | 'en'

const texts: Readonly<Record<ChannelErrorCode, ErrorText>> = {
  ...clearTexts,
  ...refusalTexts,
  ...clientTexts,
}

/** The message of a code, for users. */
export function errorText(code: ChannelErrorCode, locale: Locale): string {
  return texts[code][locale === 'en' ? 1 : 0]
}

/**
 * Whether the failed request can have had an effect:
 * - `none`: nothing was sent, or the request is safe;
 * - `refused`: a signed answer settles the idempotency key: the request did not run and never will. Use a new key for
 *   a new attempt;
 * - `unknown`: the request may have run, or may still run. Retry with the same idempotency key or call `cancel`.
 */
export type Outcome = 'none' | 'refused' | 'unknown'

export interface ErrorDetails {
  /** For `outcome_unknown`: the code of the underlying failure. */
  readonly reason?: ChannelErrorCode | undefined
  readonly outcome?: Outcome | undefined
  readonly retryable?: boolean | undefined
  /** Inner status of a signed refusal, outer HTTP status of an unsealed answer. */
  readonly status?: number | undefined
  readonly detail?: string | undefined
  /** Signing time of the refusal, UNIX seconds. */
  readonly time?: number | undefined
  /** Seconds, from `Retry-After`. */
  readonly retryAfter?: number | undefined
  /** The signed problem document, including extension members such as `challenge` and `summary`. */
  readonly problem?: Readonly<Record<string, unknown>> | undefined
  /** The key of the request. Reuse it for a retry unless `outcome` is `refused`. */
  readonly idempotencyKey?: string | undefined
  readonly cause?: unknown
}

/** Branch on `code`; `message` is text for developers and contains no secrets. */
export class ChannelError extends Error {
  declare readonly code: ChannelErrorCode
  declare readonly reason: ErrorDetails['reason']
  declare readonly outcome: Outcome
  declare readonly retryable: boolean
  declare readonly status: ErrorDetails['status']
  declare readonly detail: ErrorDetails['detail']
  declare readonly time: ErrorDetails['time']
  declare readonly retryAfter: ErrorDetails['retryAfter']
  declare readonly problem: ErrorDetails['problem']
  declare readonly idempotencyKey: ErrorDetails['idempotencyKey']
  declare readonly cause: unknown

  constructor(code: ChannelErrorCode, message: string, details: ErrorDetails = {}) {
    super(message)
    const { outcome = 'none', retryable = texts[code][2] } = details
    Object.assign(this, details, { name: 'ChannelError', code, outcome, retryable })
  }

  /** The message to show to the user. */
  text(locale: Locale = 'zh-CN'): string {
    return errorText(this.code, locale)
  }

  /** A copy with `details` overriding the present ones. */
  with(details: ErrorDetails): ChannelError {
    return new ChannelError(this.code, this.message, { ...this, ...details })
  }
}

/**
 * Runs injected code (transport, storage, login).
 *
 * @throws ChannelError as thrown by `run`; `code` with the cause for any other error.
 */
export async function wrapErrors<T>(
  code: ChannelErrorCode,
  message: string,
  run: () => Promise<T>,
): Promise<T> {
  try {
    return await run()
  } catch (cause) {
    if (cause instanceof ChannelError) throw cause
    throw new ChannelError(code, message, { cause })
  }
}

/**
 * Runs a parser, an encoder or a verification of the protocol.
 *
 * @throws ChannelError `code` in place of a `FormatError` or `ProtocolError`, which becomes the cause.
 */
export function wrapProtocolErrors<T>(code: ChannelErrorCode, message: string, run: () => T): T {
  try {
    return run()
  } catch (cause) {
    if (!(cause instanceof ProtocolError || cause instanceof FormatError)) throw cause
    throw new ChannelError(code, message, { cause })
  }
}

/** @throws ChannelError `not_verified` when `verify` fails. All failures look the same to the caller. */
export function verifyOrThrow<T>(verify: () => T): T {
  return wrapProtocolErrors('not_verified', 'answer verification failed', verify)
}

/** @throws ChannelError `unexpected_answer` when the verified content that `parse` reads is malformed. */
export function parseOrThrow<T>(parse: () => T): T {
  return wrapProtocolErrors('unexpected_answer', 'malformed answer', parse)
}

/** @throws ChannelError `request_invalid` when `encode` rejects the caller's values. */
export function encodeOrThrow<T>(encode: () => T): T {
  return wrapProtocolErrors('request_invalid', 'invalid request', encode)
}
