/** The one error that the client throws, with a closed union of codes. */
import type { ChannelErrorCode, Locale } from './error-texts.ts'
import { errorText, isRetryable } from './error-texts.ts'

/**
 * What is known about the effect of the failed request:
 * - `none`: nothing was sent, or it is a request without effects;
 * - `refused`: the service has settled the idempotency key, durably and signed: the request did not run and never will.
 *   A new attempt takes a new key;
 * - `unknown`: it may have run, or may run yet. Ask again with the same idempotency key, never with a new one, or call
 *   `cancel`.
 */
export type Outcome = 'none' | 'refused' | 'unknown'

export interface ErrorDetails {
  /** Of `outcome_unknown`: what kept the client from knowing. */
  readonly reason?: ChannelErrorCode | undefined
  readonly outcome?: Outcome | undefined
  readonly retryable?: boolean | undefined
  /** Inner status of a signed refusal, outer status of a clear answer. */
  readonly status?: number | undefined
  readonly detail?: string | undefined
  /** When the service signed the refusal, UNIX seconds. */
  readonly time?: number | undefined
  /** Seconds to wait before trying again. */
  readonly retryAfter?: number | undefined
  /** The signed problem document, with what a code adds to it, for example `challenge` and `summary`. */
  readonly problem?: Readonly<Record<string, unknown>> | undefined
  /** The key that the request had: unless the outcome is `refused`, repeat the request with it. */
  readonly idempotencyKey?: string | undefined
  readonly cause?: unknown
}

/** `code` is what a caller may act on; `message` is lower-case developer text without secrets. */
export class ChannelError extends Error {
  readonly code: ChannelErrorCode
  readonly reason: ChannelErrorCode | undefined
  readonly outcome: Outcome
  readonly retryable: boolean
  readonly status: number | undefined
  readonly detail: string | undefined
  readonly time: number | undefined
  readonly retryAfter: number | undefined
  readonly problem: Readonly<Record<string, unknown>> | undefined
  readonly idempotencyKey: string | undefined
  readonly cause: unknown

  constructor(code: ChannelErrorCode, message: string, details: ErrorDetails = {}) {
    super(message)
    this.name = 'ChannelError'
    this.code = code
    this.reason = details.reason
    this.outcome = details.outcome ?? 'none'
    this.retryable = details.retryable ?? isRetryable(code)
    this.status = details.status
    this.detail = details.detail
    this.time = details.time
    this.retryAfter = details.retryAfter
    this.problem = details.problem
    this.idempotencyKey = details.idempotencyKey
    this.cause = details.cause
  }

  /** The sentence to show to people. */
  text(locale: Locale = 'zh-CN'): string {
    return errorText(this.code, locale)
  }

  /** The same failure, with more known about it. */
  with(details: ErrorDetails): ChannelError {
    return new ChannelError(this.code, this.message, { ...this, ...details })
  }
}

/**
 * Runs what was passed in from outside, so that nothing but a {@link ChannelError} leaves the client.
 *
 * @throws ChannelError `code` for whatever else `run` throws.
 */
export async function failWith<T>(
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
