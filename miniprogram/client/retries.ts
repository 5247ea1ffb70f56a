/** Sending again what may be sent again: later each time, and never in step with other phones. */
import type { Environment } from './environment.ts'
import type { ChannelErrorCode } from './error-texts.ts'
import { ChannelError } from './errors.ts'
import { startPause } from './timers.ts'

/** What may be over the next time. */
const passing: readonly ChannelErrorCode[] = [
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

/** Refusals after which nothing of an earlier attempt with the same key can have run: the service freed the key. */
const settling: readonly ChannelErrorCode[] = ['step_up_required', 'step_up_invalid']

const FIRST_WAIT_MS = 400
const LONGEST_WAIT_MS = 8000
/** A longer `Retry-After` is the caller's to wait for, who may have something to tell to a person. */
const LONGEST_RETRY_AFTER = 20

/**
 * Runs `attempt` until it succeeds, fails for good, or has failed as often as the channel allows. Only for requests
 * without effects, and for those whose attempts all carry one idempotency key.
 *
 * @throws ChannelError the last one; its outcome is `unknown` when any attempt may have run.
 */
export async function withRetries<T>(environment: Environment, attempt: () => Promise<T>): Promise<T> {
  let mayHaveRun = false
  for (let failures = 1; ; failures++) {
    try {
      return await attempt()
    } catch (error) {
      if (!(error instanceof ChannelError)) throw error
      mayHaveRun = (mayHaveRun || error.outcome === 'unknown') && !settling.includes(error.code)
      const failure = mayHaveRun ? error.with({ outcome: 'unknown' }) : error
      if (failures > environment.retries || !isPassing(error)) throw failure
      await startPause(await waitAfter(environment, failures, failure)).over
    }
  }
}

function isPassing({ code, retryAfter = 0, problem }: ChannelError): boolean {
  // What came of it will not be known by asking again.
  if (code === 'idempotency_in_progress' && problem?.outcome === 'unknown') return false
  return passing.includes(code) && retryAfter <= LONGEST_RETRY_AFTER
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
  const longest = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS << Math.min(failures - 1, 8))
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
