/** The writes on sessions: made, used, ended. */
import { and, eq, exists, gt, isNull, sql } from 'drizzle-orm'
import { compile, type Queries, slotsOf } from './compile.ts'
import type { NewSession, WriteOf } from './store.ts'
import type { Tables } from './tables.ts'

/** Compiles `insert-session`, `touch-session` and `end-session`. */
export function compileSessions(queries: Queries, tables: Tables) {
  return {
    ...compileInsert(queries, tables),
    ...compileTouch(queries, tables),
    ...compileEnd(queries, tables),
  }
}

function compileInsert(queries: Queries, { sessions }: Tables) {
  const session = slotsOf<NewSession>()
  const insert = queries
    .insert(sessions)
    .values({
      id: session('id'),
      user: session('user'),
      device: session('device'),
      app: session('app'),
      c2sWrapped: session('c2sWrapped'),
      s2cWrapped: session('s2cWrapped'),
      createdAt: session('createdAt'),
      expiresAt: session('expiresAt'),
      lastSeenAt: session('createdAt'),
      requiredAcr: session('requiredAcr'),
    })
    .onConflictDoNothing()
    .returning({ touched: sessions.user })
  return { 'insert-session': compile(insert) }
}

function compileTouch(queries: Queries, { sessions, devices }: Tables) {
  const write = slotsOf<WriteOf<'touch-session'>>()
  const usableDevice = queries
    .select({ id: devices.id })
    .from(devices)
    .where(and(eq(devices.id, sessions.device), isNull(devices.revokedAt)))
  const touch = queries
    .update(sessions)
    .set({ lastSeenAt: sql`${write('now')}` })
    .where(
      and(
        eq(sessions.id, write('id')),
        isNull(sessions.endedAt),
        gt(sessions.expiresAt, write('now')),
        exists(usableDevice),
      ),
    )
    .returning({ touched: sessions.user })
  return { 'touch-session': compile(touch) }
}

function compileEnd(queries: Queries, { sessions }: Tables) {
  const write = slotsOf<WriteOf<'end-session'>>()
  const end = queries
    .update(sessions)
    .set({ endedAt: sql`${write('now')}`, endReason: sql`${write('reason')}` })
    .where(
      and(
        eq(sessions.id, write('id')),
        eq(sessions.user, write('user')),
        isNull(sessions.endedAt),
        gt(sessions.expiresAt, write('now')),
      ),
    )
    .returning({ touched: sessions.user })
  return { 'end-session': compile(end) }
}
