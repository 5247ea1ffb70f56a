/** Refusals of one source are written to the log a few times a minute; the others are counted there, and in the metrics. */

/** Lines about refusals of one address group in one window. */
const perSource = 20

/** Milliseconds of a window. */
const window = 60_000

/** Address groups that are told apart; all others share one allowance. */
const maxSources = 10_000

/** What one window left out. */
export interface SuppressedCounts {
  readonly refusals: number
  /** Address groups that they came from, as far as they were told apart. */
  readonly sources: number
  /** How many there were of each code. */
  readonly codes: Readonly<Record<string, number>>
}

/**
 * @param report called at the end of a window that left something out
 * @returns whether a refusal of this source is to be written
 */
export function createRefusalSampler(
  report: (leftOut: SuppressedCounts) => void,
): (source: string, code: string) => boolean {
  let counts = new Map<string, number>()
  let codes: Record<string, number> = {}
  let refusals = 0
  let isOpen = false
  const close = (): void => {
    const sources = [...counts.values()].filter((count) => count > perSource).length
    if (refusals > 0) report({ refusals, sources, codes })
    counts = new Map()
    codes = {}
    refusals = 0
    isOpen = false
  }
  return (source, code) => {
    if (!isOpen) setTimeout(close, window).unref()
    isOpen = true
    const name = counts.has(source) || counts.size < maxSources ? source : 'others'
    const count = (counts.get(name) ?? 0) + 1
    counts.set(name, count)
    if (count <= perSource) return true
    refusals += 1
    codes[code] = (codes[code] ?? 0) + 1
    return false
  }
}
