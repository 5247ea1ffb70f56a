/** Subject keys: one for each person, which encrypts the details of their log entries. Deleting it shreds them. */
import { and, eq, sql } from 'drizzle-orm'
import {
  type ColumnKit,
  compile,
  type Engine,
  prepareRead,
  rowSlots,
  slotsOf,
  type WriteData,
  type WriteDefinitions,
} from './engine.ts'

export type SubjectKeyTables = ReturnType<typeof defineSubjectKeys>

export function defineSubjectKeys({ table, bytes, seconds }: ColumnKit) {
  const subjectKeys = table('subject_keys', {
    /** Blind index of the person: 16 bytes. */
    subjectIndex: bytes('subject_index').primaryKey(),
    keyWrapped: bytes('key_wrapped').notNull(),
    createdAt: seconds('created_at').notNull(),
  })
  return { subjectKeys }
}

export type SubjectKeyRecord = Readonly<SubjectKeyTables['subjectKeys']['$inferSelect']>

export type SubjectKeyWrite =
  /** Refused when the person has a key: the first one stays. */
  | WriteData<'insert-subject-key', { subjectIndex: Uint8Array; keyWrapped: Uint8Array; createdAt: number }>
  /**
   * Changes nothing. Refused unless this is the person's key, as it is wrapped now; nobody can delete the key until the
   * commit. So whatever is committed with it was sealed with an existing key, and is found by a later erasure.
   */
  | WriteData<'lock-subject-key', { subjectIndex: Uint8Array; keyWrapped: Uint8Array }>
  /** Permanent. Refused when the person has no key. */
  | WriteData<'delete-subject-key', { subjectIndex: Uint8Array }>

export function defineSubjectKeyWrites({
  queries,
  tables: { subjectKeys },
  locks,
}: Engine<SubjectKeyTables>): WriteDefinitions<SubjectKeyWrite> {
  const slot = slotsOf<SubjectKeyRecord>()
  const touched = { touched: subjectKeys.createdAt }
  const isOne = eq(subjectKeys.subjectIndex, slot('subjectIndex'))
  return {
    'insert-subject-key': {
      bind: compile(
        queries.insert(subjectKeys).values(rowSlots(subjectKeys)).onConflictDoNothing().returning(touched),
      ),
    },
    'lock-subject-key': {
      bind: compile(
        queries
          .select(touched)
          .from(subjectKeys)
          .where(and(isOne, eq(subjectKeys.keyWrapped, slot('keyWrapped')))),
        locks.keyShare,
      ),
      isShareable: true,
    },
    'delete-subject-key': { bind: compile(queries.delete(subjectKeys).where(isOne).returning(touched)) },
  }
}

export interface SubjectKeyReads {
  findSubjectKey(subjectIndex: Uint8Array): Promise<SubjectKeyRecord | undefined>
}

export function prepareSubjectKeyReads(engine: Engine<SubjectKeyTables>): SubjectKeyReads {
  const { subjectKeys } = engine.tables
  const rows = prepareRead(
    engine,
    engine.queries
      .select()
      .from(subjectKeys)
      .where(eq(subjectKeys.subjectIndex, sql.placeholder('subjectIndex'))),
  )
  return { findSubjectKey: async (subjectIndex) => (await rows({ subjectIndex }))[0] }
}
