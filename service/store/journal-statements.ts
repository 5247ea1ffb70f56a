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
  /** Whether {@link AppenderWrite} `forget-entries` would find anything. */
  hasTagged(tag: Uint8Array): Promise<boolean>
}

const blank = {
  userTag: null,
  deviceTag: null,
  ipTag: null,
  pathTag: null,
  areaTag: null,
  detail: null,
}

type Leaves = Tables['logStaged'] | Tables['logEntries']

/** Entries of a person, and those of a device that were written before anybody knew whose it is. */
function isAbout({ userTag, deviceTag }: Leaves, tag: SQL): SQL | undefined {
  return or(eq(userTag, tag), and(eq(deviceTag, tag), isNull(userTag)))
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

function compileIntents(queries: Queries, { logIntents }: Tables) {
  const put = slotsOf<IntentRecord>()
  const one = slotsOf<WriteOf<'delete-intent'>>()
  const forgotten = slotsOf<WriteOf<'forget-intents'>>()
  const touched = { touched: logIntents.startedAt }
  return {
    'put-intent': compile(
      queries
        .insert(logIntents)
        .values({
          id: put('id'),
          userTag: put('userTag'),
          draft: put('draft'),
          startedAt: put('startedAt'),
        })
        .onConflictDoNothing()
        .returning(touched),
    ),
    'delete-intent': compile(
      queries
        .delete(logIntents)
        .where(eq(logIntents.id, one('id')))
        .returning(touched),
    ),
    'forget-intents': compile(
      queries
        .update(logIntents)
        .set({ userTag: null })
        .where(eq(logIntents.userTag, forgotten('tag')))
        .returning(touched),
    ),
  }
}

function compileForgetting(queries: Queries, { logStaged, logEntries }: Tables) {
  const slot = slotsOf<WriteOf<'forget-entries'>>()
  const some = queries
    .select({ place: logEntries.place })
    .from(logEntries)
    .where(isAbout(logEntries, sql`${slot('tag')}`))
    .limit(slot('limit'))
  return {
    'forget-staged': compile(
      queries
        .update(logStaged)
        .set(blank)
        .where(isAbout(logStaged, sql`${slot('tag')}`))
        .returning({ touched: logStaged.at }),
    ),
    'forget-entries': compile(
      queries
        .update(logEntries)
        .set(blank)
        .where(sql`${logEntries.place} in ${some}`)
        .returning({ touched: logEntries.at }),
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
export function compileEndedDetails(queries: Queries, { logEntries }: Tables): PruneStep {
  const slot = slotsOf<{ before: number; limit: number }>()
  const ended = queries
    .select({ place: logEntries.place })
    .from(logEntries)
    .where(and(lt(logEntries.detailUntil, slot('before')), isNotNull(logEntries.detail)))
    .orderBy(asc(logEntries.detailUntil))
    .limit(slot('limit'))
  const prune = compile(
    queries
      .update(logEntries)
      .set(blank)
      .where(sql`${logEntries.place} in ${ended}`)
      .returning({ touched: logEntries.at }),
  )
  return (now, limit) => prune({ before: now, limit })
}

/** @param guard runs a read and turns the driver's errors into StoreUnavailable. */
export function prepareAppenderReads(
  queries: Queries,
  { logIntents, logStaged, logEntries }: Tables,
  guard: <T>(read: () => Promise<T>) => Promise<T>,
): AppenderReads {
  const { placeholder } = sql
  const intents = queries
    .select()
    .from(logIntents)
    .where(lt(logIntents.startedAt, placeholder('before')))
    .orderBy(asc(logIntents.startedAt), asc(logIntents.id))
    .limit(placeholder('limit'))
    .prepare('')
  const staged = (column: typeof logStaged.id | typeof logStaged.hash) =>
    queries
      .select()
      .from(logStaged)
      .where(eq(column, placeholder('key')))
      .prepare('')
  const [stagedById, stagedByHash] = [staged(logStaged.id), staged(logStaged.hash)]
  const tagged = queries
    .select({ place: logEntries.place })
    .from(logEntries)
    .where(isAbout(logEntries, sql`${placeholder('tag')}`))
    .limit(1)
    .prepare('')
  return {
    listIntents: (before, limit) => guard(async () => await intents.execute({ before, limit })),
    findPending: (key) =>
      guard(async () => (await (key.length === 16 ? stagedById : stagedByHash).execute({ key }))[0]),
    hasTagged: (tag) => guard(async () => (await tagged.execute({ tag })).length > 0),
  }
}
