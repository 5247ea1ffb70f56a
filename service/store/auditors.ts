/** Auditors' accounts. */
import { and, asc, isNull, sql } from 'drizzle-orm'
import {
  type ColumnKit,
  compileUpdate,
  compileUpsert,
  type Engine,
  matching,
  readersOf,
  slotsOf,
  type WriteData,
  type WriteDefinitions,
} from './engine.ts'

export type AuditorRole = 'reader' | 'discloser'

export type AuditorTables = ReturnType<typeof defineTables>

export function defineTables({ table, text, bytes, seconds, check }: ColumnKit) {
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
      /** Sessions of the pages that began at this time or before have ended. */
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
  /** Refused when there is no such auditor, or when they are revoked already. */
  | WriteData<'revoke-auditor', { name: string; now: number }>
  /** Ends all sessions of the account. The time never decreases. Refused when there is no such auditor. */
  | WriteData<'sign-out-auditor', { name: string; now: number }>

export function defineWrites({
  queries,
  tables: { auditors },
}: Engine<AuditorTables>): WriteDefinitions<AuditorWrite> {
  const now = slotsOf<AuditorWrite>()('now')
  const valid = { revokedAt: null, signedOutAt: null }
  const add = compileUpsert(queries, auditors, valid, {
    key: auditors.name,
    replace: ['tokenHash', 'role', 'createdAt', 'expiresAt'],
    set: valid,
    onlyIf: sql`${auditors.revokedAt} is not null or ${auditors.expiresAt} <= excluded.created_at`,
  })
  const isOne = matching(auditors, 'name')
  const isActive = and(isOne, isNull(auditors.revokedAt))
  const later = sql`case when coalesce(${auditors.signedOutAt}, 0) > ${now} then ${auditors.signedOutAt} else ${now} end`
  return {
    'add-auditor': { bind: ({ auditor }) => add(auditor) },
    'revoke-auditor': { bind: compileUpdate(queries, auditors, { revokedAt: now }, isActive) },
    'sign-out-auditor': { bind: compileUpdate(queries, auditors, { signedOutAt: later }, isOne) },
  }
}

export interface AuditorReads {
  /** All auditors, ordered by name. The caller checks `expiresAt` and `revokedAt`. */
  listAuditors(): Promise<readonly AuditorRecord[]>
}

export function prepareReads(engine: Engine<AuditorTables>): AuditorReads {
  const { auditors } = engine.tables
  const select = engine.queries.select().from(auditors).orderBy(asc(auditors.name))
  return { listAuditors: readersOf(engine).rows(select) }
}
