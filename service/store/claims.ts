/**
 * Claims, each possible once: nonces, login codes (protocol, sections 4 and 5) and idempotency keys (section 8). By the
 * primary key, exactly one of any number of simultaneous claims commits, in any number of processes.
 */
import { and, isNotNull, isNull, lt, sql } from 'drizzle-orm'
import {
  type ColumnKit,
  compileDelete,
  compileExpired,
  compileInsert,
  compileUpdate,
  type Engine,
  matching,
  type PruneStep,
  readersOf,
  slotsOf,
  type WriteData,
  type WriteDefinitions,
} from './engine.ts'

export type ClaimTables = ReturnType<typeof defineTables>

export function defineTables({ table, text, seconds, bytes, index, primaryKey, check }: ColumnKit) {
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
      /** 0: its process has exited (SQLite, see `sqlite/connection.ts`), or it was abandoned after a takeover. */
      startedAt: seconds('started_at').notNull(),
      /** null while the request runs, or after its process exited. */
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

/** The request of a user under an idempotency key, and its response. */
export type IdempotencyRecord = Readonly<ClaimTables['idempotencyKeys']['$inferSelect']>

export type ClaimWrite =
  /** Refused when (scope, nonce) exists, even after its expiry. 16 bytes, attacker-controlled. */
  | WriteData<'claim-nonce', { scope: string; nonce: Uint8Array; expiresAt: number }>
  /** As `claim-nonce`, for the SHA-256 of a `wx.login` code: 32 bytes. */
  | WriteData<'claim-login-code', { hash: Uint8Array; expiresAt: number }>
  /** Refused when the user has used this key, completed or not, until it is pruned. `fingerprint` is 32 bytes. */
  | WriteData<
      'claim-idempotency',
      { user: string; key: string; fingerprint: Uint8Array; now: number; expiresAt: number }
    >
  /**
   * Stores the response, or null for an unknown outcome. Refused unless the claim is open and the caller's: started at
   * `startedAt`, the `now` of its claim or takeover.
   */
  | WriteData<
      'complete-idempotency',
      { user: string; key: string; startedAt: number; responseWrapped: Uint8Array | null; now: number }
    >
  /**
   * Moves an open claim to another request, with `now` as its start. Refused when the claim is completed, or started at
   * `startedBefore` or later. Exactly one of simultaneous takeovers commits if their `now` is not below `startedBefore`.
   */
  | WriteData<'take-over-idempotency', { user: string; key: string; startedBefore: number; now: number }>
  /** Returns a claim after a takeover: the next retry may take it over at once. Refused as `complete-idempotency`. */
  | WriteData<'abandon-idempotency', { user: string; key: string; startedAt: number }>
  /** Deletes the claim of a request without effect. Refused as `complete-idempotency`. */
  | WriteData<'release-idempotency', { user: string; key: string; startedAt: number }>

const slot = slotsOf<ClaimWrite>()

export function defineWrites({
  queries,
  tables: { nonces, loginCodes, idempotencyKeys },
}: Engine<ClaimTables>): WriteDefinitions<ClaimWrite> {
  const now = slot('now')
  const isOpen = and(matching(idempotencyKeys, 'user', 'key'), isNull(idempotencyKeys.completedAt))
  const isOwn = and(isOpen, matching(idempotencyKeys, 'startedAt'))
  const isOld = and(isOpen, lt(idempotencyKeys.startedAt, slot('startedBefore')))
  const claim = { startedAt: now, completedAt: null, responseWrapped: null }
  const completed = { completedAt: now, responseWrapped: slot('responseWrapped') }
  return {
    'claim-nonce': { bind: compileInsert(queries, nonces), isShareable: true },
    'claim-login-code': { bind: compileInsert(queries, loginCodes) },
    'claim-idempotency': { bind: compileInsert(queries, idempotencyKeys, claim), isShareable: true },
    'complete-idempotency': {
      bind: compileUpdate(queries, idempotencyKeys, completed, isOwn),
      isShareable: true,
    },
    'take-over-idempotency': {
      bind: compileUpdate(queries, idempotencyKeys, { startedAt: now }, isOld),
      isShareable: true,
    },
    'abandon-idempotency': {
      bind: compileUpdate(queries, idempotencyKeys, { startedAt: 0 }, isOwn),
      isShareable: true,
    },
    'release-idempotency': { bind: compileDelete(queries, idempotencyKeys, isOwn), isShareable: true },
  }
}

export interface ClaimReads {
  /** Whether (scope, nonce) was claimed, until it is pruned. An uncommitted claim is not visible. */
  hasNonce(scope: string, nonce: Uint8Array): Promise<boolean>
  findIdempotency(user: string, key: string): Promise<IdempotencyRecord | undefined>
}

export function prepareReads(engine: Engine<ClaimTables>): ClaimReads {
  const { queries, tables } = engine
  const { nonces, idempotencyKeys } = tables
  const { first } = readersOf(engine)
  const isNonce = matching(nonces, 'scope', 'nonce')
  const isKey = matching(idempotencyKeys, 'user', 'key')
  const nonce = first(queries.select({ scope: nonces.scope }).from(nonces).where(isNonce), 'scope', 'nonce')
  return {
    hasNonce: async (...key) => (await nonce(...key)) !== undefined,
    findIdempotency: first(queries.select().from(idempotencyKeys).where(isKey), 'user', 'key'),
  }
}

/** Seconds after its expiry for which a key without a response is kept: its request may have had an effect. */
const unknownOutcomesKept = 90 * 86_400

/** Idempotency keys are pruned after sessions: see `sessions.ts`. */
export function compilePruning({ queries, tables }: Engine<ClaimTables>): {
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
