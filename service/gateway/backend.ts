/** A backend: what answers a verified request that is not the channel's own. */

import type { RequestMessage, ResponseMessage } from 'miniseal-protocol/frames/binary-http'
import type { Caller } from 'miniseal-protocol/http-signatures/gateway-signature'
import type { RouteState } from './upstream-faults.ts'

export type { Caller, SignatureEvidence } from 'miniseal-protocol/http-signatures/gateway-signature'

export interface Backend {
  /**
   * Whether it promises, for requests like this one, that those of one user with one Idempotency-Key have one effect and
   * the same answer, also when they come at the same time. Then a request that was lost in a crash is run again when the
   * client repeats it. Absent: it promises nothing.
   */
  isIdempotent?(request: RequestMessage): boolean
  /**
   * Answers a request. The nonce is durable by now; whatever the backend does is its own.
   *
   * @throws ProblemError `not_found`, `upstream_unavailable` (with the effect `none` where the backend certainly never saw
   *   the request), `step_up_required`, or the backend's own; any other error becomes `internal`.
   */
  answer(request: RequestMessage, caller: Caller): Promise<ResponseMessage>
  /**
   * The route that a request takes, by a name from a closed set: one that hangs leaves room for the others. Absent: the
   * first segment of its path.
   */
  routeOf?(request: RequestMessage): string | undefined
  /**
   * What the user is shown when not this backend but the channel wants a request confirmed. Absent, or `undefined`: its
   * method and path.
   */
  summaryOf?(request: RequestMessage): string | undefined
  /** How its routes are now, where it has routes. */
  routes?(): readonly RouteState[]
  close(): Promise<void>
}
