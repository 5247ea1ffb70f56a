/** The service's time, and timers. */

/** Smaller differences are network latency, not clock skew. The service accepts 10 s ahead. */
const TOLERANCE_MS = 5000

/** The phone's clock plus an offset. Only signed answers may change the offset. */
export class Clock {
  private readonly now: () => number
  private offsetMs = 0

  /** @param now the phone's clock, UNIX milliseconds */
  constructor(now: () => number) {
    this.now = now
  }

  /** UNIX seconds, an integer. */
  seconds(): number {
    return Math.floor((this.now() + this.offsetMs) / 1000)
  }

  /** Adopts the service's time, UNIX seconds. Call it only with the time of a verified signature. */
  synchronize(time: number): void {
    const difference = time * 1000 - (this.now() + this.offsetMs)
    if (Math.abs(difference) > TOLERANCE_MS) this.offsetMs += difference
  }
}

declare const setTimeout: (run: () => void, milliseconds: number) => unknown
declare const clearTimeout: (timer: unknown) => void

/** A delay that can be ended early. */
export interface Delay {
  readonly done: Promise<void>
  end(): void
}

export function startDelay(milliseconds: number): Delay {
  let end = (): void => {}
  const done = new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, milliseconds)
    end = () => {
      clearTimeout(timer)
      resolve()
    }
  })
  return { done, end }
}

/** @throws the error that `onTimeout` returns, when `work` is not settled in time; its later result is ignored. */
export function withDeadline<T>(work: Promise<T>, milliseconds: number, onTimeout: () => Error): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(onTimeout()), milliseconds)
    work.then(resolve, reject).then(() => clearTimeout(timer))
  })
}
