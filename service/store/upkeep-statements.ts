/** What the store does on its own account: taking old rows away, and proving that it can write. */
import { and, eq, gt, gte, isNotNull, lt, type SQL, sql } from 'drizzle-orm'
import { type BoundStatement, type Compiled, compile, type Queries, slotsOf } from './compile.ts'
import { compileEndedDetails } from './journal-statements.ts'
import type { Tables } from './tables.ts'

/**
 * Sessions stay this long after their end, so that a user can see what happened. Together with their two hours that is
 * less than the 25 hours of idempotency records, and they are deleted first: whatever the clock says, no session is left
 * in which a request could come again whose record is gone.
 */
const ENDED_SESSIONS_KEPT = 79_200
/** A key whose request may have had its effect is not free again for so long after its record would have expired. */
const UNKNOWN_OUTCOMES_KEPT = 90 * 86_400
/** No caller's scope: those name what they belong to. */
const PROBE_SCOPE = 'readyz'

/** One step of pruning per table: deletes or empties at most `limit` rows that `now` allows to forget, and returns them. */
export type PruneStep = (now: number, limit: number) => BoundStatement

/** Compiles the pruning steps. */
export function compilePrune(queries: Queries, tables: Tables): readonly PruneStep[] {
  const { nonces, loginCodes, idempotency, stepUps } = tables
  const ended = compileEndedSessions(queries, tables)
  const keys = compileEndedAgreementKeys(queries, tables)
  return [
    compileExpired(queries, nonces),
    compileExpired(queries, loginCodes),
    compileExpired(queries, stepUps),
    ...compileOutboxes(queries, tables),
    ...ended.map(
      (step): PruneStep => later(ENDED_SESSIONS_KEPT, (now, limit) => step({ before: now, limit })),
    ),
    compileExpired(queries, idempotency, isNotNull(idempotency.answerWrapped)),
    later(UNKNOWN_OUTCOMES_KEPT, compileExpired(queries, idempotency)),
    (now) => keys({ before: now }),
    compileEndedDetails(queries, tables),
  ]
}

/** The same step, for rows that are older by so many seconds. */
function later(seconds: number, step: PruneStep): PruneStep {
  return (now, limit) => step(now - seconds, limit)
}

const slot = slotsOf<{ before: number; limit: number }>()

/** The tables whose rows end by themselves. */
type Expiring = Tables['nonces'] | Tables['loginCodes'] | Tables['idempotency'] | Tables['stepUps']

/**
 * Rows of a table whose whole key and end are in the row itself. The oldest first: that is what an index gives. Without
 * an order PostgreSQL reads the table from its front, past all that was deleted there before, each time.
 */
function compileExpired(queries: Queries, table: Expiring, condition?: SQL): PruneStep {
  const key = sql.join(keyOf(table), sql`, `)
  const old = sql`select ${key} from ${table}
    where ${and(lt(table.expiresAt, slot('before')), condition)} order by ${table.expiresAt} limit ${slot('limit')}`
  const prune = compile(
    queries.delete(table).where(sql`(${key}) in (${old})`).returning({ touched: table.expiresAt }),
  )
  return (now, limit) => prune({ before: now, limit })
}

function keyOf(table: Expiring) {
  if ('challenge' in table) return [sql`${table.challenge}`]
  if ('nonce' in table) return [sql`${table.scope}`, sql`${table.nonce}`]
  return 'hash' in table ? [sql`${table.hash}`] : [sql`${table.user}`, sql`${table.key}`]
}

/**
 * An outbox forgets its oldest events up to the newest one that has expired, and then they go. In two steps, so that
 * nobody reads an outbox with a gap in it: rows are deleted in no order, and the times in them need not rise.
 */
function compileOutboxes(queries: Queries, { outboxes, events }: Tables): readonly PruneStep[] {
  const isExpired = lt(events.expiresAt, slot('before'))
  const isOwn = eq(events.user, outboxes.user)
  const newest = sql`select max(${events.sequence}) + 1 from ${events} where ${and(isOwn, isExpired)}`
  const ripe = sql`select ${events.user} from ${events} inner join ${outboxes} on ${isOwn}
    where ${and(isExpired, gte(events.sequence, outboxes.first))} order by ${events.expiresAt} limit ${slot('limit')}`
  const forgotten = sql`select ${events.user}, ${events.id} from ${events} inner join ${outboxes} on ${isOwn}
    where ${and(isExpired, lt(events.sequence, outboxes.first))} order by ${events.expiresAt} limit ${slot('limit')}`
  const raise = compile(
    queries
      .update(outboxes)
      .set({ first: sql`(${newest})` })
      .where(sql`${outboxes.user} in (${ripe})`)
      .returning({ touched: outboxes.user }),
  )
  const erase = compile(
    queries
      .delete(events)
      .where(sql`(${events.user}, ${events.id}) in (${forgotten})`)
      .returning({ touched: events.user }),
  )
  // What is forgotten already goes first: only when nothing of it is left it is worth looking for more.
  return [erase, raise, erase].map((step) => (now, limit) => step({ before: now, limit }))
}

/** An agreement key that nobody may use any more only opens what was recorded: it is erased. */
function compileEndedAgreementKeys(queries: Queries, { serviceKeys }: Tables) {
  return compile(
    queries
      .delete(serviceKeys)
      .where(
        and(
          eq(serviceKeys.kind, 'agreement'),
          gt(serviceKeys.notAfter, 0),
          lt(serviceKeys.notAfter, slot('before')),
        ),
      )
      .returning({ touched: serviceKeys.kid }),
  )
}

/** By either end, each with its index. */
function compileEndedSessions(queries: Queries, { sessions }: Tables): readonly Compiled[] {
  return [sessions.expiresAt, sessions.endedAt].map((end) => {
    const old = queries
      .select({ id: sessions.id })
      .from(sessions)
      .where(lt(end, slot('before')))
      .orderBy(end)
      .limit(slot('limit'))
    return compile(
      queries.delete(sessions).where(sql`${sessions.id} in ${old}`).returning({ touched: sessions.user }),
    )
  })
}

/**
 * Compiles two statements for one transaction: a row, and its removal. What they return does not matter, because another
 * process may be at the same row.
 */
export function compileProbe(queries: Queries, { nonces }: Tables): readonly BoundStatement[] {
  const write = compile(
    queries
      .insert(nonces)
      .values({ scope: PROBE_SCOPE, nonce: new Uint8Array(16), expiresAt: 0 })
      .onConflictDoNothing()
      .returning({ touched: nonces.scope }),
  )
  const erase = compile(
    queries.delete(nonces).where(eq(nonces.scope, PROBE_SCOPE)).returning({ touched: nonces.scope }),
  )
  return [write({}), erase({})]
}
