/** The writes on devices: admitted, named, revoked; and the sessions that end with them. */
import { and, eq, exists, gt, isNotNull, isNull, lt, or, type SQL, sql } from 'drizzle-orm'
import { compile, type Queries, slotsOf } from './compile.ts'
import type { BulkWrite } from './device-writes.ts'
import type { ForgettingWrite } from './journal-writes.ts'
import type { Write, WriteOf } from './store.ts'
import type { Tables } from './tables.ts'

const bulkKinds: ReadonlySet<Write['kind']> = new Set<
  (BulkWrite | ForgettingWrite)['kind'] | 'delete-checkpoint'
>([
  'revoke-other-devices',
  'end-sessions-of-revoked-devices',
  'end-other-sessions',
  'redact-pending-entries',
  'redact-entries',
  'redact-intents',
  'forget-device-names',
  'delete-checkpoint',
])

/** Whether a write that touched so many rows has done its part: exactly one, unless it is meant for any number. */
export function isDone(write: Write, touched: number): boolean {
  return touched === 1 || bulkKinds.has(write.kind)
}

/** Compiles every {@link DeviceWrite}. */
export function compileDevices(queries: Queries, tables: Tables) {
  return {
    ...compileAdmit(queries, tables),
    ...compileName(queries, tables),
    ...compileRevoke(queries, tables),
    ...compileEnds(queries, tables),
  }
}

/** A row of the user is touched, not changed: the count is of what the transaction sees once that row is its own. */
function compileAdmit(queries: Queries, { users, devices }: Tables) {
  const write = slotsOf<WriteOf<'admit-device'>>()
  const known = queries
    .select({ id: devices.id })
    .from(devices)
    .where(eq(devices.id, write('device')))
  const inUse = and(
    eq(devices.user, write('user')),
    isNull(devices.revokedAt),
    gt(devices.lastSeenAt, write('seenAfter')),
  )
  const count = sql`(select count(*) from ${devices} where ${inUse})`
  const admit = queries
    .update(users)
    .set({ updatedAt: sql`${users.updatedAt}` })
    .where(and(eq(users.id, write('user')), or(exists(known), lt(count, write('limit')))))
    .returning({ touched: users.id })
  return { 'admit-device': compile(admit) }
}

function compileName(queries: Queries, { devices }: Tables) {
  const write = slotsOf<WriteOf<'name-device'>>()
  const name = queries
    .update(devices)
    .set({ name: sql`${write('name')}` })
    .where(and(eq(devices.id, write('id')), eq(devices.user, write('user')), isNull(devices.revokedAt)))
    .returning({ touched: devices.id })
  return { 'name-device': compile(name) }
}

function compileRevoke(queries: Queries, { devices }: Tables) {
  const one = slotsOf<WriteOf<'revoke-device'>>()
  const others = slotsOf<WriteOf<'revoke-other-devices'>>()
  return {
    'revoke-device': compile(
      queries
        .update(devices)
        .set({ revokedAt: sql`${one('now')}` })
        .where(and(eq(devices.id, one('id')), eq(devices.user, one('user')), isNull(devices.revokedAt)))
        .returning({ touched: devices.id }),
    ),
    'revoke-other-devices': compile(
      queries
        .update(devices)
        .set({ revokedAt: sql`${others('now')}` })
        .where(
          and(
            eq(devices.user, others('user')),
            sql`${devices.id} is distinct from ${others('except')}`,
            isNull(devices.revokedAt),
          ),
        )
        .returning({ touched: devices.id }),
    ),
  }
}

function compileEnds(queries: Queries, { sessions, devices }: Tables) {
  const slot = slotsOf<WriteOf<'end-sessions-of-revoked-devices'>>()
  const except = slotsOf<WriteOf<'end-other-sessions'>>()('except')
  const revoked = queries
    .select({ id: devices.id })
    .from(devices)
    .where(and(eq(devices.id, sessions.device), isNotNull(devices.revokedAt)))
  const end = (which: SQL) =>
    compile(
      queries
        .update(sessions)
        .set({ endedAt: sql`${slot('now')}`, endReason: sql`${slot('reason')}` })
        .where(
          and(
            eq(sessions.user, slot('user')),
            isNull(sessions.endedAt),
            gt(sessions.expiresAt, slot('now')),
            which,
          ),
        )
        .returning({ touched: sessions.user }),
    )
  return {
    'end-sessions-of-revoked-devices': end(exists(revoked)),
    'end-other-sessions': end(sql`${sessions.id} is distinct from ${except}`),
  }
}
