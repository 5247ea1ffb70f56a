/** Every read, once for both engines, prepared at start. */
import { and, asc, count, desc, eq, getTableColumns, gt, isNull, sql } from 'drizzle-orm'
import type { Queries } from './compile.ts'
import type { Store } from './store.ts'
import type { Tables } from './tables.ts'

/** The part of a {@link Store} that only looks. */
export type Reads = Pick<
  Store,
  | 'findSession'
  | 'findDevice'
  | 'findUser'
  | 'hasNonce'
  | 'findIdempotency'
  | 'findStepUp'
  | 'listSessions'
  | 'listDevices'
  | 'countSessions'
  | 'listServiceKeys'
>

/** An unnamed statement: named ones do not get through a pooler that hands out connections per transaction. */
const UNNAMED = ''

/**
 * Prepares the reads of one engine.
 *
 * @param guard runs a read and turns the driver's errors into StoreUnavailable.
 */
export function prepareReads(
  queries: Queries,
  tables: Tables,
  guard: <T>(read: () => Promise<T>) => Promise<T>,
): Reads {
  const { users, devices, nonces, idempotency, stepUps, serviceKeys } = tables
  const id = sql.placeholder('id')
  const sessionById = selectSessions(queries, tables).where(eq(tables.sessions.id, id)).prepare(UNNAMED)
  const sessionsByUser = selectSessions(queries, tables)
    .where(eq(tables.sessions.user, id))
    .orderBy(desc(tables.sessions.createdAt), desc(tables.sessions.id))
    .prepare(UNNAMED)
  const sessionCount = queries
    .select({ sessions: count() })
    .from(tables.sessions)
    .where(and(isNull(tables.sessions.endedAt), gt(tables.sessions.expiresAt, sql.placeholder('now'))))
    .prepare(UNNAMED)
  const deviceById = queries.select().from(devices).where(eq(devices.id, id)).prepare(UNNAMED)
  const devicesByUser = queries
    .select()
    .from(devices)
    .where(eq(devices.user, id))
    .orderBy(desc(devices.createdAt), desc(devices.id))
    .prepare(UNNAMED)
  const userById = queries.select().from(users).where(eq(users.id, id)).prepare(UNNAMED)
  const nonceByName = queries
    .select({ scope: nonces.scope })
    .from(nonces)
    .where(and(eq(nonces.scope, id), eq(nonces.nonce, sql.placeholder('nonce'))))
    .prepare(UNNAMED)
  const idempotencyByKey = queries
    .select()
    .from(idempotency)
    .where(and(eq(idempotency.user, id), eq(idempotency.key, sql.placeholder('key'))))
    .prepare(UNNAMED)
  const stepUpByChallenge = queries.select().from(stepUps).where(eq(stepUps.challenge, id)).prepare(UNNAMED)
  const allKeys = queries
    .select()
    .from(serviceKeys)
    .orderBy(asc(serviceKeys.createdAt), asc(serviceKeys.kind), asc(serviceKeys.kid))
    .prepare(UNNAMED)
  return {
    findSession: (id) => guard(async () => (await sessionById.execute({ id }))[0]),
    findDevice: (id) => guard(async () => (await deviceById.execute({ id }))[0]),
    findUser: (id) => guard(async () => (await userById.execute({ id }))[0]),
    hasNonce: (scope, nonce) =>
      guard(async () => (await nonceByName.execute({ id: scope, nonce })).length > 0),
    findIdempotency: (user, key) => guard(async () => (await idempotencyByKey.execute({ id: user, key }))[0]),
    findStepUp: (id) => guard(async () => (await stepUpByChallenge.execute({ id }))[0]),
    listSessions: (user) => guard(async () => await sessionsByUser.execute({ id: user })),
    listDevices: (user) => guard(async () => await devicesByUser.execute({ id: user })),
    countSessions: (now) => guard(async () => (await sessionCount.execute({ now }))[0]?.sessions ?? 0),
    listServiceKeys: () => guard(async () => await allKeys.execute()),
  }
}

function selectSessions(queries: Queries, { sessions, devices }: Tables) {
  return queries
    .select({
      ...getTableColumns(sessions),
      devicePublicKey: devices.publicKey,
      deviceRevokedAt: devices.revokedAt,
      deviceName: devices.name,
      devicePlatform: devices.platform,
    })
    .from(sessions)
    .innerJoin(devices, eq(devices.id, sessions.device))
}
