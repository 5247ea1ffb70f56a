/**
 * Whether the time of day can be trusted to forget by it.
 *
 * What is deleted by a clock that is wrong is gone when the clock is right again: nonces of requests that are still in
 * their window, answers of keys that clients repeat. The time of day is therefore compared with the monotonic clock, which
 * nobody sets. Only when both have run alike for {@link settling} is anything deleted; a start counts as a jump, because a
 * process that starts cannot know what the clock was before.
 */

/** For how long both clocks must have run alike, in seconds: longer than any request is in its window. */
export const settling = 600

/** How far they may drift apart from one look to the next, in seconds: more is a jump. */
const tolerance = 5

export interface ClockJump {
  /** How far the time of day went ahead (or back: negative), in seconds. */
  readonly seconds: number
}

export interface ClockWatch {
  /** Looks at both clocks. @returns UNIX seconds, or `undefined` when nothing may be deleted by them */
  trustedTime(): number | undefined
}

interface Watched {
  /** UNIX seconds. */
  readonly now: () => number
  /** Seconds since any moment; never set. */
  readonly monotonic: () => number
  readonly onJump: (jump: ClockJump) => void
  /** Deleting goes on. */
  readonly onSettled: (time: number) => void
}

export function watchClock({ now, monotonic, onJump, onSettled }: Watched): ClockWatch {
  let offset = now() - monotonic()
  let alikeSince = monotonic()
  let isSettled = false
  return {
    trustedTime() {
      const [time, elapsed] = [now(), monotonic()]
      const seconds = time - elapsed - offset
      offset = time - elapsed
      if (Math.abs(seconds) > tolerance) {
        alikeSince = elapsed
        isSettled = false
        onJump({ seconds: Math.round(seconds) })
      }
      if (elapsed - alikeSince < settling) return undefined
      if (!isSettled) onSettled(time)
      isSettled = true
      return time
    },
  }
}
