/** The writes on the service's keys: made, started, ended. */
import { and, eq, gt, or, sql } from 'drizzle-orm'
import { compile, type Queries, slotsOf } from './compile.ts'
import type { NewServiceKey, WriteOf } from './store.ts'
import type { Tables } from './tables.ts'

/** Compiles `insert-service-key`, `start-service-key`, `end-service-key` and `cut-service-key`. */
export function compileServiceKeys(queries: Queries, tables: Tables) {
  return {
    ...compileInsert(queries, tables),
    ...compileStart(queries, tables),
    ...compileEnds(queries, tables),
  }
}

function compileInsert(queries: Queries, { serviceKeys }: Tables) {
  const key = slotsOf<NewServiceKey>()
  const insert = queries
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
    .returning({ touched: serviceKeys.kid })
  return { 'insert-service-key': compile(insert) }
}

function compileStart(queries: Queries, { serviceKeys }: Tables) {
  const started = slotsOf<WriteOf<'start-service-key'>>()
  const start = queries
    .update(serviceKeys)
    .set({ notBefore: sql`${started('notBefore')}` })
    .where(
      and(
        eq(serviceKeys.kind, started('keyKind')),
        eq(serviceKeys.kid, started('kid')),
        eq(serviceKeys.notAfter, 0),
      ),
    )
    .returning({ touched: serviceKeys.kid })
  return { 'start-service-key': compile(start) }
}

function compileEnds(queries: Queries, { serviceKeys }: Tables) {
  const ended = slotsOf<WriteOf<'end-service-key'>>()
  const cut = slotsOf<WriteOf<'cut-service-key'>>()
  const end = queries
    .update(serviceKeys)
    .set({ notAfter: sql`${ended('notAfter')}` })
    .where(
      and(
        eq(serviceKeys.kind, ended('keyKind')),
        eq(serviceKeys.kid, ended('kid')),
        eq(serviceKeys.notAfter, 0),
      ),
    )
    .returning({ touched: serviceKeys.kid })
  const cutShort = queries
    .update(serviceKeys)
    .set({ notAfter: sql`${cut('now')}` })
    .where(
      and(
        eq(serviceKeys.kind, cut('keyKind')),
        eq(serviceKeys.kid, cut('kid')),
        or(eq(serviceKeys.notAfter, 0), gt(serviceKeys.notAfter, cut('now'))),
      ),
    )
    .returning({ touched: serviceKeys.kid })
  return { 'end-service-key': compile(end), 'cut-service-key': compile(cutShort) }
}
