/** The keys that details are sealed with, one a person: made, found, held, destroyed. */
import { and, eq, sql } from 'drizzle-orm'
import { type Compiled, compile, type Queries, slotsOf } from './compile.ts'
import type { Tables } from './tables.ts'

/** A person's key, wrapped. The person is named by a keyed tag only. */
export interface SubjectKeyRecord {
  /** 16 bytes. */
  readonly subjectIndex: Uint8Array
  readonly keyWrapped: Uint8Array
  /** UNIX seconds. */
  readonly createdAt: number
}

/** Part of `Write`; what is said there holds for these too. */
export type SubjectKeyWrite =
  /** Refused when the person has a key: the first one stands. */
  | {
      readonly kind: 'insert-subject-key'
      readonly subjectIndex: Uint8Array
      readonly keyWrapped: Uint8Array
      readonly createdAt: number
    }
  /**
   * Changes nothing. Refused unless this is the person's key, as it is wrapped now; until the commit nobody destroys it.
   * So what is committed with it was sealed with a key that was there, and is found by whoever destroys the key later.
   */
  | { readonly kind: 'lock-subject-key'; readonly subjectIndex: Uint8Array; readonly keyWrapped: Uint8Array }
  /** For ever. Refused when the person has no key. */
  | { readonly kind: 'delete-subject-key'; readonly subjectIndex: Uint8Array }

/** The part of a store that finds subject keys. */
export interface SubjectKeyReads {
  findSubjectKey(subjectIndex: Uint8Array): Promise<SubjectKeyRecord | undefined>
}

/**
 * Compiles every {@link SubjectKeyWrite}.
 *
 * @param lock what a select keeps its rows with: ` for key share`, or nothing where the transaction is the lock
 */
export function compileSubjectKeys(
  queries: Queries,
  { subjectKeys }: Tables,
  lock: '' | ' for key share',
): { readonly [K in SubjectKeyWrite['kind']]: Compiled } {
  const key = slotsOf<SubjectKeyRecord>()
  const lockKey = compile(
    queries
      .select({ touched: subjectKeys.createdAt })
      .from(subjectKeys)
      .where(
        and(eq(subjectKeys.subjectIndex, key('subjectIndex')), eq(subjectKeys.keyWrapped, key('keyWrapped'))),
      ),
  )
  return {
    'insert-subject-key': compile(
      queries
        .insert(subjectKeys)
        .values({
          subjectIndex: key('subjectIndex'),
          keyWrapped: key('keyWrapped'),
          createdAt: key('createdAt'),
        })
        .onConflictDoNothing()
        .returning({ touched: subjectKeys.createdAt }),
    ),
    'lock-subject-key': (values) => {
      const { text, values: bound } = lockKey(values)
      return { text: text + lock, values: bound }
    },
    'delete-subject-key': compile(
      queries
        .delete(subjectKeys)
        .where(eq(subjectKeys.subjectIndex, key('subjectIndex')))
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
    .where(eq(subjectKeys.subjectIndex, sql.placeholder('subjectIndex')))
    .prepare('')
  return { findSubjectKey: (subjectIndex) => guard(async () => (await byTag.execute({ subjectIndex }))[0]) }
}
