/** The writes on idempotency records: claimed, settled, taken over, given back. */
import { and, eq, isNull, lt, sql } from 'drizzle-orm'
import { compile, type Queries, slotsOf } from './compile.ts'
import type { WriteOf } from './store.ts'
import type { Tables } from './tables.ts'

/** Compiles every write whose name ends with `-idempotency`. */
export function compileIdempotency(queries: Queries, tables: Tables) {
  return {
    ...compileClaim(queries, tables),
    ...compileTakeOver(queries, tables),
    ...compileGivenBack(queries, tables),
  }
}

function compileTakeOver(queries: Queries, { idempotency }: Tables) {
  const takeOver = slotsOf<WriteOf<'take-over-idempotency'>>()
  const update = queries
    .update(idempotency)
    .set({ startedAt: sql`${takeOver('now')}` })
    .where(
      and(
        eq(idempotency.user, takeOver('user')),
        eq(idempotency.key, takeOver('key')),
        isNull(idempotency.settledAt),
        lt(idempotency.startedAt, takeOver('startedBefore')),
      ),
    )
    .returning({ touched: idempotency.user })
  return { 'take-over-idempotency': compile(update) }
}

function compileClaim(queries: Queries, { idempotency }: Tables) {
  const claim = slotsOf<WriteOf<'claim-idempotency'>>()
  const settle = slotsOf<WriteOf<'settle-idempotency'>>()
  return {
    'claim-idempotency': compile(
      queries
        .insert(idempotency)
        .values({
          user: claim('user'),
          key: claim('key'),
          fingerprint: claim('fingerprint'),
          startedAt: claim('now'),
          expiresAt: claim('expiresAt'),
        })
        .onConflictDoNothing()
        .returning({ touched: idempotency.user }),
    ),
    'settle-idempotency': compile(
      queries
        .update(idempotency)
        .set({ settledAt: sql`${settle('now')}`, answerWrapped: sql`${settle('answerWrapped')}` })
        .where(
          and(
            eq(idempotency.user, settle('user')),
            eq(idempotency.key, settle('key')),
            eq(idempotency.startedAt, settle('startedAt')),
            isNull(idempotency.settledAt),
          ),
        )
        .returning({ touched: idempotency.user }),
    ),
  }
}

/** A claim that is open, and still the caller's. */
function compileGivenBack(queries: Queries, { idempotency }: Tables) {
  const own = slotsOf<WriteOf<'release-idempotency' | 'abandon-idempotency'>>()
  const isOwn = and(
    eq(idempotency.user, own('user')),
    eq(idempotency.key, own('key')),
    eq(idempotency.startedAt, own('startedAt')),
    isNull(idempotency.settledAt),
  )
  const touched = { touched: idempotency.user }
  return {
    'release-idempotency': compile(queries.delete(idempotency).where(isOwn).returning(touched)),
    'abandon-idempotency': compile(
      queries.update(idempotency).set({ startedAt: 0 }).where(isOwn).returning(touched),
    ),
  }
}
