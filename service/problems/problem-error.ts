/** The error of the service: a problem code, the step that refused, and the known effect (protocol, section 7). */
import { type ProtocolCode, ProtocolError } from 'miniseal-protocol/errors'
import type { Field } from 'miniseal-protocol/frames/binary-http'
import { StoreUnavailable } from '../store/store.ts'

/** The steps of the protocol that may refuse, in the order of the checks (protocol, section 5). */
export type Step =
  | 'frame'
  | 'session'
  | 'open'
  | 'binary-http'
  | 'signature'
  | 'window'
  | 'digest'
  | 'key'
  | 'verify'
  | 'token'
  | 'limits'
  | 'claim'
  | 'login'
  | 'idempotency'
  | 'step-up'
  | 'handler'

export interface ProblemDetails {
  readonly step?: Step | undefined
  /** For the log only. */
  readonly cause?: unknown
  /** Additional members of the problem document. */
  readonly members?: Readonly<Record<string, string>> | undefined
  /** `none`: this request had no effect. Absent: it may have had one. */
  readonly effect?: 'none' | undefined
  /**
   * The document's member `outcome`, about the request's Idempotency-Key. `none`: no request with the key had or will
   * have an effect. `unknown`: one may have had. Absent: the request was refused before its key was looked up.
   */
  readonly outcome?: 'none' | 'unknown' | undefined
  /** Replaces the status of the code. */
  readonly status?: number | undefined
  /** Whole seconds, at least 1: replaces the `Retry-After` of the code. */
  readonly retryAfter?: number | undefined
  /** Additional fields of the answer, for example `ratelimit`. */
  readonly fields?: readonly Field[] | undefined
}

/**
 * A request that is refused, or that failed. The code determines status, title and `Retry-After`; the details refine
 * them. The message is the document's `detail`: lower-case developer text without secrets.
 *
 * The service throws no other error with a code. A plain ProtocolError comes from a check of `miniseal-protocol`.
 */
export class ProblemError extends ProtocolError {
  readonly details: ProblemDetails

  constructor(code: ProtocolCode, message: string, details: ProblemDetails = {}) {
    super(code, message, details.cause, details.members)
    this.name = 'ProblemError'
    this.details = details
  }

  get step(): Step | undefined {
    return this.details.step
  }

  get outcome(): ProblemDetails['outcome'] {
    return this.details.outcome
  }

  /** A copy with other details. */
  with(this: Refusal, details: Omit<ProblemDetails, 'step'>): Refusal
  with(details: ProblemDetails & { readonly step: Step }): Refusal
  with(details: ProblemDetails): ProblemError
  with(details: ProblemDetails): ProblemError {
    return new ProblemError(this.code, this.message, { ...this.details, ...details })
  }
}

/** A problem with its step. Refusals are answered and logged. */
export type Refusal = ProblemError & { readonly step: Step }

/** Any thrown value as a problem: `unavailable` for a database failure, `internal` for everything unknown. */
export function toProblem(error: unknown): ProblemError {
  if (error instanceof ProblemError) return error
  if (error instanceof ProtocolError) {
    const { code, message, cause, members } = error
    return new ProblemError(code, message, { cause, members })
  }
  if (error instanceof StoreUnavailable)
    return new ProblemError('unavailable', 'the service cannot take the request now', { cause: error })
  return new ProblemError('internal', 'the service failed', { cause: error })
}

/** Any thrown value as the refusal of `step`, unless it names its step already. */
export function refusalAt(step: Step, error: unknown): Refusal {
  const problem = toProblem(error)
  return isRefusal(problem) ? problem : problem.with({ step })
}

function isRefusal(problem: ProblemError): problem is Refusal {
  return problem.step !== undefined
}

/** Runs one check. Its error becomes the refusal of `step`. */
export function atStep<T>(step: Step, run: () => T): T {
  try {
    return run()
  } catch (error) {
    throw refusalAt(step, error)
  }
}

/** Awaits one check. Its error becomes the refusal of `step`. */
export async function atStepAsync<T>(step: Step, run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    throw refusalAt(step, error)
  }
}
