/**
 * The contract of the database: one interface, two engines (SQLite, PostgreSQL), one test suite.
 *
 * - **Times** are whole UNIX seconds and always arguments: the store has no clock.
 * - **Byte strings** are `Uint8Array`, copied out of the driver. Wrapped secrets are opaque: the store has no keys.
 * - **Text** must not contain U+0000, which PostgreSQL cannot store: parsers refuse it before.
 * - **Absence** is `undefined` for a whole record and `null` for a column without a value.
 */
import type { AuditorReads, AuditorWrite } from './auditors.ts'
import type { Watching } from './changes.ts'
import type { ClaimReads, ClaimWrite } from './claims.ts'
import type { EventReads, EventWrite } from './events.ts'
import type { ServiceKeyReads, ServiceKeyWrite } from './service-keys.ts'
import type { SessionReads, SessionWrite } from './sessions.ts'
import type { StepUpReads, StepUpWrite } from './step-ups.ts'
import type { SubjectKeyReads, SubjectKeyWrite } from './subject-keys.ts'
import type { EntryReads, EntryWrite } from './tlog-entries.ts'
import type { SearchReads } from './tlog-search.ts'
import type { Sequencing } from './tlog-sequence.ts'
import type { TreeReads, TreeWrite } from './tlog-tree.ts'
import type { UserReads, UserWrite } from './users.ts'
import type { WrappedReads, WrappedWrite } from './wrapped-values.ts'

/**
 * One effect on the database, as data. Each touches exactly one row or is *refused*: its condition did not hold, or a
 * constraint of the tables forbids it (a session of a device that does not exist). Bulk writes touch any number of rows,
 * including none, and are never refused.
 */
export type Write =
  | UserWrite
  | SessionWrite
  | ClaimWrite
  | StepUpWrite
  | EventWrite
  | ServiceKeyWrite
  | WrappedWrite
  | SubjectKeyWrite
  | AuditorWrite
  | EntryWrite
  | TreeWrite

/** The write of one kind. */
export type WriteOf<K extends Write['kind']> = Extract<Write, { readonly kind: K }>

/**
 * `refused` names the first refused write and its index in the list; no write of the list was applied. It is returned
 * only after the conflicting commit is durable.
 */
export type CommitResult =
  | { readonly kind: 'committed' }
  | { readonly kind: 'refused'; readonly write: Write; readonly index: number }

/** Everything that only reads. */
export interface Reads
  extends UserReads,
    SessionReads,
    ClaimReads,
    StepUpReads,
    EventReads,
    ServiceKeyReads,
    WrappedReads,
    SubjectKeyReads,
    AuditorReads,
    EntryReads,
    SearchReads,
    TreeReads {}

/** Every method rejects with {@link StoreUnavailable} when the database fails, and after `close`. */
export interface Store extends Reads, Watching, Sequencing {
  /**
   * Runs the writes in the given order in one transaction: all of them or none.
   *
   * Durable when it resolves with `committed`: on disk, not only in memory. Callers that write the same rows order them the
   * same way, to avoid deadlocks; the store retries after one.
   *
   * @throws StoreUnavailable when the outcome is not known to be durable. Usually nothing was written, but when the
   *   connection or the disk fails during the commit itself, the writes may exist: the caller must not have released an
   *   effect, and must not repeat the same claims.
   */
  commit(writes: readonly Write[]): Promise<CommitResult>

  /**
   * Deletes at most `limit` rows: nonces, login codes, challenges and idempotency keys with `expires_at < now`, sessions
   * that ended or expired more than 22 hours before `now`, agreement keys that ended before `now`. Of an outbox it deletes
   * events from the oldest one up to the newest expired one, so that no gap remains. Idempotency keys without a response
   * stay 90 days longer: their request may have had its effect. Expired details of log entries are erased with the blind
   * indexes of the entry. Small limits avoid delaying requests. Several processes may prune at once.
   *
   * @returns the number of rows deleted or emptied; fewer than `limit` when no more may be pruned
   */
  prune(now: number, limit: number): Promise<number>

  /** Makes a durable write that leaves no row, for `/readyz`. */
  assertWritable(): Promise<void>

  /** Waits for the accepted commits, then closes the database. Idempotent. */
  close(): Promise<void>
}

export interface StoreOptions {
  /** Called for every transaction that writes. */
  readonly onCommit?: CommitObserver
  /**
   * SQLite: called once when the disk failed, or the file was removed or replaced. Every later commit fails until the
   * database is opened again.
   */
  readonly onLost?: (error: unknown) => void
  /**
   * All reads see one snapshot of the database, taken by the first one; commits fail. For commands that compare tables,
   * then close the store.
   */
  readonly isSnapshot?: boolean
  /**
   * Milliseconds; default 5000. SQLite: that a statement waits for another process, which blocks the thread. PostgreSQL:
   * until the server cancels a statement, including waits for locks.
   */
  readonly statementTimeout?: number
}

/** A write transaction, for metrics. */
export interface CommitReport {
  /** How many commits shared the transaction, see `group-commit.ts` of both engines. */
  readonly size: number
  /** From BEGIN until it was durable; on PostgreSQL including the wait for a connection, and retries. Milliseconds. */
  readonly durationMs: number
  /** `failed`: StoreUnavailable. A refused write counts as `done`. */
  readonly outcome: 'done' | 'failed'
  /** The result code of a failure: see {@link faultCodeOf}. */
  readonly code?: string | undefined
}

/** Must not throw. */
export type CommitObserver = (report: CommitReport) => void

/** The database failed; the outcome of a write is unknown. The message is safe to log; `cause` is the driver's error. */
export class StoreUnavailable extends Error {
  constructor(cause: unknown) {
    super(`the store is unavailable (${faultCodeOf(cause) ?? 'no code'})`, { cause })
    this.name = 'StoreUnavailable'
  }
}

const faultCode = /^(?:SQLITE_[A-Z_]{2,40}|E[A-Z0-9]{2,20}|[0-9A-Z]{5})$/

const maxCauses = 5

/**
 * The result code of an error or of one of its causes, for example `SQLITE_FULL`, `ENOSPC` or a SQLSTATE. It is the only
 * part of a driver's error that never quotes a row.
 */
export function faultCodeOf(error: unknown): string | undefined {
  let at = error
  for (let depth = 0; depth < maxCauses && at instanceof Error; depth++) {
    if ('code' in at && typeof at.code === 'string' && faultCode.test(at.code)) return at.code
    at = at.cause
  }
  return undefined
}
