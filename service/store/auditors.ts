/** Auditors' accounts. */
import { and, asc, eq, isNull, sql } from 'drizzle-orm'
import {
  type ColumnKit,
  compile,
  type Engine,
  prepareRead,
  rowSlots,
  slotsOf,
  type WriteData,
  type WriteDefinitions,
} from './engine.ts'

export type AuditorRole = 'reader' | 'discloser'

export type AuditorTables = ReturnType<typeof defineAuditors>

export function defineAuditors({ table, text, bytes, seconds, check }: ColumnKit) {
  const auditors = table(
    'auditors',
    {
      name: text('name').primaryKey(),
      /** Binds the token to name, role and times: 32 bytes, see `admin/api/accounts.ts`. */
      tokenHash: bytes('token_hash').notNull().unique(),
      role: text('role').$type<AuditorRole>().notNull(),
      createdAt: seconds('created_at').notNull(),
      expiresAt: seconds('expires_at').notNull(),
      revokedAt: seconds('revoked_at'),
      /** Sessions of the pages that began up to then are over. */
      signedOutAt: seconds('signed_out_at'),
    },
    (t) => [check('auditors_token_hash_length', sql`length(${t.tokenHash}) = 32`)],
  )
  return { auditors }
}

export type AuditorRecord = Readonly<AuditorTables['auditors']['$inferSelect']>

export type AuditorWrite =
  /**
   * Inserts, or replaces an account of the same name whose token is no longer valid: revoked, or expired at `createdAt`.
   * Refused when the name is in use, or when the token (32 bytes) belongs to another account.
   */
  | WriteData<'add-auditor', { auditor: Omit<AuditorRecord, 'revokedAt' | 'signedOutAt'> }>
  /** Refused when there is no such auditor, or when they are revoked already: the first revocation stays. */
  | WriteData<'revoke-auditor', { name: string; now: number }>
  /** Ends all sessions of the account. The time never decreases. Refused when there is no such auditor. */
  | WriteData<'sign-out-auditor', { name: string; now: number }>

export function defineAuditorWrites({
  queries,
  tables: { auditors },
}: Engine<AuditorTables>): WriteDefinitions<AuditorWrite> {
  const slot = slotsOf<Extract<AuditorWrite, { name: string }>>()
  const add = compile(
    queries
      .insert(auditors)
      .values({ ...rowSlots(auditors), revokedAt: null, signedOutAt: null })
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
  )
  const isOne = eq(auditors.name, slot('name'))
  const later = sql`case when coalesce(${auditors.signedOutAt}, 0) > ${slot('now')} then ${auditors.signedOutAt} else ${slot('now')} end`
  const touched = { touched: auditors.name }
  return {
    'add-auditor': { bind: ({ auditor }) => add(auditor) },
    'revoke-auditor': {
      bind: compile(
        queries
          .update(auditors)
          .set({ revokedAt: sql`${slot('now')}` })
          .where(and(isOne, isNull(auditors.revokedAt)))
          .returning(touched),
      ),
    },
    'sign-out-auditor': {
      bind: compile(queries.update(auditors).set({ signedOutAt: later }).where(isOne).returning(touched)),
    },
  }
}

export interface AuditorReads {
  /** Whatever their state, ordered by name: the caller checks `expiresAt` and `revokedAt`. */
  listAuditors(): Promise<readonly AuditorRecord[]>
}

export function prepareAuditorReads(engine: Engine<AuditorTables>): AuditorReads {
  const { auditors } = engine.tables
  const all = prepareRead(engine, engine.queries.select().from(auditors).orderBy(asc(auditors.name)))
  return { listAuditors: () => all() }
}
