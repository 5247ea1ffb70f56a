/** The keys that details are sealed with, one a person: made, found. */
import { eq, sql } from 'drizzle-orm'
import { type Compiled, compile, type Queries, slotsOf } from './compile.ts'
import type { Tables } from './tables.ts'

/** A person's key, wrapped. The person is named by a keyed tag only. */
export interface SubjectKeyRecord {
  /** 8 bytes. */
  readonly tag: Uint8Array
  readonly keyWrapped: Uint8Array
  /** UNIX seconds. */
  readonly createdAt: number
}

/** Part of `Write`; what is said there holds for these too. */
export type SubjectKeyWrite =
  /** Refused when the person has a key: the first one stands. */
  {
    readonly kind: 'insert-subject-key'
    readonly tag: Uint8Array
    readonly keyWrapped: Uint8Array
    readonly createdAt: number
  }

/** The part of a store that finds subject keys. */
export interface SubjectKeyReads {
  findSubjectKey(tag: Uint8Array): Promise<SubjectKeyRecord | undefined>
}

/** Compiles every {@link SubjectKeyWrite}. */
export function compileSubjectKeys(
  queries: Queries,
  { subjectKeys }: Tables,
): { readonly [K in SubjectKeyWrite['kind']]: Compiled } {
  const key = slotsOf<SubjectKeyRecord>()
  return {
    'insert-subject-key': compile(
      queries
        .insert(subjectKeys)
        .values({ tag: key('tag'), keyWrapped: key('keyWrapped'), createdAt: key('createdAt') })
        .onConflictDoNothing()
        .returning({ touched: subjectKeys.createdAt }),
    ),
  }
}

/** @param guard runs a read and turns the driver's errors into StoreUnavailable. */
export function prepareSubjectKeys(
  queries: Queries,
  { subjectKeys }: Tables,
  guard: <T>(read: () => Promise<T>) => Promise<T>,
): SubjectKeyReads {
  const byTag = queries
    .select()
    .from(subjectKeys)
    .where(eq(subjectKeys.tag, sql.placeholder('tag')))
    .prepare('')
  return { findSubjectKey: (tag) => guard(async () => (await byTag.execute({ tag }))[0]) }
}
