/** Refusals by a limit: they know for how long, and may say more about the limit in their fields. */

import { ProtocolError } from 'miniseal-protocol/errors'
import type { Field } from 'miniseal-protocol/frames/binary-http'

/** What a limit says besides its code. */
interface ThrottledDetails {
  /** 429 when the caller sends too much, 503 when all callers together do. */
  readonly status: 429 | 503
  /** Whole seconds, at least 1: when it is worth trying again. */
  readonly retryAfter: number
  /** Fields for the answer, for example `ratelimit`. */
  readonly fields?: readonly Field[]
}

/** A request over a limit: `rate_limited` inside the channel, `overloaded` in the clear. Nothing was done for it. */
export class Throttled extends ProtocolError {
  readonly status: 429 | 503
  readonly retryAfter: number
  readonly fields: readonly Field[]

  constructor(code: 'rate_limited' | 'overloaded', message: string, details: ThrottledDetails) {
    super(code, message)
    this.name = 'Throttled'
    this.status = details.status
    this.retryAfter = details.retryAfter
    this.fields = details.fields ?? []
  }
}
