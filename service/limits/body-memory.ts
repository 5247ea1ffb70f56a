/** Memory budget for outer bodies, both arriving and in process. */
import { ProblemError } from '../problems/problem-error.ts'

export interface Reservation {
  /** The body is complete: it can no longer be evicted. */
  complete(): void
  /** Idempotent. */
  release(): void
}

export interface BodyMemoryBudget {
  /**
   * Reserves memory for a body of at most `bytes`. When the budget is exhausted, the oldest incomplete body of the
   * source with the largest reservation is evicted, so slow uploads are evicted first.
   *
   * @param evict closes the connection of this body
   * @throws ProblemError `overloaded` (503) when complete bodies fill the budget, or when the victim would be a recent
   *   body of the same source.
   */
  reserve(source: string, bytes: number, evict: () => void): Reservation
  /** Bytes. */
  reserved(): number
}

interface Body {
  readonly source: string
  readonly bytes: number
  readonly evict: () => void
  /** `performance.now()` */
  readonly startedAt: number
  isComplete: boolean
}

/**
 * Milliseconds during which a body is not evicted for another one of its source. Otherwise a client could make the service
 * read large bodies without end, by reconnecting.
 */
const defaultGrace = 2_000

/**
 * @param capacity bytes of all bodies together
 * @param grace milliseconds during which a body is not evicted for another one of its source
 */
export function createBodyMemoryBudget(capacity: number, grace = defaultGrace): BodyMemoryBudget {
  // Oldest first.
  const bodies = new Set<Body>()
  let reserved = 0
  const release = (body: Body): void => {
    if (bodies.delete(body)) reserved -= body.bytes
  }
  const evictUntilFits = (source: string, bytes: number): void => {
    const incomplete = [...bodies].filter(({ isComplete }) => !isComplete)
    if (reserved - total(incomplete) + bytes > capacity) throw budgetExceeded()
    while (reserved + bytes > capacity) {
      const victim = findVictim(incomplete)
      if (victim === undefined) break
      if (victim.source === source && performance.now() - victim.startedAt < grace) throw budgetExceeded()
      incomplete.splice(incomplete.indexOf(victim), 1)
      release(victim)
      victim.evict()
    }
  }
  return {
    reserved: () => reserved,
    reserve(source, bytes, evict) {
      if (reserved + bytes > capacity) evictUntilFits(source, bytes)
      const body: Body = { source, bytes, evict, startedAt: performance.now(), isComplete: false }
      bodies.add(body)
      reserved += bytes
      return {
        complete: () => {
          body.isComplete = true
        },
        release: () => release(body),
      }
    },
  }
}

function budgetExceeded(): ProblemError {
  return new ProblemError('overloaded', 'memory budget for bodies exhausted', { status: 503, retryAfter: 1 })
}

function total(bodies: readonly Body[]): number {
  return bodies.reduce((sum, { bytes }) => sum + bytes, 0)
}

/** The oldest body of the source that reserves the most. */
function findVictim(incomplete: readonly Body[]): Body | undefined {
  const reserved = new Map<string, number>()
  for (const { source, bytes } of incomplete) reserved.set(source, (reserved.get(source) ?? 0) + bytes)
  const largest = Math.max(...reserved.values())
  return incomplete.find(({ source }) => reserved.get(source) === largest)
}
