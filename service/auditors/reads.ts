/** What auditors read and take away is logged before they get it: what cannot be logged is not shown. */
import type { LeafKind } from '../../crypto/audit-leaf.ts'
import type { FlatObject } from '../../crypto/flat-json.ts'
import type { AuditFilter } from './filter.ts'
import type { AuditContext, AuditParts } from './parts.ts'

/** A live table asks every few seconds, and is logged once in so many milliseconds. */
const tailPeriod = 60_000
/** Live tables that are remembered. */
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

export function createReads({ journal, sender }: Pick<AuditParts, 'journal' | 'sender'>): Reads {
  const tails = new Map<string, number>()
  const tell: Reads['tell'] = async (c, kind, facts) => {
    const { name } = c.get('auditor')
    const { ip, isForwarded } = sender(c)
    const net = { forwarded: isForwarded ? 'true' : 'false', ...(ip === undefined ? {} : { ip }) }
    const leaf = { ...journal.systemLeaf(kind, { auditor: name, by: 'pages', ...facts }), groups: { net } }
    await journal.commit({ writes: [], leaves: [leaf] })
  }
  return {
    tell,
    async tellTail(c, table, facts) {
      const key = `${c.get('auditor').name} ${table}`
      const toldAt = tails.get(key)
      if (toldAt !== undefined && performance.now() - toldAt < tailPeriod) return
      await tell(c, 'audit-read', facts)
      const [oldest] = tails.keys()
      if (tails.size >= mostTails && oldest !== undefined) tails.delete(oldest)
      tails.delete(key)
      tails.set(key, performance.now())
    },
  }
}

/** Which words a filter has, never their values: leaves say nothing about a person. */
export function filterFacts(filter: AuditFilter): FlatObject {
  const names = Object.keys(filter).sort().join(' ')
  return names === '' ? {} : { filters: names }
}
