/**
 * Every write as one SQL statement, made once at start and only bound after that.
 *
 * The builder turns the same lines into either engine's SQL; a driver then runs text and values as it likes, in step
 * (SQLite) or awaited (PostgreSQL). Each statement returns one row for each row it touched: that is how a refusal shows.
 */
import { sql } from 'drizzle-orm'
import { compileAuditors } from './auditor-statements.ts'
import { type BoundStatement, type Compiled, compile, type Queries, slotsOf } from './compile.ts'
import { compileDevices, isDone } from './device-statements.ts'
import { compilePush } from './event-statements.ts'
import { compileIdempotency } from './idempotency-statements.ts'
import { compileAppender } from './journal-statements.ts'
import { compileLog } from './log-statements.ts'
import { compileServiceKeys } from './service-key-statements.ts'
import { compileSessions } from './session-statements.ts'
import { compileStepUps } from './step-up-statements.ts'
import type { Write, WriteOf } from './store.ts'
import { compileSubjectKeys } from './subject-key-statements.ts'
import type { Tables } from './tables.ts'
import { compileProbe, compilePrune, type PruneStep } from './upkeep-statements.ts'
import { compileSwaps } from './wrapped-values.ts'

/** All writes of one engine. */
export interface Statements {
  /** One after another, in one transaction; `push-event` takes two, all others one. */
  bind(write: Write): readonly BoundStatement[]
  /** Whether a write commits whose statement returned so many rows. */
  isDone(write: Write, rows: number): boolean
  /** See {@link compilePrune}. */
  readonly prune: readonly PruneStep[]
  /** See {@link compileProbe}. */
  readonly probe: readonly BoundStatement[]
}

/**
 * Compiles the statements of one engine, given its query builder and its tables.
 *
 * @param lock see {@link compileSubjectKeys}
 */
export function compileStatements(queries: Queries, tables: Tables, lock: '' | ' for key share'): Statements {
  const push = compilePush(queries, tables)
  const writes: { readonly [K in Write['kind']]: Compiled } = {
    ...compileClaims(queries, tables),
    ...compilePeople(queries, tables),
    ...compileSessions(queries, tables),
    ...compileDevices(queries, tables),
    ...compileIdempotency(queries, tables),
    ...compileStepUps(queries, tables),
    ...compileServiceKeys(queries, tables),
    ...compileSwaps(queries, tables),
    'push-event': push.insert,
    ...compileLog(queries, tables),
    ...compileAuditors(queries, tables),
    ...compileSubjectKeys(queries, tables, lock),
    ...compileAppender(queries, tables),
  }
  return {
    bind: (write) => {
      const values = valuesOf(write)
      const statement = writes[write.kind](values)
      return write.kind === 'push-event' ? [push.advance(values), statement] : [statement]
    },
    isDone,
    prune: compilePrune(queries, tables),
    probe: compileProbe(queries, tables),
  }
}

/** The fields that a write's statement is bound to. */
function valuesOf(write: Write): Record<string, unknown> {
  if (write.kind === 'insert-session') return { ...write.session }
  if (write.kind === 'insert-service-key') return { ...write.key }
  if (write.kind === 'put-device') return { ...write, platform: write.platform ?? null }
  if ('auditor' in write) return { ...write.auditor }
  if ('entry' in write) return { ...write.entry }
  if ('intent' in write) return { ...write.intent }
  if ('state' in write) return { ...write.state }
  if ('tile' in write) return { ...write.tile }
  if ('count' in write) return { ...write.count }
  if ('witness' in write) return { ...write.witness }
  return write
}

function compileClaims(queries: Queries, { nonces, loginCodes }: Tables) {
  const nonce = slotsOf<WriteOf<'claim-nonce'>>()
  const code = slotsOf<WriteOf<'claim-login-code'>>()
  return {
    'claim-nonce': compile(
      queries
        .insert(nonces)
        .values({ scope: nonce('scope'), nonce: nonce('nonce'), expiresAt: nonce('expiresAt') })
        .onConflictDoNothing()
        .returning({ touched: nonces.scope }),
    ),
    'claim-login-code': compile(
      queries
        .insert(loginCodes)
        .values({ hash: code('hash'), expiresAt: code('expiresAt') })
        .onConflictDoNothing()
        .returning({ touched: loginCodes.expiresAt }),
    ),
  }
}

function compilePeople(queries: Queries, { users, devices }: Tables) {
  const user = slotsOf<WriteOf<'put-user'>>()
  const device = slotsOf<WriteOf<'put-device'>>()
  const secrets = { openidWrapped: user('openidWrapped'), sessionKeyWrapped: user('sessionKeyWrapped') }
  return {
    'put-user': compile(
      queries
        .insert(users)
        .values({
          id: user('id'),
          app: user('app'),
          ...secrets,
          createdAt: user('now'),
          updatedAt: user('now'),
        })
        .onConflictDoUpdate({
          target: users.id,
          set: {
            openidWrapped: sql`excluded.openid_wrapped`,
            sessionKeyWrapped: sql`excluded.session_key_wrapped`,
            updatedAt: sql`excluded.updated_at`,
          },
          setWhere: sql`${users.app} = excluded.app`,
        })
        .returning({ touched: users.id }),
    ),
    'put-device': compile(
      queries
        .insert(devices)
        .values({
          id: device('id'),
          user: device('user'),
          publicKey: device('publicKey'),
          platform: device('platform'),
          createdAt: device('now'),
          lastSeenAt: device('now'),
        })
        .onConflictDoUpdate({
          target: devices.id,
          set: {
            lastSeenAt: sql`excluded.last_seen_at`,
            platform: sql`coalesce(excluded.platform, ${devices.platform})`,
          },
          setWhere: sql`${devices.user} = excluded.user_id and ${devices.publicKey} = excluded.public_key
            and ${devices.revokedAt} is null`,
        })
        .returning({ touched: devices.id }),
    ),
  }
}
