/**
 * Row MACs authenticate rows of the log that no checkpoint covers yet. Without them, an attacker with write access to the
 * database could add entries and the service would sign them.
 */
import { createHmac } from 'node:crypto'
import { equalBytes } from 'miniseal-protocol/bytes'
import { parseLeaf } from 'miniseal-protocol/tlog/audit-leaf'
import type { AuthenticatedPendingEntry } from '../store/tlog-entries.ts'
import type { Grow } from '../store/tlog-sequence.ts'
import type { LogState } from '../store/tlog-tree.ts'
import { growTree, TreeDamaged } from './tree.ts'

/** MACs of 32 bytes. */
export interface RowMacs {
  /** The authentication code of a pending entry with this leaf hash. */
  ofEntry(hash: Uint8Array): Uint8Array
  /** The authentication code of the state of a tree. */
  ofState(state: Omit<LogState, 'mac'>): Uint8Array
}

/** Derived from the lookup key, which is the same in every process and never changes. */
export function createRowMacs(lookupKey: Uint8Array): RowMacs {
  const key = createHmac('sha256', lookupKey).update('audit/log-seal').digest()
  const mac = (what: string, bytes: Uint8Array): Uint8Array =>
    new Uint8Array(createHmac('sha256', key).update(`${what}\n`).update(bytes).digest())
  return {
    ofEntry: (hash) => mac('leaf', hash),
    ofState: ({ log, origin, size, root }) => mac(`state\n${log}\n${origin}\n${size}`, root),
  }
}

/** Whether the service wrote this state. */
export function isAuthentic(macs: RowMacs, state: LogState): boolean {
  return state.mac !== null && equalBytes(state.mac, macs.ofState(state))
}

/**
 * Extends an authenticated tree, and authenticates the result.
 *
 * @throws TreeDamaged as {@link growTree}, and if a MAC is missing or invalid
 */
export function growAuthenticated(macs: RowMacs): Grow {
  return (batch) => {
    const { state, pending } = batch
    if (!isAuthentic(macs, state)) throw new TreeDamaged('the state of the tree was changed')
    if (!pending.every((leaf) => isWrittenByService(macs, leaf)))
      throw new TreeDamaged('a pending entry is not authentic')
    const growth = growTree(batch)
    const size = state.size + pending.length
    return { ...growth, mac: macs.ofState({ ...state, size, root: growth.root }) }
  }
}

/**
 * Whether the service, or one of its commands, appended this entry.
 *
 * A command that ends sessions or devices may have no master key, so its entry may have no MAC. Such an entry only records
 * what write access to the database allows anyway.
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
