/** Bounds the memory of outer bodies: those that are still arriving, and those that are at work. */
import { ProblemError } from '../problems/problem-error.ts'

/** Room for one body. */
export interface Reservation {
  /** The body is here: from now on it is not cut any more. */
  arrived(): void
  /** Gives the room back. Harmless when repeated. */
  release(): void
}

export interface BodyMemoryBudget {
  /**
   * Takes room for a body of at most `bytes`. Where there is none left, the oldest body that is still arriving from
   * the source that holds the most is cut: who sends slowly holds room for long, and loses it first.
   *
   * @param cut ends the connection that the body comes over
   * @throws ProblemError `overloaded` (503) when the room is taken by bodies that have arrived, or by bodies of the same
   *   source that began only just now.
   */
  take(source: string, bytes: number, cut: () => void): Reservation
  /** Bytes that are taken now. */
  reserved(): number
}

interface Body {
  readonly source: string
  readonly bytes: number
  readonly cut: () => void
  /** Milliseconds, by `performance.now()`. */
  readonly beganAt: number
  isArriving: boolean
}

/**
 * For so many milliseconds a body is not cut for another one of its own source: otherwise who comes back at once with
 * large bodies would have the service read them without end.
 */
const grace = 2_000

/** @param capacity bytes of all bodies together */
export function createBodyMemoryBudget(capacity: number): BodyMemoryBudget {
  // In the order of their beginning.
  const bodies = new Set<Body>()
  let reserved = 0
  const release = (body: Body): void => {
    if (bodies.delete(body)) reserved -= body.bytes
  }
  const evictUntilFits = (source: string, bytes: number): void => {
    const arriving = [...bodies].filter(({ isArriving }) => isArriving)
    if (reserved - total(arriving) + bytes > capacity) throw budgetExceeded()
    while (reserved + bytes > capacity) {
      const victim = findVictim(arriving)
      if (victim === undefined) break
      if (victim.source === source && performance.now() - victim.beganAt < grace) throw budgetExceeded()
      arriving.splice(arriving.indexOf(victim), 1)
      release(victim)
      victim.cut()
    }
  }
  return {
    reserved: () => reserved,
    take(source, bytes, cut) {
      if (reserved + bytes > capacity) evictUntilFits(source, bytes)
      const body: Body = { source, bytes, cut, beganAt: performance.now(), isArriving: true }
      bodies.add(body)
      reserved += bytes
      return {
        arrived: () => {
          body.isArriving = false
        },
        release: () => release(body),
      }
    },
  }
}

function budgetExceeded(): ProblemError {
  return new ProblemError('overloaded', 'the service holds as much as it can', { status: 503, retryAfter: 1 })
}

function total(bodies: readonly Body[]): number {
  return bodies.reduce((sum, { bytes }) => sum + bytes, 0)
}

function findVictim(arriving: readonly Body[]): Body | undefined {
  const reserved = new Map<string, number>()
  for (const { source, bytes } of arriving) reserved.set(source, (reserved.get(source) ?? 0) + bytes)
  const most = Math.max(...reserved.values())
  return arriving.find(({ source }) => reserved.get(source) === most)
}
