/** The writes on the audit log's tables. Giving leaves their places is no write of this list: see `log-sequence.ts`. */
import type {
  AuthenticatedPendingEntry,
  HourlyCount,
  LogEntry,
  LogState,
  TileRecord,
  WitnessRecord,
} from './log-records.ts'

/** One effect on the log, as data; each touches exactly one row or is refused, but for `delete-checkpoint`. */
export type LogWrite =
  /** Refused when a leaf of this id is staged already. */
  | { readonly kind: 'insert-pending-entry'; readonly entry: AuthenticatedPendingEntry }
  | LogStartWrite
  | CheckpointWrite
  /** Inserts, or replaces what is known of the witness. */
  | { readonly kind: 'upsert-witness'; readonly witness: WitnessRecord }

/** A new log begins in one commit: the old one held, then state, first entry, its tile and its count. */
type LogStartWrite =
  /**
   * Keeps the tree as it is until the commit: sequencing waits, and then finds the log that was started. Refused unless
   * the tree of `log` is exactly this one.
   */
  | {
      readonly kind: 'lock-log-state'
      readonly log: number
      readonly size: number
      readonly root: Uint8Array
    }
  /** Refused when there is a log of this number. */
  | { readonly kind: 'insert-log-state'; readonly state: LogState }
  /** Refused when the place, the id or the hash is taken. */
  | { readonly kind: 'insert-log-entry'; readonly entry: LogEntry }
  /** Refused when the tile is there. */
  | { readonly kind: 'insert-tile'; readonly tile: TileRecord }
  /** Adds to the count, or begins it. */
  | { readonly kind: 'add-hour-count'; readonly count: HourlyCount }

type CheckpointWrite =
  /** Refused when there is a checkpoint of this size: of several processes that sign at once, one does. */
  | {
      readonly kind: 'insert-checkpoint'
      readonly log: number
      readonly size: number
      readonly signedAt: number
      readonly note: string
    }
  /** Replaces the note of the same size; its cosignatures stay. Refused unless it was signed last at `signedBefore`. */
  | {
      readonly kind: 'reissue-checkpoint'
      readonly log: number
      readonly size: number
      readonly signedBefore: number
      readonly signedAt: number
      readonly note: string
    }
  /** Sets `signedAt` to 0: whoever may sign is to sign it anew at once. Refused when it is 0. */
  | { readonly kind: 'request-checkpoint-reissue'; readonly log: number; readonly size: number }
  /** Refused unless the cosignatures are still `from`. */
  | {
      readonly kind: 'swap-cosignatures'
      readonly log: number
      readonly size: number
      readonly from: string
      readonly to: string
    }
  /** Deletes the checkpoint unless it was signed anew, or has a token, since it was read. Never refused. */
  | {
      readonly kind: 'delete-checkpoint'
      readonly log: number
      readonly size: number
      readonly signedAt: number
    }
  /** Refused when the checkpoint has a token. */
  | {
      readonly kind: 'set-timestamp'
      readonly log: number
      readonly size: number
      readonly token: Uint8Array
    }
