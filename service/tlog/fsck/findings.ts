/** Findings of a check. */

/** The closed list of codes; stable for scripts. */
export type FindingCode =
  | 'entry-missing'
  | 'entry-changed'
  | 'entry-beyond'
  | 'entry-unreadable'
  | 'column-changed'
  | 'detail-changed'
  | 'detail-missing'
  | 'blind-index-changed'
  | 'tile-missing'
  | 'tile-changed'
  | 'tile-beyond'
  | 'root-changed'
  | 'checkpoint-unreadable'
  | 'checkpoint-unsigned'
  | 'checkpoint-inconsistent'
  | 'rolled-back'
  | 'log-missing'
  | 'pinned-checkpoint-unreadable'
  | 'hourly-count-changed'
  | 'pending-changed'

export interface Finding {
  readonly code: FindingCode
  /** A readable place: `log 0, entry 17`. */
  readonly location: string
  readonly message: string
}

/** Collects findings. */
export interface Findings {
  report(code: FindingCode, location: string, message: string): void
  /** The total; may exceed `reported`. */
  readonly count: number
  /** The first ones. */
  readonly reported: readonly Finding[]
}

/** Bounds memory for a thoroughly damaged log. */
const maxReported = 1_000

export function collectFindings(): Findings {
  const reported: Finding[] = []
  let count = 0
  return {
    report(code, location, message) {
      count++
      if (reported.length < maxReported) reported.push({ code, location, message })
    },
    get count() {
      return count
    },
    reported,
  }
}
