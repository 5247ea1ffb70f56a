/** What is told of each transaction that writes, to be counted. */

export interface CommitReport {
  /** How many commits share the transaction, see `group-commit.ts` and `postgres-group.ts`. */
  readonly size: number
  /** From BEGIN until it is durable; on PostgreSQL with the wait for a connection and repetitions. Milliseconds. */
  readonly durationMs: number
  /** `failed`: StoreUnavailable. A write that was refused is no failure. */
  readonly outcome: 'done' | 'failed'
  /** Of what failed: a result code of the database or the system. */
  readonly code?: string | undefined
}

/** Must not throw. */
export type CommitObserver = (report: CommitReport) => void
