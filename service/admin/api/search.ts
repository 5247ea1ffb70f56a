/** Search filters: the same for the query string of the API and the options of commands. */
import { assertPath, canonicalPath } from 'miniseal-protocol/http-signatures/message-rules'
import { decodeBase64Url, decodeHex } from 'miniseal-protocol/text'
import type { Store } from '../../store/store.ts'
import type { LeafResult, LogEntry } from '../../store/tlog-entries.ts'
import type { LogSearch, TimedResult } from '../../store/tlog-search.ts'
import type { BlindIndexOf } from '../../tlog/blind-index.ts'

/** Filter names, in the order of the query string. */
export const filterNames = [
  'from',
  'to',
  'user',
  'device',
  'path',
  'kind',
  'result',
  'code',
  'ip',
  'receipt',
] as const

export type FilterName = (typeof filterNames)[number]

/** Attacker-controlled. An empty value counts as absent. */
export type FilterInput = Readonly<Partial<Record<FilterName, string | undefined>>>

/** Conditions on entries; absent members match everything. */
export interface AuditFilter {
  /** Milliseconds since 1970: not before. */
  readonly from?: number
  /** Milliseconds since 1970: before this. */
  readonly until?: number
  /** The pairwise subject that backends receive. */
  readonly user?: string
  /** The thumbprint of the device's key. */
  readonly device?: string
  /** The whole path without its query, `/wallet/transfers`. */
  readonly path?: string
  /** The first segment of the path, `/wallet`. */
  readonly area?: string
  readonly kind?: string
  readonly result?: LeafResult
  /** The problem code of a refusal. */
  readonly code?: string
  readonly ip?: string
  /** The 16 bytes of an entry's UUID. */
  readonly id?: Uint8Array
  /** The 32 bytes of a leaf hash: the value of `miniseal-receipt`. */
  readonly hash?: Uint8Array
}

type ParameterName = FilterName | 'before' | 'after'

/** An invalid filter or cursor. The message is for the auditor and does not quote the value. */
export class FilterError extends Error {
  readonly field: ParameterName

  constructor(field: ParameterName, message: string) {
    super(message)
    this.name = 'FilterError'
    this.field = field
  }
}

const results: readonly LeafResult[] = ['ok', 'refused', 'failed', 'unknown']

/** A parser for each filter; `undefined`: invalid. */
const parsers: { readonly [N in FilterName]: (word: string) => AuditFilter | undefined } = {
  from: (word) => optional('from', findTime(word)),
  to: (word) => optional('until', findTime(word)),
  user: (word) => matching('user', /^[\x21-\x7e]{1,128}$/, word),
  device: (word) => matching('device', /^[A-Za-z0-9_-]{43}$/, word),
  path: parsePath,
  kind: (word) => matching('kind', /^[a-z-]{1,40}$/, word),
  result: (word) =>
    optional(
      'result',
      results.find((result) => result === word),
    ),
  code: (word) => matching('code', /^[a-z0-9_]{1,60}$/, word),
  ip: (word) => matching('ip', /^[0-9a-f.:]{2,45}$/, word),
  receipt: parseReceipt,
}

const expected: { readonly [N in FilterName]: string } = {
  from: 'from takes a time like 2026-01-31T08:00:00Z, or a day like 2026-01-31 (UTC)',
  to: 'to takes a time like 2026-01-31T08:00:00Z, or a day like 2026-01-31 (UTC); it is not included',
  user: 'user takes the pairwise subject that backends receive: u_ and 24 characters',
  device: 'device takes the 43 characters of a key’s thumbprint',
  path: 'path takes a path without a query, /wallet/transfers, or a first segment, /wallet/*',
  kind: 'kind takes the kind of an entry, for example request',
  result: 'result takes ok, refused, failed or unknown',
  code: 'code takes the code of a refusal, for example replayed',
  ip: 'ip takes an address, 192.0.2.7 or 2001:db8::7',
  receipt: 'receipt takes the id of an entry (a UUID) or its leaf hash (base64url or hex)',
}

/**
 * Parses a filter.
 *
 * @throws FilterError for the first invalid value.
 */
export function parseFilter(words: FilterInput): AuditFilter {
  let filter: AuditFilter = {}
  for (const name of filterNames) {
    const word = words[name]
    if (word === undefined || word === '') continue
    const parsed = parsers[name](word)
    if (!parsed) throw new FilterError(name, expected[name])
    filter = { ...filter, ...parsed }
  }
  return filter
}

function optional<N extends keyof AuditFilter>(
  name: N,
  value: AuditFilter[N] | undefined,
): AuditFilter | undefined {
  return value === undefined ? undefined : { [name]: value }
}

function matching(name: keyof AuditFilter, pattern: RegExp, word: string): AuditFilter | undefined {
  return pattern.test(word) ? { [name]: word } : undefined
}

const moment = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2}))?$/

function findTime(word: string): number | undefined {
  const milliseconds = moment.test(word) ? Date.parse(word) : Number.NaN
  return Number.isNaN(milliseconds) ? undefined : milliseconds
}

/** `/wallet/*` matches everything below the first segment; longer prefixes are not indexed. */
function parsePath(word: string): AuditFilter | undefined {
  const isArea = word.endsWith('/*')
  const path = isArea ? word.slice(0, -2) : word
  if (path.includes('?') || !isPath(path)) return undefined
  if (!isArea) return { path: canonicalPath(path) }
  const area = canonicalPath(path)
  return /^\/[^/*]+$/.test(area) ? { area } : undefined
}

function isPath(text: string): boolean {
  try {
    assertPath(text)
    return true
  } catch {
    return false
  }
}

function parseReceipt(word: string): AuditFilter | undefined {
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(word)) {
    return { id: decodeHex(word.replaceAll('-', '')) }
  }
  if (/^[0-9a-f]{64}$/.test(word)) return { hash: decodeHex(word) }
  // Base64 as in the response field (`:…:`), or base64url as in a path.
  const digits = word
    .replace(/^:(.*):$/, '$1')
    .replace(/=$/, '')
    .replaceAll('+', '-')
    .replaceAll('/', '_')
  try {
    return digits.length === 43 ? { hash: decodeBase64Url(digits) } : undefined
  } catch {
    return undefined
  }
}

// Search: a filter becomes a query by columns and blind indexes.

/** A page of results, the newest first. */
export interface FoundEntries {
  readonly entries: readonly LogEntry[]
  /** Cursor of the next page; `undefined` on the last one. */
  readonly next: number | undefined
}

/** Searches all logs of a database. */
export interface AuditSearch {
  /**
   * @param before the `next` of the page before; `undefined` for the first page
   * @param limit how many entries a page has
   */
  page(filter: AuditFilter, before: number | undefined, limit: number): Promise<FoundEntries>
  /** The times of the newest entries, for a chart. */
  times(filter: AuditFilter, limit: number): Promise<readonly TimedResult[]>
}

/** Beyond every index. */
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

/** The columns and blind indexes of a filter. */
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

/** The cursor in the query parameter `name`: a global index in decimal. Attacker-controlled. @throws FilterError */
export function parseCursor(name: ParameterName, text: string): number {
  const globalIndex = /^(0|[1-9][0-9]{0,15})$/.test(text) ? Number(text) : Number.NaN
  if (!Number.isSafeInteger(globalIndex)) throw new FilterError(name, 'not a cursor')
  return globalIndex
}
