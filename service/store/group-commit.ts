/**
 * One durable commit for everything that waits (SQLite).
 *
 * Making a commit durable costs one flush of the disk, however much is in it. Work that arrives while a flush runs
 * therefore shares the next transaction, and a lone request waits for nothing but its own: the queue is emptied once per
 * turn of the event loop, after its I/O. Where one piece takes itself back, the transaction is undone and run again with
 * a savepoint for each piece, so that the others are left alone.
 */
import Database from 'better-sqlite3'
import type { CommitObserver } from './commit-report.ts'
import { faultCodeOf } from './fault-code.ts'
import type { WalSync } from './sqlite/wal-sync.ts'
import { StoreUnavailable } from './store.ts'

/** What a piece of work found: `keep: false` takes back all that it wrote. */
export interface Outcome<T> {
  readonly keep: boolean
  readonly value: T
}

interface Waiting {
  /** Runs inside the transaction. Says whether its writes stay. */
  readonly run: () => boolean
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

interface CommitObservers {
  /** Told of every transaction, before those who wait for it. */
  readonly onCommit?: CommitObserver
  /** Told once when nothing is taken any more. */
  readonly onDatabaseLost?: (error: unknown) => void
}

/** What is in the WAL, and not yet known to be on the disk. */
interface Group {
  readonly size: number
  /** Milliseconds, by `performance.now()`. */
  readonly startedAt: number
  readonly done: readonly Waiting[]
}

/** Bounds how long one transaction keeps the event loop and the other processes waiting: about 5 ms. */
const MAX_BATCH = 256

export class GroupCommit {
  readonly #connection: Database.Database
  readonly #statements: Record<'begin' | 'commit' | 'rollback', Database.Statement>
  readonly #wal: WalSync
  readonly #observers: CommitObservers
  #waiting: Waiting[] = []
  /** A group on its way to the disk, or about to be. */
  #running: Promise<void> | undefined
  #closed = false
  /** The disk failed to keep what it was given, or the file is gone: nobody can say any more what of it is there. */
  #failure: unknown

  /**
   * @param wal of the connection's file, whose `synchronous` is NORMAL
   */
  constructor(connection: Database.Database, wal: WalSync, observers: CommitObservers = {}) {
    this.#connection = connection
    this.#statements = {
      begin: connection.prepare('BEGIN IMMEDIATE'),
      commit: connection.prepare('COMMIT'),
      rollback: connection.prepare('ROLLBACK'),
    }
    this.#wal = wal
    this.#observers = observers
  }

  /**
   * Runs `work` in the next transaction, and again where a neighbour undid that: it does nothing but look and write in
   * the database. It must be synchronous from end to end: better-sqlite3 has one connection, and an `await` between
   * BEGIN and COMMIT would let another request's statements into the transaction.
   *
   * @returns the value of `work`, once the transaction is on the disk. Also a `keep: false` waits for that, because it
   *   may have lost against a neighbour.
   * @throws StoreUnavailable when the transaction failed as a whole; whatever else `work` threw, for it alone.
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

  /** Commits all that waits, and takes nothing more. */
  async close(): Promise<void> {
    this.#closed = true
    while (this.#running !== undefined) await this.#running
  }

  /** Whoever comes while a group is on its way to the disk is in the next one. */
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
      // Nothing is taken after that: what the disk did not keep may be gone from the memory of the system, too.
      this.#failure = error
      this.#observers.onDatabaseLost?.(error)
      this.#fail(group, group.done, error)
    }
    this.#running = undefined
    if (this.#waiting.length > 0) this.#schedule()
  }

  /** Commits what waits into the WAL. Those whose transaction failed are told at once. */
  #write(): Group {
    const batch = this.#waiting.splice(0, MAX_BATCH)
    const group = { size: batch.length, startedAt: performance.now() }
    try {
      if (this.#failure !== undefined) throw this.#failure
      return { ...group, done: this.#tryTogether(batch) ? batch : this.#runApart(batch) }
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
    this.#observers.onCommit?.({ size, durationMs: performance.now() - startedAt, outcome, code })
  }

  /**
   * Without savepoints, as almost every batch can be: a savepoint has SQLite keep every page as it was before.
   *
   * @returns false when a piece takes itself back, or throws: then nothing has happened, and all are to run again
   * @throws the driver's error
   */
  #tryTogether(batch: readonly Waiting[]): boolean {
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

  /** Each piece in a savepoint of its own. @returns those that were not rejected. @throws the driver's error */
  #runApart(batch: readonly Waiting[]): readonly Waiting[] {
    this.#statements.begin.run()
    const done = batch.filter((piece) => this.#runInSavepoint(piece))
    this.#statements.commit.run()
    return done
  }

  /** @returns false when the piece was rejected already. @throws the driver's error, which ends the whole batch. */
  #runInSavepoint(piece: Waiting): boolean {
    this.#connection.exec('SAVEPOINT piece')
    try {
      if (!piece.run()) this.#connection.exec('ROLLBACK TO piece')
      this.#connection.exec('RELEASE piece')
      return true
    } catch (error) {
      if (error instanceof Database.SqliteError) throw error // a full disk, say: SQLite may have undone everything
      this.#connection.exec('ROLLBACK TO piece; RELEASE piece')
      piece.reject(error)
      return false
    }
  }

  /** Leaves the connection ready for the next batch. SQLite may have rolled back by itself. */
  #rollBack(): void {
    try {
      if (this.#connection.inTransaction) this.#connection.exec('ROLLBACK')
    } catch {
      // The error that brought us here is the one that counts; a broken file shows again at the next BEGIN.
    }
  }
}
