/** The writes on idempotency records: claimed, settled, taken back. */
import { and, eq, isNull, sql } from 'drizzle-orm'
import { compile, type Queries, slotsOf } from './compile.ts'
import type { WriteOf } from './store.ts'
import type { Tables } from './tables.ts'

/** Compiles `claim-idempotency`, `settle-idempotency` and `release-idempotency`. */
export function compileIdempotency(queries: Queries, { idempotency }: Tables) {
  const claim = slotsOf<WriteOf<'claim-idempotency'>>()
  const settle = slotsOf<WriteOf<'settle-idempotency'>>()
  const release = slotsOf<WriteOf<'release-idempotency'>>()
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
            isNull(idempotency.settledAt),
          ),
        )
        .returning({ touched: idempotency.user }),
    ),
    'release-idempotency': compile(
      queries
        .delete(idempotency)
        .where(
          and(
            eq(idempotency.user, release('user')),
            eq(idempotency.key, release('key')),
            isNull(idempotency.settledAt),
          ),
        )
        .returning({ touched: idempotency.user }),
    ),
  }
}
