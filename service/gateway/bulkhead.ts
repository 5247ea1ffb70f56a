/**
 * What one route may take of the service: connections of its own, a share of the work, and a circuit breaker. A backend
 * that hangs fills its own lane and no other.
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
import { NotSent, type RouteState, UnfitAnswer, type UpstreamCause } from './upstream-faults.ts'

/** Requests of one route that a backend works on at the same time, each on a connection of its own. */
const maxRunning = 128

/** Requests of one route that wait for their turn; more are refused at once. */
const maxWaiting = 512

/** So many failures in a row open the circuit. */
const failuresToOpen = 5

/** For how long nothing is sent once it is open; then one request tries, in milliseconds. */
const openFor = 5_000

/** For how long a connection is kept for the next request, in milliseconds: less than servers keep theirs. */
const keepAlive = 4_000

export interface UpstreamBulkhead {
  /**
   * Runs `send` when it is its turn.
   *
   * @param deadline when it is over before the turn comes, nothing is sent
   * @throws ProblemError `upstream_unavailable` with the effect `none` and `Retry-After` when the circuit is open or the
   *   queue is full; and whatever `send` throws.
   */
  run<T>(deadline: AbortSignal, send: (agent: Agent) => Promise<T>): Promise<T>
  /** How it is now. */
  state(): Omit<RouteState, 'route'>
  close(): Promise<void>
}

export interface UpstreamBulkheadOptions {
  /** Milliseconds. */
  readonly connectTimeout: number
  /** Bytes of an answer's body; counted while it arrives. */
  readonly maxContent: number
}

/** A lane with a circuit that is closed. */
export function openUpstreamBulkhead({
  connectTimeout,
  maxContent,
}: UpstreamBulkheadOptions): UpstreamBulkhead {
  const agent = new Agent({
    connections: maxRunning,
    pipelining: 1,
    keepAliveTimeout: keepAlive,
    connectTimeout,
    maxResponseSize: maxContent,
  })
  const share = bulkhead(maxRunning, maxWaiting)
  const circuit = circuitBreaker(handleWhen(isOutage), {
    breaker: new ConsecutiveBreaker(failuresToOpen),
    halfOpenAfter: openFor,
  })
  let openedAt = 0
  circuit.onBreak(() => {
    openedAt = Date.now()
  })
  const assertClosed = (): void => {
    const left = openedAt + openFor - Date.now()
    // While one request tries, no other waits for what comes of it.
    const isProbing = circuit.state === CircuitState.HalfOpen
    if (isProbing || (circuit.state === CircuitState.Open && left > 0)) {
      throw refusal(
        'circuit_open',
        'the backend is not answering, so nothing is sent to it for a while',
        left,
      )
    }
  }
  return {
    async run(deadline, send) {
      try {
        return await share.execute(() => {
          if (deadline.aborted)
            throw refusal('queue_timeout', 'the backend is too slow: the turn did not come in time', 0)
          assertClosed()
          return circuit.execute(() => send(agent))
        })
      } catch (error) {
        if (error instanceof BulkheadRejectedError)
          throw refusal('queue_full', 'too many requests wait for the backend', 0)
        throw error
      }
    },
    state: () => ({
      circuit: circuitNames[circuit.state],
      running: maxRunning - share.executionSlots,
      waiting: maxWaiting - share.queueSlots,
    }),
    close: () => agent.destroy(),
  }
}

/** An isolated circuit sends nothing either; nobody isolates one here. */
const circuitNames = {
  [CircuitState.Closed]: 'closed',
  [CircuitState.HalfOpen]: 'half_open',
  [CircuitState.Open]: 'open',
  [CircuitState.Isolated]: 'open',
} as const

/** @param left milliseconds until it is worth trying again */
function refusal(reason: UpstreamCause, message: string, left: number): ProblemError {
  return new ProblemError('upstream_unavailable', message, {
    effect: 'none',
    cause: new NotSent(reason),
    retryAfter: Math.max(1, Math.ceil(left / 1000)),
  })
}

/** An answer that is too large, or unfit, shows that the backend works, and clients could ask for it on purpose. */
function isOutage(error: Error): boolean {
  const isLarge = 'code' in error && error.code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE'
  return !isLarge && !(error instanceof UnfitAnswer)
}
