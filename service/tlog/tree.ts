/** Extends the tree of tiles at its right edge (C2SP tlog-tiles). */
import { concatBytes, equalBytes } from 'miniseal-protocol/bytes'
import * as merkle from 'miniseal-protocol/tlog/merkle'
import { nodeInTile, tileSpot, tileWidth, widthOfTile } from 'miniseal-protocol/tlog/tiles'
import * as growth from 'miniseal-protocol/tlog/tree-growth'
import { rootPlan } from 'miniseal-protocol/tlog/tree-plan'
import { sodiumPrimitives } from '../keys/sodium-primitives.ts'
import type { GrownTile, Growth, SequenceBatch } from '../store/tlog-sequence.ts'

/** The stored tree is inconsistent, so it must not be extended. */
export class TreeDamaged extends Error {
  override readonly name = 'TreeDamaged'
}

/** The hash of a leaf's bytes (RFC 6962). */
export function hashLeaf(leaf: Uint8Array): Uint8Array {
  return merkle.hashLeaf(sodiumPrimitives, leaf)
}

/** Levels of the tree in one level of tiles. */
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
 * @throws TreeDamaged when the root of the edge is not that of the state, or a pending entry does not match its hash
 */
export function growTree({ state, edge, pending }: GrowingBatch): Pick<Growth, 'root' | 'tiles'> {
  const tree = growth.growTree(sodiumPrimitives, state.size, edgeHashes(state.size, edge))
  if (!equalBytes(tree.root(), state.root))
    throw new TreeDamaged('the root of the tiles is not that of the tree')
  const added = new Map<string, AddedHashes>()
  for (const { hash, leaf } of pending) {
    if (!equalBytes(hashLeaf(leaf), hash)) throw new TreeDamaged('a pending entry was changed')
    for (const node of tree.append(hash)) {
      if (node.level % tileHeight === 0) addHash(added, node.level / tileHeight, node.index, node.hash)
    }
  }
  return { root: tree.root(), tiles: [...added.values()].map((tile) => grownTile(state.log, edge, tile)) }
}

/** The complete subtrees at the right edge: each is in the last tile of its level. */
function edgeHashes(size: number, edge: SequenceBatch['edge']): readonly Uint8Array[] {
  return rootPlan(size).map((node) => {
    const spot = tileSpot(node)
    const hashes = findTile(edge, spot)
    const width = widthOfTile(size, spot.level, spot.index)
    if (hashes?.length !== width * merkle.treeHashLength)
      throw new TreeDamaged('a tile is missing or truncated')
    return nodeInTile(sodiumPrimitives, spot, hashes)
  })
}

interface TileName {
  readonly level: number
  readonly index: number
}

function findTile(edge: SequenceBatch['edge'], { level, index }: TileName): Uint8Array | undefined {
  return edge.find((tile) => tile.level === level && tile.index === index)?.hashes
}

/** The hashes that a batch adds to a tile. */
interface AddedHashes extends TileName {
  readonly hashes: Uint8Array[]
}

/** @param nodeIndex of the next hash of this level of tiles */
function addHash(added: Map<string, AddedHashes>, level: number, nodeIndex: number, hash: Uint8Array): void {
  const index = Math.floor(nodeIndex / tileWidth)
  const name = `${level}/${index}`
  const tile = added.get(name) ?? { level, index, hashes: [] }
  tile.hashes.push(hash)
  added.set(name, tile)
}

function grownTile(
  log: number,
  edge: SequenceBatch['edge'],
  { level, index, hashes }: AddedHashes,
): GrownTile {
  const before = findTile(edge, { level, index }) ?? new Uint8Array(0)
  const widthBefore = before.length / merkle.treeHashLength
  return { log, level, index, widthBefore, hashes: concatBytes(before, ...hashes) }
}
