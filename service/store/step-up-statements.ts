/** The writes on biometric confirmations: a challenge made and used up, a counter that rises. */
import { and, eq, gt, isNull, sql } from 'drizzle-orm'
import { compile, type Queries, slotsOf } from './compile.ts'
import type { WriteOf } from './store.ts'
import type { Tables } from './tables.ts'

/** Compiles `insert-step-up`, `use-step-up` and `raise-soter-counter`. */
export function compileStepUps(queries: Queries, tables: Tables) {
  return { ...compileChallenges(queries, tables), ...compileCounters(queries, tables) }
}

function compileChallenges(queries: Queries, { stepUps }: Tables) {
  const made = slotsOf<WriteOf<'insert-step-up'>>()
  const used = slotsOf<WriteOf<'use-step-up'>>()
  return {
    'insert-step-up': compile(
      queries
        .insert(stepUps)
        .values({
          challenge: made('challenge'),
          user: made('user'),
          device: made('device'),
          fingerprint: made('fingerprint'),
          expiresAt: made('expiresAt'),
        })
        .onConflictDoNothing()
        .returning({ touched: stepUps.user }),
    ),
    'use-step-up': compile(
      queries
        .update(stepUps)
        .set({ usedAt: sql`${used('now')}` })
        .where(
          and(
            eq(stepUps.challenge, used('challenge')),
            eq(stepUps.user, used('user')),
            eq(stepUps.device, used('device')),
            eq(stepUps.fingerprint, used('fingerprint')),
            isNull(stepUps.usedAt),
            gt(stepUps.expiresAt, used('now')),
          ),
        )
        .returning({ touched: stepUps.user }),
    ),
  }
}

function compileCounters(queries: Queries, { soterCounters }: Tables) {
  const raised = slotsOf<WriteOf<'raise-soter-counter'>>()
  return {
    'raise-soter-counter': compile(
      queries
        .insert(soterCounters)
        .values({ id: raised('id'), counter: raised('counter'), updatedAt: raised('now') })
        .onConflictDoUpdate({
          target: soterCounters.id,
          set: { counter: sql`excluded.counter`, updatedAt: sql`excluded.updated_at` },
          setWhere: sql`${soterCounters.counter} < excluded.counter`,
        })
        .returning({ touched: soterCounters.updatedAt }),
    ),
  }
}
