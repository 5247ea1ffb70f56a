/** The service's time, as far as the client knows it. */

/** Differences up to this are the way of the answer, not a wrong clock; the service accepts 10 s ahead. */
const TOLERANCE_MS = 5000

/** The phone's clock plus an offset that only signed answers may change. */
export class Clock {
  private readonly now: () => number
  private offsetMs = 0

  /** @param now the phone's clock, UNIX milliseconds */
  constructor(now: () => number) {
    this.now = now
  }

  /** UNIX seconds, whole. */
  seconds(): number {
    return Math.floor((this.now() + this.offsetMs) / 1000)
  }

  /** Takes over the service's time, UNIX seconds. Only from an answer whose signature was verified. */
  learn(time: number): void {
    const difference = time * 1000 - (this.now() + this.offsetMs)
    if (Math.abs(difference) > TOLERANCE_MS) this.offsetMs += difference
  }
}
