/** Extends the tree of tiles at its right edge (C2SP tlog-tiles). */
import { concatBytes, equalBytes } from 'miniseal-protocol/bytes'
import * as merkle from 'miniseal-protocol/tlog/merkle'
import { nodeInTile, tileSpot, tileWidth, widthOfTile } from 'miniseal-protocol/tlog/tiles'
import * as growth from 'miniseal-protocol/tlog/tree-growth'
import { rootPlan } from 'miniseal-protocol/tlog/tree-plan'
import { sodiumPrimitives } from '../keys/sodium-primitives.ts'
import type { GrownTile, Growth, SequenceBatch } from '../store/tlog-sequence.ts'

/** The stored tiles do not give the stored root, so the tree must not be extended. */
export class TreeDamaged extends Error {
  override readonly name = 'TreeDamaged'
}

/** The hash of a leaf's bytes. */
export function hashLeaf(leaf: Uint8Array): Uint8Array {
  return merkle.hashLeaf(sodiumPrimitives, leaf)
}

/** The root of a tree without leaves. */
export function emptyRoot(): Uint8Array {
  return merkle.emptyRoot(sodiumPrimitives)
}

/** Levels of the tree that a level of tiles stands for. */
const tileHeight = 8

/** The parts of a batch that the tree depends on. */
export interface GrowingBatch {
  readonly state: Omit<SequenceBatch['state'], 'mac'>
  readonly edge: SequenceBatch['edge']
  readonly pending: readonly Pick<SequenceBatch['pending'][number], 'hash' | 'leaf'>[]
}

/**
 * Appends entries to the tree.
 *
 * @throws TreeDamaged when the edge does not give the root of the state, or a pending entry does not have its hash.
 */
export function growTree({ state, edge, pending }: GrowingBatch): Pick<Growth, 'root' | 'tiles'> {
  const tree = growth.growTree(sodiumPrimitives, state.size, edgeHashes(state.size, edge))
  if (!equalBytes(tree.root(), state.root))
    throw new TreeDamaged('the tiles do not give the root of the tree')
  const tiles = new GrowingTiles(state, edge)
  for (const { hash, leaf } of pending) {
    if (!equalBytes(hashLeaf(leaf), hash)) throw new TreeDamaged('a pending entry was changed')
    for (const node of tree.append(hash)) {
      if (node.level % tileHeight === 0) tiles.add(node.level / tileHeight, node.index, node.hash)
    }
  }
  return { root: tree.root(), tiles: tiles.changed() }
}

/** The complete subtrees at the right edge: each is in the last tile of its level. */
function edgeHashes(size: number, edge: SequenceBatch['edge']): readonly Uint8Array[] {
  return rootPlan(size).map((node) => {
    const spot = tileSpot(node)
    const tile = edge.find(({ level, index }) => level === spot.level && index === spot.index)
    const width = widthOfTile(size, spot.level, spot.index)
    if (tile?.hashes.length !== width * merkle.treeHashLength)
      throw new TreeDamaged('a tile is missing, or cut off')
    return nodeInTile(sodiumPrimitives, spot, tile.hashes)
  })
}

/** Tiles that change. */
class GrowingTiles {
  readonly #log: number
  readonly #edge: SequenceBatch['edge']
  readonly #added = new Map<
    string,
    { readonly level: number; readonly index: number; hashes: Uint8Array[] }
  >()

  constructor({ log }: GrowingBatch['state'], edge: SequenceBatch['edge']) {
    this.#log = log
    this.#edge = edge
  }

  /** Adds the hash at `nodeIndex` of a level of tiles, which is the next one there. */
  add(level: number, nodeIndex: number, hash: Uint8Array): void {
    const index = Math.floor(nodeIndex / tileWidth)
    const name = `${level}/${index}`
    const tile = this.#added.get(name) ?? { level, index, hashes: [] }
    tile.hashes.push(hash)
    this.#added.set(name, tile)
  }

  changed(): readonly GrownTile[] {
    return [...this.#added.values()].map(({ level, index, hashes }) => {
      const before = this.#edge.find((tile) => tile.level === level && tile.index === index)?.hashes
      const widthBefore = (before?.length ?? 0) / merkle.treeHashLength
      return {
        log: this.#log,
        level,
        index,
        widthBefore,
        hashes: concatBytes(before ?? new Uint8Array(0), ...hashes),
      }
    })
  }
}
