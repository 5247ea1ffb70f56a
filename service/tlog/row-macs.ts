/**
 * Seals: what the service itself has written into the log's tables, told from what somebody else put there.
 *
 * Between a leaf's commit and the first checkpoint over it no signature covers it. Whoever may write the database, and
 * has no key of the service, could add leaves there, and have the service sign them.
 */
import { createHmac } from 'node:crypto'
import { equalBytes } from 'miniseal-protocol/bytes'
import { parseLeaf } from 'miniseal-protocol/tlog/audit-leaf'
import type { AuthenticatedPendingEntry } from '../store/tlog-entries.ts'
import type { Grow } from '../store/tlog-sequence.ts'
import type { LogState } from '../store/tlog-tree.ts'
import { growTree, TreeDamaged } from './tree.ts'

/** Makes macs: 32 bytes each. */
export interface RowMacs {
  /** Of a leaf that waits for its place. */
  ofEntry(hash: Uint8Array): Uint8Array
  /** Of a tree as far as it is sequenced. */
  ofState(state: Omit<LogState, 'mac'>): Uint8Array
}

/** They are made from the lookup key, which every process has and which never changes. */
export function createRowMacs(lookupKey: Uint8Array): RowMacs {
  const key = createHmac('sha256', lookupKey).update('audit/log-seal').digest()
  const mac = (what: string, bytes: Uint8Array): Uint8Array =>
    new Uint8Array(createHmac('sha256', key).update(`${what}\n`).update(bytes).digest())
  return {
    ofEntry: (hash) => mac('leaf', hash),
    ofState: ({ log, origin, size, root }) => mac(`state\n${log}\n${origin}\n${size}`, root),
  }
}

/** Whether the service has written this state. */
export function isAuthentic(macs: RowMacs, state: LogState): boolean {
  return state.mac !== null && equalBytes(state.mac, macs.ofState(state))
}

/**
 * Takes leaves into the tree that the service has sealed, and macs the tree that they give.
 *
 * @throws TreeDamaged as {@link growTree}, and where a seal is missing or wrong
 */
export function growAuthenticated(macs: RowMacs): Grow {
  return (batch) => {
    const { state, pending } = batch
    if (!isAuthentic(macs, state)) throw new TreeDamaged('the state of the tree was changed')
    if (!pending.every((leaf) => isWrittenByService(macs, leaf)))
      throw new TreeDamaged('a staged leaf is not ours')
    const growth = growTree(batch)
    const size = state.size + pending.length
    return { ...growth, mac: macs.ofState({ ...state, size, root: growth.root }) }
  }
}

/**
 * Whether the service, or one of its commands, has put this leaf where it waits for its place.
 *
 * A command that ends sessions or devices may have no master key, and so no seal. It does nothing that whoever may write
 * the database cannot do, and its leaf says no more than that.
 */
export function isWrittenByService(
  macs: RowMacs,
  { hash, leaf, mac }: Pick<AuthenticatedPendingEntry, 'hash' | 'leaf' | 'mac'>,
): boolean {
  if (mac !== null) return equalBytes(mac, macs.ofEntry(hash))
  try {
    const { kind, facts } = parseLeaf(leaf)
    return kind === 'session-ended' && facts?.by === 'operator'
  } catch {
    return false
  }
}
