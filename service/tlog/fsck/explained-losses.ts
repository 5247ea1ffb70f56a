/** Losses that the log itself admits: a database was put back, and the log that was started then cites what is gone. */
import { equalBytes } from 'miniseal-protocol/bytes'
import { decodeBase64 } from 'miniseal-protocol/text'
import type { Store } from '../../store/store.ts'
import { globalIndexOf } from '../../store/tlog-entries.ts'
import type { ClaimedTree } from './check-database.ts'

/** A tree that was signed and is not here any more. */
export interface ExplainedLoss {
  readonly origin: string
  /** Entries that were signed. */
  readonly signed: number
  /** Entries of this log that are in the database. */
  readonly here: number
  /** The log whose first entry says so. */
  readonly successor: string
}

interface Cited {
  readonly size: number
  readonly root: Uint8Array
  readonly successor: string
}

/**
 * Parts what is claimed into what must be in the database, and what a later log cites as its past. A claim of exactly the
 * tree that is cited is explained by it, and one of our own that is smaller; everything else stays to be found. The first
 * entry of the later log is checked with that log.
 *
 * @param own from the anchor and from earlier checks of this machine
 * @param given checkpoints of witnesses and auditors
 * @throws StoreUnavailable
 */
export async function explainLosses(
  store: Pick<Store, 'listLogStates' | 'listLogEntries'>,
  { own, given }: { readonly own: readonly ClaimedTree[]; readonly given: readonly ClaimedTree[] },
): Promise<{ readonly claimed: readonly ClaimedTree[]; readonly losses: readonly ExplainedLoss[] }> {
  const states = await store.listLogStates()
  const sizes = new Map(states.map(({ origin, size }) => [origin, size]))
  const cited = new Map<string, Cited>()
  for (const { log, origin } of states) {
    const [first] = await store.listLogEntries(globalIndexOf(log, 0), globalIndexOf(log, 1), 1)
    const citation = first === undefined ? undefined : citationOf(first.leaf)
    if (citation !== undefined) cited.set(citation.origin, { ...citation, successor: origin })
  }
  const losses = new Map<string, ExplainedLoss>()
  const isLeft = ({ origin, size, root }: ClaimedTree, isOwn: boolean): boolean => {
    const here = sizes.get(origin) ?? 0
    const past = cited.get(origin)
    if (past === undefined || size <= here || size > past.size) return true
    if (size === past.size ? !equalBytes(root, past.root) : !isOwn) return true
    losses.set(origin, { origin, signed: past.size, here, successor: past.successor })
    return false
  }
  const left = [
    ...own.filter((claim) => isLeft(claim, true)),
    ...given.filter((claim) => isLeft(claim, false)),
  ]
  return { claimed: left, losses: [...losses.values()] }
}

/** What the first leaf of a log says of the one before. It is checked elsewhere: here it may be anything. */
function citationOf(leaf: Uint8Array) {
  try {
    const { x } = JSON.parse(new TextDecoder().decode(leaf)) as { x?: Record<string, unknown> }
    const { previous_origin: origin, previous_size: size, previous_root: root } = x ?? {}
    if (typeof origin !== 'string' || typeof size !== 'number' || typeof root !== 'string') return undefined
    return { origin, size, root: decodeBase64(root) }
  } catch {
    return undefined
  }
}
