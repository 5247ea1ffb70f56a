/** Why a backend's answer was not one: a closed set, for log lines and metrics. */

export type UpstreamCause =
  /** Nothing was sent. */
  | 'connect_refused'
  | 'connect_timeout'
  | 'name_not_found'
  | 'circuit_open'
  | 'queue_full'
  | 'queue_timeout'
  /** Something was, or may have been. */
  | 'timeout'
  | 'connection_lost'
  | 'answer_too_large'
  | 'bad_answer'
  | 'other'

export interface UpstreamFault {
  /** The prefix of the route, from the configuration. */
  readonly route: string
  readonly cause: UpstreamCause
  /** Of the system or of the HTTP client, for example `ECONNRESET`. */
  readonly errno: string | undefined
}

/** How a route is now. */
export interface RouteState {
  readonly route: string
  readonly circuit: 'closed' | 'half_open' | 'open'
  readonly running: number
  readonly waiting: number
}

const causes: Readonly<Record<string, UpstreamCause>> = {
  ECONNREFUSED: 'connect_refused',
  EHOSTUNREACH: 'connect_refused',
  ENETUNREACH: 'connect_refused',
  ENOTFOUND: 'name_not_found',
  EAI_AGAIN: 'name_not_found',
  UND_ERR_CONNECT_TIMEOUT: 'connect_timeout',
  UND_ERR_HEADERS_TIMEOUT: 'timeout',
  UND_ERR_BODY_TIMEOUT: 'timeout',
  UND_ERR_SOCKET: 'connection_lost',
  ECONNRESET: 'connection_lost',
  EPIPE: 'connection_lost',
  UND_ERR_RES_EXCEEDED_MAX_SIZE: 'answer_too_large',
  UND_ERR_HEADERS_OVERFLOW: 'bad_answer',
  UNFIT_ANSWER: 'bad_answer',
}

/** An answer that is whole, and that no message of the channel can carry. */
export class UnfitAnswer extends Error {
  readonly code = 'UNFIT_ANSWER'
}

/** A request that the service did not send: the circuit is open, or the queue is full or too slow. */
export class NotSent extends Error {
  readonly reason: UpstreamCause

  constructor(reason: UpstreamCause) {
    super(`not sent: ${reason}`)
    this.name = 'NotSent'
    this.reason = reason
  }
}

/** What the HTTP client threw, in the words of the set. */
export function causeOf(error: unknown): Pick<UpstreamFault, 'cause' | 'errno'> {
  const errno =
    error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
  if (error instanceof Error && error.name === 'TimeoutError') return { cause: 'timeout', errno: undefined }
  if (error instanceof Error && error.name === 'HTTPParserError') return { cause: 'bad_answer', errno }
  if (errno === undefined) return { cause: 'other', errno }
  return { cause: causes[errno] ?? (errno.startsWith('HPE_') ? 'bad_answer' : 'other'), errno }
}
