/** Roots and proofs from tiles: what a plan asks for is fetched, then folded (`crypto/tlog/tree-plan.ts`). */
import { LogError } from 'miniseal-protocol/errors'
import { type TreeHead, verifyConsistency } from 'miniseal-protocol/tlog/merkle'
import { nodeInTile, tileSpot } from 'miniseal-protocol/tlog/tiles'
import {
  consistencyPlan,
  foldNodes,
  inclusionPlan,
  type NodeRow,
  type ProofPlan,
  rootPlan,
} from 'miniseal-protocol/tlog/tree-plan'
import { sodiumPrimitives } from '../keys/sodium-primitives.ts'
import { TreeDamaged } from './tree.ts'

/** Gives the first `width` hashes of a tile, or `undefined` where it does not hold so many. */
export type TileSource = (level: number, index: number, width: number) => Promise<Uint8Array | undefined>

/** PATH(position, D[size]), the leaf's sibling first. @throws FormatError for a position outside; TreeDamaged */
export async function inclusionProof(
  tiles: TileSource,
  index: number,
  size: number,
): Promise<readonly Uint8Array[]> {
  return await foldRows(tiles, inclusionPlan(index, size))
}

/** PROOF(from, D[to]); empty where nothing is to be proved. @throws FormatError unless `0 <= from <= to`; TreeDamaged */
export async function consistencyProof(
  tiles: TileSource,
  from: number,
  to: number,
): Promise<readonly Uint8Array[]> {
  return await foldRows(tiles, consistencyPlan(from, to))
}

/** The root of the first `size` leaves. @throws TreeDamaged */
export async function treeRoot(tiles: TileSource, size: number): Promise<Uint8Array> {
  return await foldRow(tiles, rootPlan(size))
}

async function foldRows(tiles: TileSource, plan: ProofPlan): Promise<readonly Uint8Array[]> {
  const hashes: Uint8Array[] = []
  for (const row of plan) hashes.push(await foldRow(tiles, row))
  return hashes
}

async function foldRow(tiles: TileSource, row: NodeRow): Promise<Uint8Array> {
  const hashes: Uint8Array[] = []
  for (const node of row) {
    const spot = tileSpot(node)
    const tile = await tiles(spot.level, spot.index, spot.from + spot.count)
    if (tile === undefined)
      throw new TreeDamaged(`the tile ${spot.level}/${spot.index} is missing, or cut off`)
    hashes.push(nodeInTile(sodiumPrimitives, spot, tile))
  }
  return foldNodes(sodiumPrimitives, hashes)
}

/** Whether the proof shows that `to` is `from` with leaves added. */
export function isConsistent(from: TreeHead, to: TreeHead, proof: readonly Uint8Array[]): boolean {
  try {
    verifyConsistency(sodiumPrimitives, from, to, proof)
    return true
  } catch (error) {
    if (error instanceof LogError) return false
    throw error
  }
}
