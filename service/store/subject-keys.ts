/** Subject keys: each encrypts the details of one person's log entries. Deleting it erases them (crypto-shredding). */
import {
  type ColumnKit,
  compile,
  compileDelete,
  compileInsert,
  type Engine,
  matching,
  readersOf,
  type WriteData,
  type WriteDefinitions,
} from './engine.ts'

export type SubjectKeyTables = ReturnType<typeof defineTables>

export function defineTables({ table, bytes, seconds }: ColumnKit) {
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
  /** Refused when the person has a key. */
  | WriteData<'insert-subject-key', { subjectIndex: Uint8Array; keyWrapped: Uint8Array; createdAt: number }>
  /**
   * Locks the key against deletion until the commit. Refused unless this is the person's key, as it is wrapped now. So the
   * other writes of the commit are sealed with an existing key, and a later erasure finds them.
   */
  | WriteData<'lock-subject-key', { subjectIndex: Uint8Array; keyWrapped: Uint8Array }>
  /** Permanent. Refused when the person has no key. */
  | WriteData<'delete-subject-key', { subjectIndex: Uint8Array }>

export function defineWrites({
  queries,
  tables: { subjectKeys },
  locks,
}: Engine<SubjectKeyTables>): WriteDefinitions<SubjectKeyWrite> {
  const isCurrent = matching(subjectKeys, 'subjectIndex', 'keyWrapped')
  const isOne = matching(subjectKeys, 'subjectIndex')
  return {
    'insert-subject-key': { bind: compileInsert(queries, subjectKeys) },
    'lock-subject-key': {
      bind: compile(
        queries.select({ createdAt: subjectKeys.createdAt }).from(subjectKeys).where(isCurrent),
        locks.keyShare,
      ),
      isShareable: true,
    },
    'delete-subject-key': { bind: compileDelete(queries, subjectKeys, isOne) },
  }
}

export interface SubjectKeyReads {
  findSubjectKey(subjectIndex: Uint8Array): Promise<SubjectKeyRecord | undefined>
}

export function prepareReads(engine: Engine<SubjectKeyTables>): SubjectKeyReads {
  const { subjectKeys } = engine.tables
  const isOne = matching(subjectKeys, 'subjectIndex')
  const select = engine.queries.select().from(subjectKeys).where(isOne)
  return { findSubjectKey: readersOf(engine).first(select, 'subjectIndex') }
}
