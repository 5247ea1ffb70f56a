/** Names the stage that refused: the `step` of a problem document (protocol, sections 5 and 7). */
import type { ProtocolError } from 'miniseal-protocol/errors'
import { refusalOf } from '../messages/problems.ts'

/** The stages, in the order of the checks. */
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

/**
 * What a refusal says of the request's Idempotency-Key: `none`, no request with it ever had or will have an effect;
 * `unknown`, one may have had it. Without it the refusal came before the key was looked at, and says nothing of it.
 */
export type KeyOutcome = 'none' | 'unknown'

/** A refusal and the stage that made it. */
export class Refused extends Error {
  readonly step: Step
  readonly refusal: ProtocolError
  readonly outcome: KeyOutcome | undefined

  constructor(step: Step, refusal: ProtocolError, outcome?: KeyOutcome) {
    super(refusal.message)
    this.name = 'Refused'
    this.step = step
    this.refusal = refusal
    this.outcome = outcome
  }
}

/** Runs one check; what it throws is the refusal of `step`. */
export function check<T>(step: Step, run: () => T): T {
  try {
    return run()
  } catch (error) {
    throw asRefused(step, error)
  }
}

/** Awaits one check; what it throws is the refusal of `step`. */
export async function checkAsync<T>(step: Step, run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    throw asRefused(step, error)
  }
}

/** A thrown value as a refusal of `step`, unless it is one already. */
export function asRefused(step: Step, error: unknown): Refused {
  return error instanceof Refused ? error : new Refused(step, refusalOf(error))
}
