/** Retries: with backoff and jitter after transient failures, and at most once per recoverable error. */

import { startDelay } from './clock.ts'
import type { Environment } from './environment.ts'
import type { ChannelErrorCode } from './errors.ts'
import { ChannelError } from './errors.ts'

/** Failures that are worth a retry when nothing was sent. */
const transientCodes: readonly ChannelErrorCode[] = [
  'network',
  'interrupted',
  'timeout',
  'unexpected_answer',
  'overloaded',
  'rate_limited',
  'unavailable',
  'upstream_unavailable',
  'wechat_unavailable',
  'login_busy',
  'idempotency_in_progress',
]

/** Failures that a retry with the same key cannot change. All others of unknown outcome are retried. */
const permanentCodes: readonly ChannelErrorCode[] = [
  'idempotency_mismatch',
  'step_up_required',
  'step_up_invalid',
  'key_revoked',
  'login_blocked',
  'device_key_refused',
]

const FIRST_WAIT_MS = 400
const MAX_WAIT_MS = 8000
/** Seconds. A longer `Retry-After` is left to the caller. */
const MAX_RETRY_AFTER = 20

/**
 * Runs `attempt` until it succeeds, fails permanently or the retries are used up. Only for idempotent requests.
 *
 * @param attempt receives the failure of the previous attempt
 * @param mayTakeNewKey whether a retry after a refusal that settled the key may use a new key
 * @throws ChannelError the last failure
 */
export async function withRetries<T>(
  environment: Environment,
  attempt: (last: ChannelError | undefined) => Promise<T>,
  mayTakeNewKey: boolean,
): Promise<T> {
  let last: ChannelError | undefined
  for (let failures = 1; ; failures++) {
    try {
      return await attempt(last)
    } catch (error) {
      if (!(error instanceof ChannelError)) throw error
      if (failures > environment.retries || !isTransient(error, mayTakeNewKey)) throw error
      last = error
      await startDelay(await backoff(environment, failures, error)).done
    }
  }
}

function isTransient(error: ChannelError, mayTakeNewKey: boolean): boolean {
  const { code, outcome, problem, retryable, retryAfter = 0 } = error
  if (retryAfter > MAX_RETRY_AFTER) return false
  switch (outcome) {
    case 'none':
      return transientCodes.includes(code)
    case 'refused':
      return mayTakeNewKey && retryable
    case 'unknown':
      // The service cannot determine the outcome.
      if (code === 'idempotency_in_progress' && problem?.outcome === 'unknown') return false
      return !permanentCodes.includes(code)
  }
}

/**
 * Milliseconds until the next attempt: exponential backoff, half of it jitter.
 * @throws ChannelError `failure`, when no random bytes are available
 */
export async function backoff(
  environment: Environment,
  failures: number,
  failure: ChannelError,
): Promise<number> {
  const longest = Math.min(MAX_WAIT_MS, FIRST_WAIT_MS << Math.min(failures - 1, 8))
  return (failure.retryAfter ?? 0) * 1000 + longest / 2 + (longest / 2) * (await jitter(environment, failure))
}

async function jitter({ random }: Environment, failure: ChannelError): Promise<number> {
  try {
    await random.ready()
    const [byte = 0] = random.take(1)
    return byte / 256
  } catch {
    throw failure
  }
}

/** Recovery before the next attempt, by the code of the failure. */
export type RecoverySteps = Partial<Record<ChannelErrorCode, (error: ChannelError) => unknown>>

/**
 * Runs `attempt`, and again after a recovery step. Each step runs at most once.
 *
 * @throws the error of the last attempt, or of a step
 */
export async function withRecovery<T>(attempt: () => Promise<T>, steps: RecoverySteps): Promise<T> {
  const unused = { ...steps }
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      const step = error instanceof ChannelError ? unused[error.code] : undefined
      if (!(error instanceof ChannelError) || step === undefined) throw error
      delete unused[error.code]
      await step(error)
    }
  }
}
