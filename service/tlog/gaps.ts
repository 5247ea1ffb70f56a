/** What could not be logged while the database did not answer: how much, and from when to when. */

/** A stretch of time in which so many leaves are missing. */
export interface Gap {
  /** Milliseconds since 1970. */
  readonly from: number
  readonly to: number
  readonly n: number
}

/** Counted in memory: what is known here ends with the process. */
export interface Gaps {
  /** One leaf more is missing. @param at milliseconds since 1970 */
  note(at: number): void
  /** What is missing so far: whoever takes it writes it, or gives it back. */
  take(): Gap | undefined
  giveBack(gap: Gap | undefined): void
}

export function createGaps(): Gaps {
  let missing: Gap | undefined
  const add = (gap: Gap): void => {
    missing =
      missing === undefined
        ? gap
        : {
            from: Math.min(missing.from, gap.from),
            to: Math.max(missing.to, gap.to),
            n: missing.n + gap.n,
          }
  }
  return {
    note: (at) => add({ from: at, to: at, n: 1 }),
    take() {
      const taken = missing
      missing = undefined
      return taken
    },
    giveBack(gap) {
      if (gap !== undefined) add(gap)
    },
  }
}
