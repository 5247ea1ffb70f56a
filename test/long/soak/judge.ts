/** Decides whether a figure of a service grows: a leak, or increasing latency. */

/** The measurements of one figure. */
export interface Series {
  readonly name: string
  readonly unit: string
  /** Ordered by time. */
  readonly points: readonly Point[]
  /** The allowed rise within the second half: the largest of a service without a leak. */
  readonly allowed: Allowance
}

export interface Point {
  /** Seconds from the start. */
  readonly at: number
  readonly value: number
}

/** `absolute + share * median`. */
export interface Allowance {
  readonly absolute: number
  /** Of the median of the second half. */
  readonly share: number
}

export interface Verdict {
  readonly name: string
  readonly unit: string
  /** Rise of the fitted line within the second half. */
  readonly rise: number
  readonly allowed: number
  readonly hasGrown: boolean
}

/** @throws Error with fewer than eight points in the second half */
export function judge({ name, unit, points, allowed }: Series): Verdict {
  const half = points.slice(Math.floor(points.length / 2))
  const [first, last] = [half[0], half.at(-1)]
  if (first === undefined || last === undefined || half.length < 8)
    throw new Error(`${name} was measured too few times to be judged`)
  const rise = slopeOf(half) * (last.at - first.at)
  const limit = allowed.absolute + allowed.share * median(half.map(({ value }) => value))
  return { name, unit, rise, allowed: limit, hasGrown: rise > limit }
}

/** The median of the slopes between all pairs (Theil and Sen): single outliers do not count. */
function slopeOf(points: readonly Point[]): number {
  const slopes: number[] = []
  for (const [index, one] of points.entries()) {
    for (const other of points.slice(index + 1)) {
      if (other.at > one.at) slopes.push((other.value - one.value) / (other.at - one.at))
    }
  }
  return median(slopes)
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

/** @returns 0 for an empty list */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((one, other) => one - other)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
}

const mebibyte = 1024 * 1024

/** The allowed rise of each figure; for times, twice the median and a noticeable delay. */
export const allowances = {
  heap: { absolute: 4 * mebibyte, share: 0.04 },
  rss: { absolute: 24 * mebibyte, share: 0.08 },
  handles: { absolute: 8, share: 0 },
  loop: { absolute: 100, share: 1 },
  p50: { absolute: 50, share: 1 },
  p99: { absolute: 200, share: 1 },
  /** Load average: above this rise, latencies do not count. */
  load: { absolute: 1, share: 0.25 },
} satisfies Record<string, Allowance>
