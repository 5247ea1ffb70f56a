/** The journal's statements: intents put and taken, leaves found by tag and forgotten, details past their time. */
import { and, asc, eq, isNotNull, isNull, lt, or, type SQL, sql } from 'drizzle-orm'
import { type Compiled, compile, type Queries, slotsOf } from './compile.ts'
import type { AppenderWrite } from './journal-writes.ts'
import type { IntentRecord, PendingEntry } from './log-records.ts'
import type { WriteOf } from './store.ts'
import type { Tables } from './tables.ts'
import type { PruneStep } from './upkeep-statements.ts'

/** The part of a store that looks at intents, at what is staged, and at what is left of a person. */
export interface AppenderReads {
  /** Those that began before `startedBefore` (UNIX seconds), the oldest first. */
  listIntents(startedBefore: number, limit: number): Promise<readonly IntentRecord[]>
  /** A leaf that has no place yet, by its UUIDv7 (16 bytes) or its hash (32 bytes). */
  findPending(idOrHash: Uint8Array): Promise<PendingEntry | undefined>
  /** Whether {@link AppenderWrite} `redact-entries` would find anything. */
  hasEntriesWith(blindIndex: Uint8Array): Promise<boolean>
}

const blank = {
  userBlindIndex: null,
  deviceBlindIndex: null,
  ipBlindIndex: null,
  pathBlindIndex: null,
  areaBlindIndex: null,
  detail: null,
}

type Leaves = Tables['tlogPending'] | Tables['tlogEntries']

/** Entries of a person, and those of a device that were written before anybody knew whose it is. */
function isAbout({ userBlindIndex, deviceBlindIndex }: Leaves, blindIndex: SQL): SQL | undefined {
  return or(eq(userBlindIndex, blindIndex), and(eq(deviceBlindIndex, blindIndex), isNull(userBlindIndex)))
}

/** Compiles every {@link AppenderWrite}. */
export function compileAppender(
  queries: Queries,
  tables: Tables,
): { readonly [K in AppenderWrite['kind']]: Compiled } {
  return {
    ...compileIntents(queries, tables),
    ...compileForgetting(queries, tables),
    ...compileBlanking(queries, tables),
  }
}

function compileIntents(queries: Queries, { tlogIntents }: Tables) {
  const put = slotsOf<IntentRecord>()
  const one = slotsOf<WriteOf<'delete-intent'>>()
  const forgotten = slotsOf<WriteOf<'redact-intents'>>()
  const touched = { touched: tlogIntents.startedAt }
  return {
    'insert-intent': compile(
      queries
        .insert(tlogIntents)
        .values({
          id: put('id'),
          userBlindIndex: put('userBlindIndex'),
          draft: put('draft'),
          startedAt: put('startedAt'),
        })
        .onConflictDoNothing()
        .returning(touched),
    ),
    'delete-intent': compile(
      queries
        .delete(tlogIntents)
        .where(eq(tlogIntents.id, one('id')))
        .returning(touched),
    ),
    'redact-intents': compile(
      queries
        .update(tlogIntents)
        .set({ userBlindIndex: null })
        .where(eq(tlogIntents.userBlindIndex, forgotten('blindIndex')))
        .returning(touched),
    ),
  }
}

function compileForgetting(queries: Queries, { tlogPending, tlogEntries }: Tables) {
  const slot = slotsOf<WriteOf<'redact-entries'>>()
  const some = queries
    .select({ globalIndex: tlogEntries.globalIndex })
    .from(tlogEntries)
    .where(isAbout(tlogEntries, sql`${slot('blindIndex')}`))
    .limit(slot('limit'))
  return {
    'redact-pending-entries': compile(
      queries
        .update(tlogPending)
        .set(blank)
        .where(isAbout(tlogPending, sql`${slot('blindIndex')}`))
        .returning({ touched: tlogPending.at }),
    ),
    'redact-entries': compile(
      queries
        .update(tlogEntries)
        .set(blank)
        .where(sql`${tlogEntries.globalIndex} in ${some}`)
        .returning({ touched: tlogEntries.at }),
    ),
  }
}

function compileBlanking(queries: Queries, { users, devices }: Tables) {
  const user = slotsOf<WriteOf<'blank-user'>>()
  const named = slotsOf<WriteOf<'forget-device-names'>>()
  const nothing = sql`${new Uint8Array(0)}`
  return {
    'blank-user': compile(
      queries
        .update(users)
        .set({ openidWrapped: nothing, sessionKeyWrapped: nothing, updatedAt: sql`${user('now')}` })
        .where(eq(users.id, user('id')))
        .returning({ touched: users.id }),
    ),
    'forget-device-names': compile(
      queries
        .update(devices)
        .set({ name: null, platform: null })
        .where(eq(devices.user, named('user')))
        .returning({ touched: devices.id }),
    ),
  }
}

/** Details whose time is over: they go with what the entry is found by. The leaf stays. */
export function compileEndedDetails(queries: Queries, { tlogEntries }: Tables): PruneStep {
  const slot = slotsOf<{ before: number; limit: number }>()
  const ended = queries
    .select({ globalIndex: tlogEntries.globalIndex })
    .from(tlogEntries)
    .where(and(lt(tlogEntries.detailExpiresAt, slot('before')), isNotNull(tlogEntries.detail)))
    .orderBy(asc(tlogEntries.detailExpiresAt))
    .limit(slot('limit'))
  const prune = compile(
    queries
      .update(tlogEntries)
      .set(blank)
      .where(sql`${tlogEntries.globalIndex} in ${ended}`)
      .returning({ touched: tlogEntries.at }),
  )
  return (now, limit) => prune({ before: now, limit })
}

/** @param guard runs a read and turns the driver's errors into StoreUnavailable. */
export function prepareAppenderReads(
  queries: Queries,
  { tlogIntents, tlogPending, tlogEntries }: Tables,
  guard: <T>(read: () => Promise<T>) => Promise<T>,
): AppenderReads {
  const { placeholder } = sql
  const intents = queries
    .select()
    .from(tlogIntents)
    .where(lt(tlogIntents.startedAt, placeholder('before')))
    .orderBy(asc(tlogIntents.startedAt), asc(tlogIntents.id))
    .limit(placeholder('limit'))
    .prepare('')
  const staged = (column: typeof tlogPending.id | typeof tlogPending.hash) =>
    queries
      .select()
      .from(tlogPending)
      .where(eq(column, placeholder('key')))
      .prepare('')
  const [stagedById, stagedByHash] = [staged(tlogPending.id), staged(tlogPending.hash)]
  const tagged = queries
    .select({ globalIndex: tlogEntries.globalIndex })
    .from(tlogEntries)
    .where(isAbout(tlogEntries, sql`${placeholder('blindIndex')}`))
    .limit(1)
    .prepare('')
  return {
    listIntents: (before, limit) => guard(async () => await intents.execute({ before, limit })),
    findPending: (key) =>
      guard(async () => (await (key.length === 16 ? stagedById : stagedByHash).execute({ key }))[0]),
    hasEntriesWith: (blindIndex) => guard(async () => (await tagged.execute({ blindIndex })).length > 0),
  }
}
