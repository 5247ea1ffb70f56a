/** Auditors' accounts: made, revoked, looked up. */
import { and, asc, eq, isNull, sql } from 'drizzle-orm'
import type { AuditorReads } from './auditor-writes.ts'
import { compile, type Queries, slotsOf } from './compile.ts'
import type { AuditorRecord } from './log-records.ts'
import type { WriteOf } from './store.ts'
import type { Tables } from './tables.ts'

/** Compiles `add-auditor`, `revoke-auditor` and `sign-out-auditor`. */
export function compileAuditors(queries: Queries, { auditors }: Tables) {
  const added = slotsOf<AuditorRecord>()
  const revoked = slotsOf<WriteOf<'revoke-auditor'>>()
  const left = slotsOf<WriteOf<'sign-out-auditor'>>()
  return {
    'add-auditor': compile(
      queries
        .insert(auditors)
        .values({
          name: added('name'),
          tokenHash: added('tokenHash'),
          role: added('role'),
          createdAt: added('createdAt'),
          expiresAt: added('expiresAt'),
          revokedAt: null,
          signedOutAt: null,
        })
        .onConflictDoUpdate({
          target: auditors.name,
          set: {
            tokenHash: sql`excluded.token_hash`,
            role: sql`excluded.role`,
            createdAt: sql`excluded.created_at`,
            expiresAt: sql`excluded.expires_at`,
            revokedAt: null,
            signedOutAt: null,
          },
          setWhere: sql`${auditors.revokedAt} is not null or ${auditors.expiresAt} <= excluded.created_at`,
        })
        .returning({ touched: auditors.name }),
    ),
    'revoke-auditor': compile(
      queries
        .update(auditors)
        .set({ revokedAt: sql`${revoked('now')}` })
        .where(and(eq(auditors.name, revoked('name')), isNull(auditors.revokedAt)))
        .returning({ touched: auditors.name }),
    ),
    'sign-out-auditor': compile(
      queries
        .update(auditors)
        .set({
          signedOutAt: sql`case when coalesce(${auditors.signedOutAt}, 0) > ${left('now')} then ${auditors.signedOutAt} else ${left('now')} end`,
        })
        .where(eq(auditors.name, left('name')))
        .returning({ touched: auditors.name }),
    ),
  }
}

/**
 * Prepares the reads of one engine.
 *
 * @param guard runs a read and turns the driver's errors into StoreUnavailable.
 */
export function prepareAuditors(
  queries: Queries,
  { auditors }: Tables,
  guard: <T>(read: () => Promise<T>) => Promise<T>,
): AuditorReads {
  const all = queries.select().from(auditors).orderBy(asc(auditors.name)).prepare('')
  return {
    listAuditors: () => guard(async () => await all.execute()),
  }
}
