/** Sending again what may be sent again: later each time, and never in step with other phones. */
import type { Environment } from './environment.ts'
import type { ChannelErrorCode } from './error-texts.ts'
import { ChannelError } from './errors.ts'
import { startPause } from './timers.ts'

/** What may be over the next time. */
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

/** What signing again with the same key does not change. After everything else of unknown outcome, it may. */
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
/** A longer `Retry-After` is the caller's to wait for, who may have something to tell to a person. */
const MAX_RETRY_AFTER = 20

/**
 * Runs `attempt` until it succeeds, fails for good, or has failed as often as the channel allows. Only for requests
 * without effects, and for those whose attempts cannot have more than one effect together.
 *
 * @param attempt is given the failure of the attempt before
 * @param mayTakeNewKey whether an attempt after a refusal that settled the key takes another one
 * @throws ChannelError the last one.
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
      await startPause(await waitAfter(environment, failures, error)).over
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
      // The service itself cannot find out what came of it.
      if (code === 'idempotency_in_progress' && problem?.outcome === 'unknown') return false
      return !permanentCodes.includes(code)
  }
}

/**
 * Milliseconds until the next attempt: twice as long after each failure, the last half of it by chance.
 * @throws ChannelError `failure`, when there is no chance to be had.
 */
export async function waitAfter(
  environment: Environment,
  failures: number,
  failure: ChannelError,
): Promise<number> {
  const longest = Math.min(MAX_WAIT_MS, FIRST_WAIT_MS << Math.min(failures - 1, 8))
  return (failure.retryAfter ?? 0) * 1000 + longest / 2 + (longest / 2) * (await chance(environment, failure))
}

async function chance({ random }: Environment, failure: ChannelError): Promise<number> {
  try {
    await random.ready()
    const [byte = 0] = random.take(1)
    return byte / 256
  } catch {
    throw failure
  }
}
