/** Finding entries of the log for an auditor: a filter in words becomes a search by columns and keyed tags. */

import type { Store } from '../../store/store.ts'
import type { LogEntry } from '../../store/tlog-entries.ts'
import type { LogSearch, TimedResult } from '../../store/tlog-search.ts'
import type { BlindIndexOf } from '../../tlog/blind-index.ts'
import type { AuditFilter } from './filter.ts'

/** A page of what was found, the newest first. */
export interface FoundEntries {
  readonly entries: readonly LogEntry[]
  /** Where the next page begins; `undefined`: there is no more. */
  readonly next: number | undefined
}

/** Searches in the whole log of a database, over all its origins. */
export interface AuditSearch {
  /**
   * @param before the `next` of the page before; `undefined` for the first page
   * @param limit how many entries a page has
   */
  page(filter: AuditFilter, before: number | undefined, limit: number): Promise<FoundEntries>
  /** The times of the newest entries, for a chart. */
  times(filter: AuditFilter, limit: number): Promise<readonly TimedResult[]>
}

/** More than any place. */
const end = Number.MAX_SAFE_INTEGER

export function createAuditSearch(
  store: Pick<Store, 'searchLog' | 'listEntryTimes'>,
  blindIndexOf: BlindIndexOf,
): AuditSearch {
  return {
    async page(filter, before, limit) {
      const found = await store.searchLog(searchOf(filter, blindIndexOf), before ?? end, limit + 1)
      const entries = found.slice(0, limit)
      return { entries, next: found.length > limit ? entries.at(-1)?.globalIndex : undefined }
    },
    times: (filter, limit) => store.listEntryTimes(searchOf(filter, blindIndexOf), limit),
  }
}

/** The columns and tags that a filter asks for. */
function searchOf(filter: AuditFilter, blindIndexOf: BlindIndexOf): LogSearch {
  const { user, device, ip, path, area, ...columns } = filter
  return {
    ...columns,
    ...(user === undefined ? {} : { userBlindIndex: blindIndexOf('user', user) }),
    ...(device === undefined ? {} : { deviceBlindIndex: blindIndexOf('device', device) }),
    ...(ip === undefined ? {} : { ipBlindIndex: blindIndexOf('ip', ip) }),
    ...(path === undefined ? {} : { pathBlindIndex: blindIndexOf('path', path) }),
    ...(area === undefined ? {} : { areaBlindIndex: blindIndexOf('area', area) }),
  }
}

/** A cursor as it came, attacker-controlled: a place in decimal. `undefined` when it is none. */
export function findCursor(text: string): number | undefined {
  const globalIndex = /^(0|[1-9][0-9]{0,15})$/.test(text) ? Number(text) : Number.NaN
  return Number.isSafeInteger(globalIndex) ? globalIndex : undefined
}
