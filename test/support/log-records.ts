/** Leaves with made-up contents; `seed` tells them apart. */
import { createHash } from 'node:crypto'
import type { LogState, StagedLeaf } from '../../service/store/log-records.ts'
import type { Grow } from '../../service/store/log-sequence.ts'
import type { Store } from '../../service/store/store.ts'
import { leafHash, plainRoot, plainTiles } from './plain-tree.ts'

/** Ids do not follow the seeds: positions must come from nowhere but the sequencer. */
export function stagedLeaf(seed: number, changes: Partial<StagedLeaf> = {}): StagedLeaf {
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
    userTag: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, seed % 256),
    deviceTag: null,
    ipTag: null,
    pathTag: null,
    areaTag: null,
    detail: Uint8Array.of(9, 9, seed % 256),
    detailUntil: 1_864_000_000,
    ...changes,
  }
}

export const testOrigin = 'pay.example.com/audit/2026'

/** An empty log 0, as no real log is: real ones begin with their first entry. */
export const emptyLog: LogState = { log: 0, origin: testOrigin, size: 0, root: plainRoot([]) }

export async function stage(store: Store, ...entries: readonly StagedLeaf[]): Promise<void> {
  const result = await store.commit(entries.map((entry) => ({ kind: 'stage-leaf', entry })))
  if (result.kind !== 'committed') throw new Error('a leaf was refused')
}

/** A {@link Grow} that remembers every leaf itself and builds the tree anew each time. */
export function plainGrow(): { readonly grow: Grow; readonly hashes: Uint8Array[] } {
  const hashes: Uint8Array[] = []
  const grow: Grow = ({ state, staged }) => {
    const before = plainTiles(hashes.slice(0, state.size))
    const grown = [...hashes.slice(0, state.size), ...staged.map(({ hash }) => hash)]
    hashes.splice(0, hashes.length, ...grown)
    const tiles = [...plainTiles(hashes)].flatMap(([name, tile]) => {
      const [level = 0, index = 0] = name.split('/').map(Number)
      const widthBefore = (before.get(name)?.length ?? 0) / 32
      return widthBefore * 32 === tile.length
        ? []
        : [{ log: state.log, level, index, hashes: tile, widthBefore }]
    })
    return { root: plainRoot(hashes), tiles }
  }
  return { grow, hashes }
}
