/**
 * Connections to the backend of one route: a limit on concurrent requests, a bounded queue and a circuit breaker. A
 * backend that hangs exhausts the pool of its own route only.
 */
import {
  BulkheadRejectedError,
  bulkhead,
  CircuitState,
  ConsecutiveBreaker,
  circuitBreaker,
  handleWhen,
} from 'cockatiel'
import { Agent } from 'undici'
import { ProblemError } from '../problems/problem-error.ts'

/** The cause of a missing or unusable answer of a backend: a closed set, for log lines and metrics. */
export type UpstreamCause =
  /** Nothing was sent. */
  | 'connect_refused'
  | 'connect_timeout'
  | 'name_not_found'
  | 'circuit_open'
  | 'queue_full'
  | 'queue_timeout'
  /** The request was sent, or may have been. */
  | 'timeout'
  | 'connection_lost'
  | 'answer_too_large'
  | 'bad_answer'
  | 'other'

export interface UpstreamFault {
  /** The prefix of the route, from the configuration. */
  readonly route: string
  readonly cause: UpstreamCause
  /** The error code of the system or of the HTTP client, for example `ECONNRESET`. */
  readonly errno: string | undefined
}

export interface RouteState {
  readonly route: string
  readonly circuit: 'closed' | 'half_open' | 'open'
  readonly running: number
  readonly waiting: number
}

/** A request that was not sent: the circuit is open, or the queue is full or too slow. */
class NotSent extends Error {
  readonly reason: UpstreamCause

  constructor(reason: UpstreamCause) {
    super(`not sent: ${reason}`)
    this.name = 'NotSent'
    this.reason = reason
  }
}

/** A complete answer that no message of the channel can carry. */
export class UnfitAnswer extends Error {
  readonly code = 'UNFIT_ANSWER'
}

/** Concurrent requests of one route, each on a connection of its own. */
const maxRunning = 128

/** Queued requests of one route; more are refused at once. */
const maxWaiting = 512

/** Consecutive failures that open the circuit. */
const failuresToOpen = 5

/** Milliseconds before an open circuit admits one trial request. */
const openFor = 5_000

/** Milliseconds that an idle connection is kept: less than servers keep theirs. */
const keepAlive = 4_000

export interface UpstreamPool {
  /**
   * Runs `send` once a connection is free.
   *
   * @param deadline a request that is still queued then is not sent
   * @throws ProblemError `upstream_unavailable` with the effect `none` and `Retry-After` when the circuit is open or the
   *   queue is full; and whatever `send` throws.
   */
  run<T>(deadline: AbortSignal, send: (agent: Agent) => Promise<T>): Promise<T>
  state(): Omit<RouteState, 'route'>
  close(): Promise<void>
}

export interface UpstreamPoolOptions {
  /** Milliseconds. */
  readonly connectTimeout: number
  /** Bytes of an answer's body, counted while it arrives. */
  readonly maxContent: number
}

export function openUpstreamPool({ connectTimeout, maxContent }: UpstreamPoolOptions): UpstreamPool {
  const agent = new Agent({
    connections: maxRunning,
    pipelining: 1,
    keepAliveTimeout: keepAlive,
    connectTimeout,
    maxResponseSize: maxContent,
  })
  const queue = bulkhead(maxRunning, maxWaiting)
  const circuit = circuitBreaker(handleWhen(isOutage), {
    breaker: new ConsecutiveBreaker(failuresToOpen),
    halfOpenAfter: openFor,
  })
  let openedAt = 0
  circuit.onBreak(() => {
    openedAt = Date.now()
  })
  const assertClosed = (): void => {
    const remaining = openedAt + openFor - Date.now()
    // Other requests do not wait for the trial request.
    const isProbing = circuit.state === CircuitState.HalfOpen
    if (isProbing || (circuit.state === CircuitState.Open && remaining > 0))
      throw refusal('circuit_open', 'the backend failed repeatedly; requests are paused', remaining)
  }
  return {
    async run(deadline, send) {
      try {
        return await queue.execute(() => {
          if (deadline.aborted)
            throw refusal('queue_timeout', 'the backend is too slow: the request timed out in the queue', 0)
          assertClosed()
          return circuit.execute(() => send(agent))
        })
      } catch (error) {
        if (error instanceof BulkheadRejectedError)
          throw refusal('queue_full', 'too many requests are queued for the backend', 0)
        throw error
      }
    },
    state: () => ({
      circuit: circuitNames[circuit.state],
      running: maxRunning - queue.executionSlots,
      waiting: maxWaiting - queue.queueSlots,
    }),
    close: () => agent.destroy(),
  }
}

/** `Isolated` does not occur: the service never isolates a circuit. */
const circuitNames = {
  [CircuitState.Closed]: 'closed',
  [CircuitState.HalfOpen]: 'half_open',
  [CircuitState.Open]: 'open',
  [CircuitState.Isolated]: 'open',
} as const

/** @param remaining milliseconds until a retry makes sense */
function refusal(reason: UpstreamCause, message: string, remaining: number): ProblemError {
  return new ProblemError('upstream_unavailable', message, {
    effect: 'none',
    cause: new NotSent(reason),
    retryAfter: Math.max(1, Math.ceil(remaining / 1000)),
  })
}

/** An answer that is too large or unfit is not an outage: the backend works, and clients could provoke such answers. */
function isOutage(error: Error): boolean {
  const isLarge = 'code' in error && error.code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE'
  return !isLarge && !(error instanceof UnfitAnswer)
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

/** Classifies what {@link UpstreamPool.run} threw. */
export function faultOf(error: unknown): Pick<UpstreamFault, 'cause' | 'errno'> {
  const cause = error instanceof ProblemError ? error.cause : error
  if (cause instanceof NotSent) return { cause: cause.reason, errno: undefined }
  if (!(cause instanceof Error)) return { cause: 'other', errno: undefined }
  const errno = 'code' in cause && typeof cause.code === 'string' ? cause.code : undefined
  if (cause.name === 'TimeoutError') return { cause: 'timeout', errno: undefined }
  if (cause.name === 'HTTPParserError') return { cause: 'bad_answer', errno }
  if (errno === undefined) return { cause: 'other', errno }
  return { cause: causes[errno] ?? (errno.startsWith('HPE_') ? 'bad_answer' : 'other'), errno }
}
