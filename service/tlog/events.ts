/** What the log tells whoever watches it: lines of the service's log, metrics. Nothing of a leaf's content. */
import type { Refusal } from './log-health.ts'

/** Whether the log goes on. */
export type LogHealth =
  | { readonly kind: 'starting' }
  | { readonly kind: 'open' }
  | { readonly kind: 'refused'; readonly refusal: Refusal }

export type LogEvent =
  /** It changed. */
  | { readonly kind: 'health'; readonly health: LogHealth }
  /** A batch got its places. */
  | {
      readonly kind: 'sequenced'
      readonly leaves: number
      readonly size: number
      readonly durationMs: number
    }
  /** A checkpoint is served. */
  | { readonly kind: 'signed'; readonly origin: string; readonly size: number }
  /** It is tried again. */
  | { readonly kind: 'failed'; readonly task: LogTask; readonly error: unknown }

export type LogTask = 'sequencing' | 'publishing' | 'witnessing' | 'timestamping'
