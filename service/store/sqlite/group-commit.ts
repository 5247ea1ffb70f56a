/**
 * Group commit on SQLite.
 *
 * A durable commit costs one disk flush, regardless of its size. Work that arrives during a flush shares the next
 * transaction; without one, the queue is drained in the same turn of the event loop, after its I/O. When a piece rolls itself
 * back, the transaction is undone and run again with a savepoint for each piece.
 */
import Database from 'better-sqlite3'
import { faultCodeOf, type StoreOptions, StoreUnavailable } from '../store.ts'
import type { Outcome } from '../tlog-sequence.ts'
import type { WalSync } from './wal-sync.ts'

interface Waiting {
  /** Runs inside the transaction. @returns whether to keep its writes */
  readonly run: () => boolean
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

type GroupCommitOptions = Pick<StoreOptions, 'onCommit' | 'onLost'>

/** Written to the WAL, not yet flushed. */
interface Group {
  readonly size: number
  /** Milliseconds, by `performance.now()`. */
  readonly startedAt: number
  readonly done: readonly Waiting[]
}

/** Pieces of one transaction. It blocks the event loop and other processes for about 5 ms. */
const maxBatch = 256

export class GroupCommit {
  readonly #connection: Database.Database
  readonly #statements: Record<'begin' | 'commit' | 'rollback', Database.Statement>
  readonly #wal: WalSync
  readonly #options: GroupCommitOptions
  #waiting: Waiting[] = []
  /** The current or scheduled flush. */
  #running: Promise<void> | undefined
  #closed = false
  /** The error of a failed flush, after which the state on disk is unknown. */
  #failure: unknown

  /** @param wal of the connection's file, whose `synchronous` is NORMAL */
  constructor(connection: Database.Database, wal: WalSync, options: GroupCommitOptions = {}) {
    this.#connection = connection
    this.#statements = {
      begin: connection.prepare('BEGIN IMMEDIATE'),
      commit: connection.prepare('COMMIT'),
      rollback: connection.prepare('ROLLBACK'),
    }
    this.#wal = wal
    this.#options = options
  }

  /**
   * Runs `work` in the next transaction, and again when another piece has undone it, so it may only read and write the
   * database. It must be synchronous: an `await` between BEGIN and COMMIT would let statements of other requests into the
   * transaction, because there is one connection.
   *
   * @returns the value of `work` after the flush; also with `keep: false`, because a conflicting piece of the same
   *   transaction must be durable first
   * @throws StoreUnavailable when the transaction failed; an error of `work` itself is thrown to its caller only
   */
  add<T>(work: () => Outcome<T>): Promise<T> {
    if (this.#closed) return Promise.reject(new StoreUnavailable(new Error('the store is closed')))
    return new Promise<T>((resolve, reject) => {
      let outcome: Outcome<T>
      const run = () => {
        outcome = work()
        return outcome.keep
      }
      this.#waiting.push({ run, resolve: () => resolve(outcome.value), reject })
      this.#schedule()
    })
  }

  /** Commits all waiting work; later work is refused. */
  async close(): Promise<void> {
    this.#closed = true
    while (this.#running !== undefined) await this.#running
  }

  /** Work that arrives during a flush is in the next group. */
  #schedule(): void {
    this.#running ??= new Promise((resolve) => {
      setImmediate(() => resolve(this.#flush()))
    })
  }

  async #flush(): Promise<void> {
    const group = this.#write()
    try {
      if (group.done.length > 0) await this.#wal.flush()
      this.#finish(group)
    } catch (error) {
      // Permanent: unwritten pages may also be lost from the system's cache.
      this.#failure = error
      this.#options.onLost?.(error)
      this.#fail(group, group.done, error)
    }
    this.#running = undefined
    if (this.#waiting.length > 0) this.#schedule()
  }

  /** Commits waiting work to the WAL. A failed transaction rejects its callers at once. */
  #write(): Group {
    const batch = this.#waiting.splice(0, maxBatch)
    const group = { size: batch.length, startedAt: performance.now() }
    try {
      if (this.#failure !== undefined) throw this.#failure
      return { ...group, done: this.#runTogether(batch) ? batch : this.#runApart(batch) }
    } catch (error) {
      this.#rollBack()
      this.#fail(group, batch, error)
      return { ...group, done: [] }
    }
  }

  #finish(group: Group): void {
    if (group.done.length === 0) return
    this.#report(group, 'done')
    for (const piece of group.done) piece.resolve()
  }

  #fail(group: Omit<Group, 'done'>, pieces: readonly Waiting[], error: unknown): void {
    this.#report(group, 'failed', faultCodeOf(error))
    for (const piece of pieces) piece.reject(new StoreUnavailable(error))
  }

  #report({ size, startedAt }: Omit<Group, 'done'>, outcome: 'done' | 'failed', code?: string): void {
    this.#options.onCommit?.({ size, durationMs: performance.now() - startedAt, outcome, code })
  }

  /**
   * Without savepoints, which make SQLite journal every page and are rarely needed.
   *
   * @returns false when a piece rolls itself back or throws: nothing was written, and all must run again
   * @throws the driver's error
   */
  #runTogether(batch: readonly Waiting[]): boolean {
    this.#statements.begin.run()
    if (batch.every((piece) => this.#isKept(piece))) {
      this.#statements.commit.run()
      return true
    }
    this.#statements.rollback.run()
    return false
  }

  #isKept(piece: Waiting): boolean {
    try {
      return piece.run()
    } catch (error) {
      if (error instanceof Database.SqliteError) throw error
      return false
    }
  }

  /** Each piece in its own savepoint. @returns those that were not rejected. @throws the driver's error */
  #runApart(batch: readonly Waiting[]): readonly Waiting[] {
    this.#statements.begin.run()
    const done = batch.filter((piece) => this.#runInSavepoint(piece))
    this.#statements.commit.run()
    return done
  }

  /** @returns false when the piece was rejected. @throws the driver's error, which ends the whole batch */
  #runInSavepoint(piece: Waiting): boolean {
    this.#connection.exec('SAVEPOINT piece')
    try {
      if (!piece.run()) this.#connection.exec('ROLLBACK TO piece')
      this.#connection.exec('RELEASE piece')
      return true
    } catch (error) {
      if (error instanceof Database.SqliteError) throw error // on a full disk, SQLite may have undone everything
      this.#connection.exec('ROLLBACK TO piece; RELEASE piece')
      piece.reject(error)
      return false
    }
  }

  /** Makes the connection ready for the next batch. SQLite may have rolled back on its own. */
  #rollBack(): void {
    try {
      if (this.#connection.inTransaction) this.#connection.exec('ROLLBACK')
    } catch {
      // The first error is reported; a broken file fails again at the next BEGIN.
    }
  }
}
