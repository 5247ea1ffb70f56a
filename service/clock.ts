/**
 * Detects jumps of the wall clock. Rows that are pruned by a wrong clock are missing when the clock is corrected: nonces of
 * requests that are valid again, responses that clients may request again. Rows are therefore pruned only after wall clock
 * and monotonic clock have agreed for {@link settlingTime}. A start counts as a jump: the clock before it is unknown.
 */

/** Seconds; longer than the window of any request. */
export const settlingTime = 600

/** Seconds between two readings beyond which drift is a jump. */
const tolerance = 5

export interface ClockJump {
  /** Seconds; negative for a jump back. */
  readonly seconds: number
}

export interface ClockWatch {
  /** Reads both clocks. @returns UNIX seconds, or `undefined` while the clock is not trusted */
  trustedTime(): number | undefined
}

interface ClockWatchOptions {
  /** UNIX seconds. */
  readonly now: () => number
  /** Seconds since an arbitrary moment. */
  readonly monotonic: () => number
  readonly onJump: (jump: ClockJump) => void
  /** The clock is trusted again. */
  readonly onStable: (time: number) => void
}

export function watchClock({ now, monotonic, onJump, onStable }: ClockWatchOptions): ClockWatch {
  let offset = now() - monotonic()
  let stableSince = monotonic()
  let isTrusted = false
  return {
    trustedTime() {
      const [time, elapsed] = [now(), monotonic()]
      const seconds = time - elapsed - offset
      offset = time - elapsed
      if (Math.abs(seconds) > tolerance) {
        stableSince = elapsed
        isTrusted = false
        onJump({ seconds: Math.round(seconds) })
      }
      if (elapsed - stableSince < settlingTime) return undefined
      if (!isTrusted) onStable(time)
      isTrusted = true
      return time
    },
  }
}
