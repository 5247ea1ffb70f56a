/**
 * The tables, once for both engines. A column kit says how an engine spells text, seconds and bytes; everything else,
 * the keys and the indexes above all, is the same. `drizzle-kit` reads the two schema files that are made from this.
 */
import { sql } from 'drizzle-orm'
import type {
  check,
  customType,
  index,
  PgBigInt53BuilderInitial,
  PgTextBuilderInitial,
  pgTable,
  primaryKey,
  uniqueIndex,
} from 'drizzle-orm/pg-core'
import { defineEvents } from './event-tables.ts'
import { defineLog } from './log-tables.ts'
import type { ServiceKeyKind } from './store.ts'

type Text = PgTextBuilderInitial<string, [string, ...string[]]>
type Seconds = PgBigInt53BuilderInitial<string>
type Bytes = ReturnType<typeof customType<{ data: Uint8Array; driverData: Uint8Array }>>

/** Typed as PostgreSQL's; SQLite's kit has the same shape and is cast to it, once, in its schema file. */
export interface ColumnKit {
  readonly table: typeof pgTable
  readonly text: (name: string) => Text
  /** UNIX seconds: 64 bits in the database, a number in here. */
  readonly seconds: (name: string) => Seconds
  readonly bytes: (name: string) => ReturnType<Bytes>
  /** A whole number of at most 53 bits. */
  readonly count: (name: string) => Seconds
  readonly index: typeof index
  readonly uniqueIndex: typeof uniqueIndex
  readonly primaryKey: typeof primaryKey
  readonly check: typeof check
}

/** All tables, for the queries that are written once. */
export type Tables = ReturnType<typeof defineTables>

/** The tables that others refer to. */
export type PeopleTables = ReturnType<typeof definePeople>

/** Makes the tables with one engine's columns. The lengths are checked in the database too: they are identities. */
export function defineTables(kit: ColumnKit) {
  const people = definePeople(kit)
  return {
    ...people,
    ...defineEvents(kit, people),
    ...defineClaims(kit),
    ...defineIdempotency(kit),
    ...defineStepUps(kit),
    ...defineServiceKeys(kit),
    ...defineLog(kit),
  }
}

function definePeople({ table, text, seconds, bytes, index, check }: ColumnKit) {
  const users = table('users', {
    id: text('id').primaryKey(),
    app: text('app').notNull(),
    openidWrapped: bytes('openid_wrapped').notNull(),
    sessionKeyWrapped: bytes('session_key_wrapped').notNull(),
    createdAt: seconds('created_at').notNull(),
    updatedAt: seconds('updated_at').notNull(),
  })
  const devices = table(
    'devices',
    {
      id: text('id').primaryKey(),
      user: text('user_id')
        .notNull()
        .references(() => users.id),
      publicKey: bytes('public_key').notNull(),
      name: text('name'),
      platform: text('platform'),
      createdAt: seconds('created_at').notNull(),
      lastSeenAt: seconds('last_seen_at').notNull(),
      revokedAt: seconds('revoked_at'),
    },
    (t) => [
      index('devices_user').on(t.user),
      check('devices_public_key_length', sql`length(${t.publicKey}) = 32`),
    ],
  )
  const sessions = table(
    'sessions',
    {
      id: bytes('id').primaryKey(),
      user: text('user_id')
        .notNull()
        .references(() => users.id),
      device: text('device_id')
        .notNull()
        .references(() => devices.id),
      app: text('app').notNull(),
      c2sWrapped: bytes('c2s_wrapped').notNull(),
      s2cWrapped: bytes('s2c_wrapped').notNull(),
      createdAt: seconds('created_at').notNull(),
      expiresAt: seconds('expires_at').notNull(),
      lastSeenAt: seconds('last_seen_at').notNull(),
      endedAt: seconds('ended_at'),
      endReason: text('end_reason'),
      requiredAcr: text('required_acr').$type<'soter'>(),
    },
    (t) => [
      index('sessions_user').on(t.user, t.createdAt),
      index('sessions_expires').on(t.expiresAt),
      index('sessions_ended').on(t.endedAt).where(sql`ended_at is not null`),
      check('sessions_id_length', sql`length(${t.id}) = 16`),
    ],
  )
  return { users, devices, sessions }
}

function defineClaims({ table, text, seconds, bytes, index, primaryKey, check }: ColumnKit) {
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
    { hash: bytes('hash').primaryKey(), expiresAt: seconds('expires_at').notNull() },
    (t) => [
      index('login_codes_expires').on(t.expiresAt),
      check('login_codes_hash_length', sql`length(${t.hash}) = 32`),
    ],
  )
  return { nonces, loginCodes }
}

function defineIdempotency({ table, text, seconds, bytes, index, primaryKey, check }: ColumnKit) {
  const idempotency = table(
    'idempotency',
    {
      user: text('user_id').notNull(),
      key: text('key').notNull(),
      fingerprint: bytes('fingerprint').notNull(),
      startedAt: seconds('started_at').notNull(),
      settledAt: seconds('settled_at'),
      answerWrapped: bytes('answer_wrapped'),
      expiresAt: seconds('expires_at').notNull(),
    },
    (t) => [
      primaryKey({ name: 'idempotency_key', columns: [t.user, t.key] }),
      index('idempotency_expires').on(t.expiresAt),
      check('idempotency_fingerprint_length', sql`length(${t.fingerprint}) = 32`),
    ],
  )
  return { idempotency }
}

/** What was asked of a user, and how often each user's trusted environment has signed. */
function defineStepUps({ table, text, seconds, bytes, count, index, check }: ColumnKit) {
  const stepUps = table(
    'step_ups',
    {
      challenge: bytes('challenge').primaryKey(),
      user: text('user_id').notNull(),
      device: text('device_id').notNull(),
      fingerprint: bytes('fingerprint').notNull(),
      expiresAt: seconds('expires_at').notNull(),
      usedAt: seconds('used_at'),
    },
    (t) => [
      index('step_ups_expires').on(t.expiresAt),
      check('step_ups_challenge_length', sql`length(${t.challenge}) = 32`),
      check('step_ups_fingerprint_length', sql`length(${t.fingerprint}) = 32`),
    ],
  )
  const soterCounters = table(
    'soter_counters',
    {
      id: bytes('id').primaryKey(),
      counter: count('counter').notNull(),
      updatedAt: seconds('updated_at').notNull(),
    },
    (t) => [check('soter_counters_id_length', sql`length(${t.id}) = 32`)],
  )
  return { stepUps, soterCounters }
}

function defineServiceKeys({ table, text, seconds, bytes, primaryKey }: ColumnKit) {
  const serviceKeys = table(
    'service_keys',
    {
      kid: text('kid').notNull(),
      kind: text('kind').$type<ServiceKeyKind>().notNull(),
      publicKey: bytes('public_key').notNull(),
      secretWrapped: bytes('secret_wrapped').notNull(),
      notBefore: seconds('not_before').notNull(),
      notAfter: seconds('not_after').notNull(),
      createdAt: seconds('created_at').notNull(),
    },
    (t) => [primaryKey({ name: 'service_keys_key', columns: [t.kind, t.kid] })],
  )
  return { serviceKeys }
}
