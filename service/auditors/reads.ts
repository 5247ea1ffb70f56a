/** What auditors read and take away is logged before they get it: what cannot be logged is not shown. */
import type { Context } from 'hono'
import { LRUCache } from 'lru-cache'
import type { LeafKind } from '../../crypto/audit-leaf.ts'
import type { FlatObject } from '../../crypto/flat-json.ts'
import type { TellEntries } from '../log/log-routes.ts'
import type { AuditFilter } from './filter.ts'
import type { AuditContext, AuditParts } from './parts.ts'

/** A live table or a follower of the log asks every few seconds, and is logged once in so many milliseconds. */
const tailPeriod = 60_000
/** Live tables, or readers of entries, that are remembered. */
const mostTails = 1_000

export interface Reads {
  /**
   * Stages a leaf that says who did what, and from which address.
   *
   * @param facts public: never of a person
   * @throws StoreUnavailable
   */
  tell(
    c: AuditContext,
    kind: Extract<LeafKind, 'audit-read' | 'audit-exported'>,
    facts: FlatObject,
  ): Promise<void>
  /** The same for the next look of a live table, of which one a minute is told. */
  tellTail(c: AuditContext, table: string, facts: FlatObject): Promise<void>
}

type ReadParts = Pick<AuditParts, 'journal' | 'sender'>

export function createReads(parts: ReadParts): Reads {
  const tellOf = createTeller(parts)
  const seldom = createSeldom()
  const tell: Reads['tell'] = async (c, kind, facts) =>
    await tellOf(c, kind, { auditor: c.get('auditor').name, by: 'pages', ...facts })
  return {
    tell,
    tellTail: async (c, table, facts) =>
      await seldom(`${c.get('auditor').name} ${table}`, () => tell(c, 'audit-read', facts)),
  }
}

/**
 * For whoever reads entries below `/log`: tells of an auditor's reading once a minute. Not of each bundle: who follows the
 * log would write into it with every look, and so have something new to read, for ever.
 */
export function createEntryReads(parts: ReadParts): TellEntries {
  const tellOf = createTeller(parts)
  const seldom = createSeldom()
  return async (c, { name }) =>
    await seldom(name, () => tellOf(c, 'audit-read', { auditor: name, by: 'tiles', what: 'entries' }))
}

type Teller = (c: Context, kind: LeafKind, facts: FlatObject) => Promise<void>

function createTeller({ journal, sender }: ReadParts): Teller {
  return async (c, kind, facts) => {
    const { ip, isForwarded } = sender(c)
    const net = { forwarded: isForwarded ? 'true' : 'false', ...(ip === undefined ? {} : { ip }) }
    const leaf = { ...journal.systemLeaf(kind, facts), groups: { net } }
    await journal.commit({ writes: [], leaves: [leaf] })
  }
}

/** Runs `tell` of a key at most once a minute, in this process; the others wait for it, and fail when it failed. */
function createSeldom(): (key: string, tell: () => Promise<void>) => Promise<void> {
  const tellings = new LRUCache<string, Promise<void>>({ max: mostTails, ttl: tailPeriod })
  return async (key, tell) => {
    const last = tellings.get(key)
    if (last !== undefined) return await last
    const telling = tell()
    tellings.set(key, telling)
    try {
      await telling
    } catch (error) {
      // What could not be told is not shown, and is told by the next one that can.
      if (tellings.get(key) === telling) tellings.delete(key)
      throw error
    }
  }
}

/** Which words a filter has, never their values: leaves say nothing about a person. */
export function filterFacts(filter: AuditFilter): FlatObject {
  const names = Object.keys(filter).sort().join(' ')
  return names === '' ? {} : { filters: names }
}
