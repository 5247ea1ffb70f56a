/** What the store does on its own account: taking old rows away, and proving that it can write. */
import { eq, lt, or, sql } from 'drizzle-orm'
import { type BoundStatement, compile, type Queries, slotsOf } from './compile.ts'
import type { Tables } from './tables.ts'

/** Sessions stay this long after their end, so that a user can see what happened. */
const ENDED_SESSIONS_KEPT = 86_400
/** No caller's scope: those name what they belong to. */
const PROBE_SCOPE = 'readyz'

/** One step of pruning per table: deletes at most `limit` rows that `now` allows to forget, and returns them. */
export type PruneStep = (now: number, limit: number) => BoundStatement

/** Compiles the pruning steps. */
export function compilePrune(
  queries: Queries,
  { nonces, loginCodes, sessions }: Tables,
): readonly PruneStep[] {
  const slot = slotsOf<{ before: number; limit: number }>()
  const [before, limit] = [slot('before'), slot('limit')]
  const oldNonces = queries
    .select({ scope: nonces.scope, nonce: nonces.nonce })
    .from(nonces)
    .where(lt(nonces.expiresAt, before))
    .limit(limit)
  const oldCodes = queries
    .select({ hash: loginCodes.hash })
    .from(loginCodes)
    .where(lt(loginCodes.expiresAt, before))
    .limit(limit)
  const oldSessions = queries
    .select({ id: sessions.id })
    .from(sessions)
    .where(or(lt(sessions.expiresAt, before), lt(sessions.endedAt, before)))
    .limit(limit)
  const pruneNonces = compile(
    queries
      .delete(nonces)
      .where(sql`(${nonces.scope}, ${nonces.nonce}) in ${oldNonces}`)
      .returning({ touched: nonces.scope }),
  )
  const pruneCodes = compile(
    queries
      .delete(loginCodes)
      .where(sql`${loginCodes.hash} in ${oldCodes}`)
      .returning({ touched: loginCodes.expiresAt }),
  )
  const pruneSessions = compile(
    queries
      .delete(sessions)
      .where(sql`${sessions.id} in ${oldSessions}`)
      .returning({ touched: sessions.user }),
  )
  return [
    (now, rows) => pruneNonces({ before: now, limit: rows }),
    (now, rows) => pruneCodes({ before: now, limit: rows }),
    (now, rows) => pruneSessions({ before: now - ENDED_SESSIONS_KEPT, limit: rows }),
  ]
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
