/**
 * Group commit on PostgreSQL: commits that wait for a connection at the same moment share a transaction.
 *
 * A transaction costs a round trip, a disk flush and a switch between two processes, regardless of its size. A few shared
 * transactions run at a time; while all are busy, commits queue, and the next transaction takes them together. Only commits of
 * shareable writes do, whose rows belong to one request each. A shared transaction waits briefly for locks. When it times out
 * or fails, or a write is refused, it is rolled back and each commit runs alone, with the full statement timeout.
 */
import type { BoundStatement } from '../engine.ts'
import type { Statements } from '../statements.ts'
import { type CommitObserver, type CommitResult, faultCodeOf, type Write } from '../store.ts'
import type { PostgresPool } from './pool.ts'
import { commitIn, isRolledBack, isServerError, retry, runBatch } from './transaction.ts'

/** Shared transactions at a time. */
const maxTransactions = 4
/** Commits in one of them. */
const maxShared = 32
/** Milliseconds, less than the server's `deadlock_timeout`. */
const sharedLockTimeout = 'lock_timeout = 50'
/** SQLSTATE class of a unique, foreign key, check or not-null constraint. */
const constraintClass = '23'

/** A commit, and its caller. */
interface Piece {
  readonly writes: readonly Write[]
  readonly statements: readonly BoundStatement[]
  /** The index of the write that each statement belongs to. */
  readonly owners: readonly number[]
  readonly startedAt: number
  resolve(result: CommitResult): void
  reject(error: unknown): void
}

/** The end of one transaction; `undone` with its refused commits. */
type Attempt =
  | { readonly kind: 'committed' }
  | { readonly kind: 'undone'; readonly refused: ReadonlyMap<Piece, CommitResult> }

export class PostgresGroupCommit {
  readonly #pool: PostgresPool
  readonly #statements: Statements
  readonly #onCommit: CommitObserver | undefined
  #waiting: Piece[] = []
  #transactions = 0
  #isScheduled = false

  /** @param onCommit called for every transaction that was committed or has failed, and for every refusal */
  constructor(pool: PostgresPool, statements: Statements, onCommit: CommitObserver | undefined) {
    this.#pool = pool
    this.#statements = statements
    this.#onCommit = onCommit
  }

  /** See `Store.commit`. @throws the driver's error */
  commit(writes: readonly Write[]): Promise<CommitResult> {
    return new Promise((resolve, reject) => {
      const bound = writes.map((write) => this.#statements.bind(write))
      const piece: Piece = {
        writes,
        statements: bound.flat(),
        owners: bound.flatMap((statements, index) => statements.map(() => index)),
        startedAt: performance.now(),
        resolve,
        reject,
      }
      if (!this.#statements.areShareable(writes)) return void this.#runAlone(piece)
      this.#waiting.push(piece)
      this.#schedule()
    })
  }

  /** After the I/O of this turn, so that commits of the same turn share. */
  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(() => {
      this.#isScheduled = false
      while (this.#transactions < maxTransactions && this.#waiting.length > 0)
        void this.#runShared(this.#waiting.splice(0, maxShared))
    })
  }

  async #runShared(pieces: readonly Piece[]): Promise<void> {
    this.#transactions += 1
    try {
      await this.#runTogether(pieces.length === 1 ? pieces : [...pieces].sort(bySession))
    } finally {
      this.#transactions -= 1
      if (this.#waiting.length > 0) this.#schedule()
    }
  }

  async #runTogether(pieces: readonly Piece[], isSecond = false): Promise<void> {
    const [first, ...others] = pieces
    if (first === undefined) return
    if (others.length === 0) return await this.#runAlone(first)
    let attempt: Attempt
    try {
      attempt = await transact(this.#pool, this.#statements, pieces)
    } catch (error) {
      if (isServerError(error)) return this.#runEach(pieces)
      this.#report(pieces, 'failed', faultCodeOf(error))
      for (const piece of pieces) piece.reject(error)
      return
    }
    if (attempt.kind === 'committed') {
      this.#report(pieces, 'done')
      for (const piece of pieces) piece.resolve({ kind: 'committed' })
      return
    }
    const { refused } = attempt
    // A refusal must be returned only after the conflicting commit is durable: running alone waits for it.
    this.#runEach(pieces.filter((piece) => refused.has(piece)))
    const rest = pieces.filter((piece) => !refused.has(piece))
    if (isSecond || refused.size === 0) return this.#runEach(rest)
    await this.#runTogether(rest, true)
  }

  #runEach(pieces: readonly Piece[]): void {
    for (const piece of pieces) void this.#runAlone(piece)
  }

  async #runAlone(piece: Piece): Promise<void> {
    try {
      const attempt = await retry(() => transact(this.#pool, this.#statements, [piece]))
      this.#report([piece], 'done')
      const refused = attempt.kind === 'undone' ? attempt.refused.get(piece) : undefined
      piece.resolve(refused ?? { kind: 'committed' })
    } catch (error) {
      this.#report([piece], 'failed', faultCodeOf(error))
      piece.reject(error)
    }
  }

  #report(pieces: readonly Piece[], outcome: 'done' | 'failed', code?: string): void {
    const durationMs = performance.now() - Math.min(...pieces.map(({ startedAt }) => startedAt))
    this.#onCommit?.({ size: pieces.length, durationMs, outcome, code })
  }
}

/** Several requests touch the same session row: a common order prevents deadlocks. */
function bySession(one: Piece, other: Piece): number {
  return Buffer.compare(sessionOf(one), sessionOf(other))
}

function sessionOf({ writes }: Piece): Uint8Array {
  for (const write of writes) if (write.kind === 'touch-session') return write.id
  return new Uint8Array(0)
}

/**
 * One transaction: all of the pieces or none.
 *
 * @throws the server's error when nothing was written; another error when the outcome is unknown
 */
function transact(pool: PostgresPool, statements: Statements, pieces: readonly Piece[]): Promise<Attempt> {
  return pool.withClient(async (lease) => {
    const settings = pieces.length > 1 ? [`set local ${sharedLockTimeout}`] : []
    const result = await runBatch(
      lease,
      pieces.flatMap((piece) => piece.statements),
      settings,
    )
    if (result.kind === 'failed') {
      lease.isUsable = isServerError(result.error) && (await isRolledBack(lease, result.error))
      const refused = refusedByConstraint(pieces, result.at, result.error)
      if (refused === undefined || !lease.isUsable) throw result.error
      return { kind: 'undone', refused }
    }
    const refused = refusedIn(statements, pieces, result.rows)
    if (refused.size > 0) {
      if (!(await isRolledBack(lease))) throw new Error('the connection was lost')
      return { kind: 'undone', refused }
    }
    await commitIn(lease)
    return { kind: 'committed' }
  })
}

/** The first refused write of each piece. */
function refusedIn(
  statements: Statements,
  pieces: readonly Piece[],
  rows: readonly number[],
): ReadonlyMap<Piece, CommitResult> {
  const refused = new Map<Piece, CommitResult>()
  let at = 0
  for (const piece of pieces) {
    const own = rows.slice(at, at + piece.statements.length)
    at += piece.statements.length
    const failed = own.findIndex((touched, index) => {
      const write = piece.writes[piece.owners[index] ?? 0]
      return write !== undefined && !statements.isDone(write, touched)
    })
    if (failed >= 0) refused.set(piece, refusalOf(piece, failed))
  }
  return refused
}

function refusalOf({ writes, owners }: Piece, statement: number): CommitResult {
  const index = owners[statement] ?? 0
  const write = writes[index]
  if (write === undefined) throw new Error('a statement belongs to no write')
  return { kind: 'refused', write, index }
}

/** Only of a transaction with one piece. In a shared transaction each piece runs again alone. */
function refusedByConstraint(
  [piece, ...others]: readonly Piece[],
  at: number,
  error: unknown,
): ReadonlyMap<Piece, CommitResult> | undefined {
  if (!isServerError(error) || error.code?.startsWith(constraintClass) !== true) return undefined
  if (piece === undefined || others.length > 0 || at < 0) return undefined
  return new Map([[piece, refusalOf(piece, at)]])
}
