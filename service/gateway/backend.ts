/** A backend: what answers a verified request that is not one of the channel's own routes. */

import type { Field, RequestMessage, ResponseMessage } from 'miniseal-protocol/frames/binary-http'
import type { Caller } from 'miniseal-protocol/http-signatures/gateway-signature'
import type { RouteState } from './upstream-pool.ts'

export type { Caller, SignatureEvidence } from 'miniseal-protocol/http-signatures/gateway-signature'

export interface Backend {
  /**
   * Whether requests like this one are idempotent: those of one user with one Idempotency-Key have one effect and the
   * same answer, concurrent ones included. A request that was lost in a crash is then run again when the client repeats
   * it. Absent: not idempotent.
   */
  isIdempotent?(request: RequestMessage): boolean
  /**
   * Answers a request, whose nonce is durable by now. The backend's own writes are its own business.
   *
   * @throws ProblemError `not_found`, `upstream_unavailable` (with the effect `none` where the backend certainly never saw
   *   the request), `step_up_required`, or the backend's own; any other error becomes `internal`.
   */
  answer(request: RequestMessage, caller: Caller): Promise<ResponseMessage>
  /** The name of the request's route, from a closed set, for limits per route. Absent: the first segment of its path. */
  routeOf?(request: RequestMessage): string | undefined
  /** What the user is shown when the channel's own policy requires step-up. `undefined`: method and path. */
  summaryOf?(request: RequestMessage): string | undefined
  /** State of each route, for metrics and health. */
  routes?(): readonly RouteState[]
  close(): Promise<void>
}

/** What a trace may record of a call: no path, since paths hold names of accounts and orders. */
export interface BackendCall {
  readonly method: string
  /** The prefix of the route, from the configuration. */
  readonly route: string
}

export interface BackendTrace {
  /**
   * Traces one call.
   *
   * @param send makes the call, with the trace fields to pass on
   */
  run(
    call: BackendCall,
    send: (fields: readonly Field[]) => Promise<ResponseMessage>,
  ): Promise<ResponseMessage>
}

/** Makes the call without a trace. */
export const untracedBackend: BackendTrace = { run: (_, send) => send([]) }
