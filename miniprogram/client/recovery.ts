/** What can be put right before a request is tried again; each remedy at most once, so there is never a loop. */
import type { ChannelErrorCode } from './error-texts.ts'
import { ChannelError } from './errors.ts'

/** Puts right what `error` tells; returns false when it cannot. */
export type RecoveryStep = (error: ChannelError) => boolean | Promise<boolean>

/**
 * Runs `attempt` until it succeeds or fails with something that no unused remedy puts right.
 *
 * @throws whatever the last attempt, or a remedy, threw.
 */
export async function withRecovery<T>(
  attempt: () => Promise<T>,
  recoverySteps: ReadonlyMap<ChannelErrorCode, RecoveryStep>,
): Promise<T> {
  const unused = new Map(recoverySteps)
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      if (!(error instanceof ChannelError)) throw error
      const step = unused.get(error.code)
      unused.delete(error.code)
      if (step === undefined || !(await step(error))) throw error
    }
  }
}
