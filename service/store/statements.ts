/**
 * Every write as one SQL statement, made once at start and only bound after that.
 *
 * The builder turns the same lines into either engine's SQL; a driver then runs text and values as it likes, in step
 * (SQLite) or awaited (PostgreSQL). Each statement returns one row for each row it touched: that is how a refusal shows.
 */
import { and, eq, exists, fillPlaceholders, gt, isNull, lt, or, type Placeholder, sql } from 'drizzle-orm'
import type { PgDatabase, PgQueryResultHKT } from 'drizzle-orm/pg-core'
import type { NewServiceKey, NewSession, Write } from './store.ts'
import type { Tables } from './tables.ts'

/** What queries may use of a database: nothing that only one of the engines has. */
export type Queries = Pick<PgDatabase<PgQueryResultHKT>, 'select' | 'insert' | 'update' | 'delete'>

/** SQL of one engine with its values, ready for the driver. */
export interface BoundStatement {
  readonly text: string
  readonly values: readonly unknown[]
}

/** All writes of one engine. */
export interface Statements {
  /** The statement of one write: it commits only if this returns exactly one row. */
  bind(write: Write): BoundStatement
  /** One step of pruning per table; each deletes at most `limit` rows and returns them. */
  readonly prune: readonly ((now: number, limit: number) => BoundStatement)[]
  /** Writes a row and takes it away again, for one transaction; what they return does not matter. */
  readonly probe: readonly BoundStatement[]
}

type WriteOf<K extends Write['kind']> = Extract<Write, { kind: K }>

/** What a builder gives before it runs. */
interface Statement {
  toSQL(): { sql: string; params: unknown[] }
}

/** Sessions stay this long after their end, so that a user can see what happened. */
const ENDED_SESSIONS_KEPT = 86_400
const PROBE_SCOPE = 'readyz'

/** Compiles the statements of one engine, given its query builder and its tables. */
export function compileStatements(queries: Queries, tables: Tables): Statements {
  const writes: { readonly [K in Write['kind']]: Compiled } = {
    ...compileClaims(queries, tables),
    ...compilePeople(queries, tables),
    ...compileSessions(queries, tables),
    ...compileServiceKeys(queries, tables),
  }
  const bind = (write: Write) => writes[write.kind](valuesOf(write))
  return { bind, prune: compilePrune(queries, tables), probe: compileProbe(queries, tables, bind) }
}

type Compiled = (values: Record<string, unknown>) => BoundStatement

function compile(statement: Statement): Compiled {
  const { sql: text, params } = statement.toSQL()
  return (values) => ({ text, values: fillPlaceholders(params, values) })
}

/** Placeholders that are checked against the fields of what will be bound. */
function slotsOf<T>(): <N extends keyof T & string>(name: N) => Placeholder<N> {
  return (name) => sql.placeholder(name)
}

/** The fields that a write's statement is bound to. */
function valuesOf(write: Write): Record<string, unknown> {
  if (write.kind === 'insert-session') return { ...write.session }
  if (write.kind === 'insert-service-key') return { ...write.key }
  if (write.kind === 'put-device') return { ...write, platform: write.platform ?? null }
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
        .values({ id: user('id'), app: user('app'), ...secrets, createdAt: user('now'), updatedAt: user('now') })
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

function compileSessions(queries: Queries, { sessions, devices }: Tables) {
  const created = slotsOf<NewSession>()
  const touched = slotsOf<WriteOf<'touch-session'>>()
  const ended = slotsOf<WriteOf<'end-session'>>()
  const usableDevice = queries
    .select({ id: devices.id })
    .from(devices)
    .where(and(eq(devices.id, sessions.device), isNull(devices.revokedAt)))
  return {
    'insert-session': compile(
      queries
        .insert(sessions)
        .values({
          id: created('id'),
          user: created('user'),
          device: created('device'),
          app: created('app'),
          c2sWrapped: created('c2sWrapped'),
          s2cWrapped: created('s2cWrapped'),
          createdAt: created('createdAt'),
          expiresAt: created('expiresAt'),
          lastSeenAt: created('createdAt'),
        })
        .onConflictDoNothing()
        .returning({ touched: sessions.user }),
    ),
    'touch-session': compile(
      queries
        .update(sessions)
        .set({ lastSeenAt: sql`${touched('now')}` })
        .where(
          and(
            eq(sessions.id, touched('id')),
            isNull(sessions.endedAt),
            gt(sessions.expiresAt, touched('now')),
            exists(usableDevice),
          ),
        )
        .returning({ touched: sessions.user }),
    ),
    'end-session': compile(
      queries
        .update(sessions)
        .set({ endedAt: sql`${ended('now')}`, endReason: sql`${ended('reason')}` })
        .where(
          and(
            eq(sessions.id, ended('id')),
            eq(sessions.user, ended('user')),
            isNull(sessions.endedAt),
            gt(sessions.expiresAt, ended('now')),
          ),
        )
        .returning({ touched: sessions.user }),
    ),
  }
}

function compileServiceKeys(queries: Queries, { serviceKeys }: Tables) {
  const key = slotsOf<NewServiceKey>()
  const retired = slotsOf<WriteOf<'retire-service-key'>>()
  return {
    'insert-service-key': compile(
      queries
        .insert(serviceKeys)
        .values({
          kid: key('kid'),
          kind: key('kind'),
          publicKey: key('publicKey'),
          secretWrapped: key('secretWrapped'),
          notBefore: key('notBefore'),
          notAfter: key('notAfter'),
          createdAt: key('createdAt'),
        })
        .onConflictDoNothing()
        .returning({ touched: serviceKeys.kid }),
    ),
    'retire-service-key': compile(
      queries
        .update(serviceKeys)
        .set({ retiredAt: sql`${retired('now')}` })
        .where(
          and(
            eq(serviceKeys.kind, retired('keyKind')),
            eq(serviceKeys.kid, retired('kid')),
            isNull(serviceKeys.retiredAt),
          ),
        )
        .returning({ touched: serviceKeys.kid }),
    ),
  }
}

function compilePrune(queries: Queries, { nonces, loginCodes, sessions }: Tables): Statements['prune'] {
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
    queries.delete(sessions).where(sql`${sessions.id} in ${oldSessions}`).returning({ touched: sessions.user }),
  )
  return [
    (now, rows) => pruneNonces({ before: now, limit: rows }),
    (now, rows) => pruneCodes({ before: now, limit: rows }),
    (now, rows) => pruneSessions({ before: now - ENDED_SESSIONS_KEPT, limit: rows }),
  ]
}

function compileProbe(queries: Queries, { nonces }: Tables, bind: Statements['bind']): Statements['probe'] {
  const erase = compile(queries.delete(nonces).where(eq(nonces.scope, PROBE_SCOPE)).returning({ touched: nonces.scope }))
  return [bind({ kind: 'claim-nonce', scope: PROBE_SCOPE, nonce: new Uint8Array(16), expiresAt: 0 }), erase({})]
}
