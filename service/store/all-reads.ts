/** All that only looks, in one: what both engines have alike. */

import { prepareAuditors } from './auditor-statements.ts'
import type { Queries } from './compile.ts'
import { prepareEventReads } from './event-statements.ts'
import { prepareAppenderReads } from './journal-statements.ts'
import { prepareLogCheckReads } from './log-check-reads.ts'
import { prepareLogReads } from './log-reads.ts'
import { prepareLogSearch } from './log-search.ts'
import { prepareReads } from './reads.ts'
import type { Store } from './store.ts'
import { prepareSubjectKeys } from './subject-key-statements.ts'
import type { Tables } from './tables.ts'
import { prepareWrappedReads } from './wrapped-values.ts'

type Guard = <T>(read: () => Promise<T>) => Promise<T>

/**
 * Prepares every read of one engine.
 *
 * @param guard runs a read and turns the driver's errors into StoreUnavailable.
 */
export function prepareAllReads(
  queries: Queries,
  tables: Tables,
  guard: Guard,
): Omit<Store, 'commit' | 'watch' | 'sequence' | 'prune' | 'assertWritable' | 'close'> {
  return {
    ...prepareReads(queries, tables, guard),
    ...prepareWrappedReads(queries, tables, guard),
    ...prepareEventReads(queries, tables, guard),
    ...prepareLogReads(queries, tables, guard),
    ...prepareLogCheckReads(queries, tables, guard),
    ...prepareAppenderReads(queries, tables, guard),
    ...prepareLogSearch(queries, tables, guard),
    ...prepareSubjectKeys(queries, tables, guard),
    ...prepareAuditors(queries, tables, guard),
  }
}
