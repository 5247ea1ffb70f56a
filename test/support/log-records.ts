/** Log entries with synthetic contents, distinguished by `seed`. */
import { createHash } from 'node:crypto'
import type { Store } from '../../service/store/store.ts'
import type { AuthenticatedPendingEntry, PendingEntry } from '../../service/store/tlog-entries.ts'
import type { Grow } from '../../service/store/tlog-sequence.ts'
import type { LogState } from '../../service/store/tlog-tree.ts'
import { createRowMacs, type RowMacs } from '../../service/tlog/row-macs.ts'
import { leafHash, plainRoot, plainTiles } from './plain-tree.ts'

/** Ids are not in seed order: only the sequencer may assign positions. */
export function pendingEntry(seed: number, changes: Partial<PendingEntry> = {}): PendingEntry {
  const leaf = new Uint8Array(Buffer.from(JSON.stringify({ k: 'request', seed })))
  return {
    id: new Uint8Array(createHash('sha256').update(`id ${seed}`).digest().subarray(0, 16)),
    hash: leafHash(leaf),
    leaf,
    at: 1_764_000_000_000 + seed,
    kind: 'request',
    result: 'ok',
    code: null,
    app: 'wxapp',
    userBlindIndex: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, seed % 256),
    deviceBlindIndex: null,
    ipBlindIndex: null,
    pathBlindIndex: null,
    areaBlindIndex: null,
    detail: Uint8Array.of(9, 9, seed % 256),
    detailExpiresAt: 1_864_000_000,
    ...changes,
  }
}

export const testOrigin = 'pay.example.com/audit/2026'

/** The seals of logs without a service. */
export const testMacs: RowMacs = createRowMacs(new Uint8Array(32).fill(5))

export function sealedPendingEntry(entry: PendingEntry): AuthenticatedPendingEntry {
  return { ...entry, mac: testMacs.ofEntry(entry.hash) }
}

export function sealedState(state: Omit<LogState, 'mac'>): LogState {
  return { ...state, mac: testMacs.ofState(state) }
}

/** An empty log 0, as no real log is: real ones begin with their first entry. */
export const emptyLog: LogState = sealedState({ log: 0, origin: testOrigin, size: 0, root: plainRoot([]) })

export async function appendPending(store: Store, ...entries: readonly PendingEntry[]): Promise<void> {
  await appendPendingAs(testMacs, store, entries)
}

/** Appends with the seals of a service. */
export async function appendPendingAs(
  macs: RowMacs,
  store: Store,
  entries: readonly PendingEntry[],
): Promise<void> {
  const result = await store.commit(
    entries.map((entry) => ({
      kind: 'insert-pending-entry',
      entry: { ...entry, mac: macs.ofEntry(entry.hash) },
    })),
  )
  if (result.kind !== 'committed') throw new Error('a leaf was refused')
}

/** A {@link Grow} that keeps every leaf and recomputes the tree each time. */
export function plainGrow(): { readonly grow: Grow; readonly hashes: Uint8Array[] } {
  const hashes: Uint8Array[] = []
  const grow: Grow = ({ state, pending }) => {
    const before = plainTiles(hashes.slice(0, state.size))
    const grown = [...hashes.slice(0, state.size), ...pending.map(({ hash }) => hash)]
    hashes.splice(0, hashes.length, ...grown)
    const tiles = [...plainTiles(hashes)].flatMap(([name, tile]) => {
      const [level = 0, index = 0] = name.split('/').map(Number)
      const widthBefore = (before.get(name)?.length ?? 0) / 32
      return widthBefore * 32 === tile.length
        ? []
        : [{ log: state.log, level, index, hashes: tile, widthBefore }]
    })
    const after = sealedState({ ...state, size: hashes.length, root: plainRoot(hashes) })
    return { root: after.root, tiles, mac: after.mac }
  }
  return { grow, hashes }
}
