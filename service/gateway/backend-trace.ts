/** How a call of a backend is seen by traces. */
import type { Field, ResponseMessage } from 'miniseal-protocol/frames/binary-http'

/** Nothing of a path but its route: paths hold names of accounts and orders. */
export interface BackendCall {
  readonly method: string
  /** The prefix of the route, from the configuration. */
  readonly route: string
}

export interface BackendTrace {
  /**
   * Runs one call.
   *
   * @param send with the fields that tell the backend which trace the call belongs to
   */
  run(
    call: BackendCall,
    send: (fields: readonly Field[]) => Promise<ResponseMessage>,
  ): Promise<ResponseMessage>
}

/** No traces: the call is made, and that is all. */
export const untracedBackend: BackendTrace = { run: (_, send) => send([]) }
