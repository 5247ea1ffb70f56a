/**
 * Commits on PostgreSQL: those that wait for a connection at the same moment share a transaction, as on SQLite.
 *
 * A transaction costs a round trip, a wait for the disk and a turn of two processes, whatever is in it. So there are a few
 * lanes; while all of them are busy, commits gather, and the next free lane takes them together. Only commits of
 * {@link sharing} kinds do: each of their rows belongs to one request. And none waits long for somebody else's lock in
 * company: where one has to, or fails, or is refused, the transaction is undone and each goes on alone. A commit that is
 * alone has the time that a statement has.
 */
import type { CommitObserver } from '../commit-report.ts'
import type { BoundStatement } from '../compile.ts'
import { faultCodeOf } from '../fault-code.ts'
import type { Statements } from '../statements.ts'
import type { CommitResult, Write } from '../store.ts'
import { runBatch } from './batch.ts'
import type { PostgresPool } from './pool.ts'
import { commitIn, isOfTheServer, isRolledBack, retry } from './transaction.ts'

/** Commits with no other writes than these may share a transaction. */
const sharing: ReadonlySet<Write['kind']> = new Set<Write['kind']>([
  'claim-nonce',
  'touch-session',
  'claim-idempotency',
  'settle-idempotency',
  'release-idempotency',
  'take-over-idempotency',
  'abandon-idempotency',
  'insert-step-up',
  'use-step-up',
  'lock-subject-key',
  'insert-intent',
  'delete-intent',
  'insert-pending-entry',
])

/** Transactions at a time that may be shared. */
const maxLanes = 4
/** Commits in one of them. */
const maxShared = 32
/** How long a shared transaction waits for a lock; less than it takes the server to look for a deadlock. */
const sharedLockTimeout = 'lock_timeout = 50'
/** SQLSTATE class of a unique, foreign key, check or not-null constraint. */
const constraintClass = '23'

/** A commit, and who waits for it. */
interface Piece {
  readonly writes: readonly Write[]
  readonly statements: readonly BoundStatement[]
  /** The write that each statement is of. */
  readonly owners: readonly number[]
  readonly startedAt: number
  resolve(result: CommitResult): void
  reject(error: unknown): void
}

/** What one transaction has come to: an answer for each of its commits, or `undone` with those that were refused. */
type Attempt =
  | { readonly kind: 'committed' }
  | { readonly kind: 'undone'; readonly refused: ReadonlyMap<Piece, CommitResult> }

export class PostgresGroup {
  readonly #pool: PostgresPool
  readonly #statements: Statements
  readonly #onCommit: CommitObserver | undefined
  #waiting: Piece[] = []
  #transactions = 0
  #isScheduled = false

  /** @param onCommit told of every transaction that was kept or has failed, and of every refusal */
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
      if (!writes.every(({ kind }) => sharing.has(kind))) return void this.#alone(piece)
      this.#waiting.push(piece)
      this.#schedule()
    })
  }

  /** After the I/O of this turn, so that what came with it goes together. */
  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(() => {
      this.#isScheduled = false
      while (this.#transactions < maxLanes && this.#waiting.length > 0)
        void this.#drive(this.#waiting.splice(0, maxShared))
    })
  }

  async #drive(pieces: readonly Piece[]): Promise<void> {
    this.#transactions += 1
    try {
      await this.#together(pieces.length === 1 ? pieces : [...pieces].sort(bySession))
    } finally {
      this.#transactions -= 1
      if (this.#waiting.length > 0) this.#schedule()
    }
  }

  async #together(pieces: readonly Piece[], isSecond = false): Promise<void> {
    const [first, ...others] = pieces
    if (first === undefined) return
    if (others.length === 0) return await this.#alone(first)
    let attempt: Attempt
    try {
      attempt = await transact(this.#pool, this.#statements, pieces)
    } catch (error) {
      if (isOfTheServer(error)) return this.#each(pieces)
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
    // A refusal leaves after what it lost against is durable: that is what it waits for when it asks again.
    this.#each(pieces.filter((piece) => refused.has(piece)))
    const rest = pieces.filter((piece) => !refused.has(piece))
    if (isSecond || refused.size === 0) return this.#each(rest)
    await this.#together(rest, true)
  }

  #each(pieces: readonly Piece[]): void {
    for (const piece of pieces) void this.#alone(piece)
  }

  async #alone(piece: Piece): Promise<void> {
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

/** Rows of sessions are the ones that several requests touch: in one order, no two transactions wait for each other. */
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
 * @throws the server's own error when it said that nothing has happened; anything else when nobody knows.
 */
function transact(pool: PostgresPool, statements: Statements, pieces: readonly Piece[]): Promise<Attempt> {
  return pool.withClient(async (lent) => {
    const settings = pieces.length > 1 ? [`set local ${sharedLockTimeout}`] : []
    const result = await runBatch(
      lent,
      pieces.flatMap((piece) => piece.statements),
      settings,
    )
    if (result.kind === 'failed') {
      lent.isUsable = isOfTheServer(result.error) && (await isRolledBack(lent, result.error))
      const refused = refusedByConstraint(pieces, result.at, result.error)
      if (refused === undefined || !lent.isUsable) throw result.error
      return { kind: 'undone', refused }
    }
    const refused = refusedIn(statements, pieces, result.rows)
    if (refused.size > 0) {
      if (!(await isRolledBack(lent))) throw new Error('the connection was lost')
      return { kind: 'undone', refused }
    }
    await commitIn(lent)
    return { kind: 'committed' }
  })
}

/** The first write of each piece that did not touch what it must. */
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

/** Of a transaction with one piece. In company nobody is refused so: each asks again alone. */
function refusedByConstraint(
  [piece, ...others]: readonly Piece[],
  at: number,
  error: unknown,
): ReadonlyMap<Piece, CommitResult> | undefined {
  if (!isOfTheServer(error) || error.code?.startsWith(constraintClass) !== true) return undefined
  if (piece === undefined || others.length > 0 || at < 0) return undefined
  return new Map([[piece, refusalOf(piece, at)]])
}
