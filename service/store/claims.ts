/**
 * What may happen only once: nonces, login codes (protocol, sections 4 and 5) and idempotency keys (section 8). The primary
 * key decides: of any number of simultaneous claims, in any number of processes, exactly one commits.
 */
import { and, eq, isNotNull, isNull, lt, type SQL, sql } from 'drizzle-orm'
import {
  type ColumnKit,
  compile,
  compileExpired,
  type Engine,
  type PruneStep,
  prepareRead,
  type Queries,
  rowSlots,
  slotsOf,
  type WriteData,
  type WriteDefinitions,
} from './engine.ts'

export type ClaimTables = ReturnType<typeof defineClaims>

export function defineClaims({ table, text, seconds, bytes, index, primaryKey, check }: ColumnKit) {
  const nonces = table(
    'nonces',
    {
      scope: text('scope').notNull(),
      nonce: bytes('nonce').notNull(),
      expiresAt: seconds('expires_at').notNull(),
    },
    (t) => [
      primaryKey({ name: 'nonces_key', columns: [t.scope, t.nonce] }),
      index('nonces_expires').on(t.expiresAt),
      check('nonces_nonce_length', sql`length(${t.nonce}) = 16`),
    ],
  )
  const loginCodes = table(
    'login_codes',
    {
      /** SHA-256 of the code. */
      hash: bytes('hash').primaryKey(),
      expiresAt: seconds('expires_at').notNull(),
    },
    (t) => [
      index('login_codes_expires').on(t.expiresAt),
      check('login_codes_hash_length', sql`length(${t.hash}) = 32`),
    ],
  )
  const idempotencyKeys = table(
    'idempotency_keys',
    {
      user: text('user_id').notNull(),
      key: text('key').notNull(),
      fingerprint: bytes('fingerprint').notNull(),
      /** 0: its process has died (SQLite; see `sqlite/connection.ts`), or whoever took it over has abandoned it. */
      startedAt: seconds('started_at').notNull(),
      /** null while the request runs, or when the process died while it ran. */
      completedAt: seconds('completed_at'),
      /** null: not completed, or completed with an unknown outcome. */
      responseWrapped: bytes('response_wrapped'),
      expiresAt: seconds('expires_at').notNull(),
    },
    (t) => [
      primaryKey({ name: 'idempotency_keys_key', columns: [t.user, t.key] }),
      index('idempotency_keys_expires').on(t.expiresAt),
      check('idempotency_keys_fingerprint_length', sql`length(${t.fingerprint}) = 32`),
    ],
  )
  return { nonces, loginCodes, idempotencyKeys }
}

/** What a user requested under an idempotency key, and what came of it. */
export type IdempotencyRecord = Readonly<ClaimTables['idempotencyKeys']['$inferSelect']>

export type ClaimWrite =
  /** Refused when (scope, nonce) exists, expired or not. 16 bytes, attacker-controlled. */
  | WriteData<'claim-nonce', { scope: string; nonce: Uint8Array; expiresAt: number }>
  /** As `claim-nonce`, for the SHA-256 of a `wx.login` code: 32 bytes. */
  | WriteData<'claim-login-code', { hash: Uint8Array; expiresAt: number }>
  /** Refused when the user has used this key, completed or not, until it is pruned. `fingerprint` is 32 bytes. */
  | WriteData<
      'claim-idempotency',
      { user: string; key: string; fingerprint: Uint8Array; now: number; expiresAt: number }
    >
  /**
   * Stores the response, or null for an unknown outcome. Refused unless the key is claimed, not completed, and still the
   * caller's: started at `startedAt`, the `now` of its claim or takeover.
   */
  | WriteData<
      'complete-idempotency',
      { user: string; key: string; startedAt: number; responseWrapped: Uint8Array | null; now: number }
    >
  /**
   * Moves an open claim to another request: it starts at `now`. Refused when it is completed, or when it started at
   * `startedBefore` or later; so of any number of simultaneous ones exactly one commits, as long as `now` is not less.
   */
  | WriteData<'take-over-idempotency', { user: string; key: string; startedBefore: number; now: number }>
  /** Returns a claim that was taken over: the next retry may take it over at once. Refused as `complete-idempotency`. */
  | WriteData<'abandon-idempotency', { user: string; key: string; startedAt: number }>
  /** Deletes a claim, because nothing happened. Refused as `complete-idempotency`. */
  | WriteData<'release-idempotency', { user: string; key: string; startedAt: number }>

type WriteOf<K extends ClaimWrite['kind']> = Extract<ClaimWrite, { readonly kind: K }>

export function defineClaimWrites({ queries, tables }: Engine<ClaimTables>): WriteDefinitions<ClaimWrite> {
  const { nonces, loginCodes } = tables
  return {
    'claim-nonce': {
      bind: compile(
        queries
          .insert(nonces)
          .values(rowSlots(nonces))
          .onConflictDoNothing()
          .returning({ touched: nonces.expiresAt }),
      ),
      isShareable: true,
    },
    'claim-login-code': {
      bind: compile(
        queries
          .insert(loginCodes)
          .values(rowSlots(loginCodes))
          .onConflictDoNothing()
          .returning({ touched: loginCodes.expiresAt }),
      ),
    },
    'claim-idempotency': { bind: compileIdempotencyClaim(queries, tables), isShareable: true },
    ...defineIdempotencyChanges(queries, tables),
  }
}

function compileIdempotencyClaim(queries: Queries, { idempotencyKeys }: ClaimTables) {
  const slot = slotsOf<WriteOf<'claim-idempotency'>>()
  return compile(
    queries
      .insert(idempotencyKeys)
      .values({
        user: slot('user'),
        key: slot('key'),
        fingerprint: slot('fingerprint'),
        startedAt: slot('now'),
        expiresAt: slot('expiresAt'),
      })
      .onConflictDoNothing()
      .returning({ touched: idempotencyKeys.user }),
  )
}

function defineIdempotencyChanges(queries: Queries, { idempotencyKeys }: ClaimTables) {
  const slot = slotsOf<WriteOf<'complete-idempotency'> & WriteOf<'take-over-idempotency'>>()
  const isOpen = and(
    eq(idempotencyKeys.user, slot('user')),
    eq(idempotencyKeys.key, slot('key')),
    isNull(idempotencyKeys.completedAt),
  )
  const isOwn = and(isOpen, eq(idempotencyKeys.startedAt, slot('startedAt')))
  const isOld = and(isOpen, lt(idempotencyKeys.startedAt, slot('startedBefore')))
  const touched = { touched: idempotencyKeys.user }
  const update = (values: Record<string, SQL | number>, condition: SQL | undefined) =>
    compile(queries.update(idempotencyKeys).set(values).where(condition).returning(touched))
  return {
    'complete-idempotency': {
      bind: update(
        { completedAt: sql`${slot('now')}`, responseWrapped: sql`${slot('responseWrapped')}` },
        isOwn,
      ),
      isShareable: true,
    },
    'take-over-idempotency': { bind: update({ startedAt: sql`${slot('now')}` }, isOld), isShareable: true },
    'abandon-idempotency': { bind: update({ startedAt: 0 }, isOwn), isShareable: true },
    'release-idempotency': {
      bind: compile(queries.delete(idempotencyKeys).where(isOwn).returning(touched)),
      isShareable: true,
    },
  } as const
}

export interface ClaimReads {
  /** Whether (scope, nonce) was claimed, until it is pruned. An uncommitted claim is not visible. */
  hasNonce(scope: string, nonce: Uint8Array): Promise<boolean>
  findIdempotency(user: string, key: string): Promise<IdempotencyRecord | undefined>
}

export function prepareClaimReads(engine: Engine<ClaimTables>): ClaimReads {
  const { queries, tables } = engine
  const { nonces, idempotencyKeys } = tables
  const slot = sql.placeholder
  const nonceRows = prepareRead(
    engine,
    queries
      .select({ scope: nonces.scope })
      .from(nonces)
      .where(and(eq(nonces.scope, slot('scope')), eq(nonces.nonce, slot('nonce')))),
  )
  const idempotencyRows = prepareRead(
    engine,
    queries
      .select()
      .from(idempotencyKeys)
      .where(and(eq(idempotencyKeys.user, slot('user')), eq(idempotencyKeys.key, slot('key')))),
  )
  return {
    hasNonce: async (scope, nonce) => (await nonceRows({ scope, nonce })).length > 0,
    findIdempotency: async (user, key) => (await idempotencyRows({ user, key }))[0],
  }
}

/** A key whose request may have had an effect stays this long after its expiry, in seconds. */
const unknownOutcomesKept = 90 * 86_400

/** Idempotency keys go last, after sessions: see `sessions.ts`. */
export function compileClaimPruning({ queries, tables }: Engine<ClaimTables>): {
  readonly logins: readonly PruneStep[]
  readonly idempotency: readonly PruneStep[]
} {
  const { nonces, loginCodes, idempotencyKeys } = tables
  const key = [idempotencyKeys.user, idempotencyKeys.key]
  const hasResponse = isNotNull(idempotencyKeys.responseWrapped)
  const pruneAny = compileExpired(queries, idempotencyKeys, key)
  return {
    logins: [
      compileExpired(queries, nonces, [nonces.scope, nonces.nonce]),
      compileExpired(queries, loginCodes, [loginCodes.hash]),
    ],
    idempotency: [
      compileExpired(queries, idempotencyKeys, key, hasResponse),
      (now, limit) => pruneAny(now - unknownOutcomesKept, limit),
    ],
  }
}
