/** Reads the logs of a database: entries by name, tiles, proofs. Nothing that is read is verified here. */
import { LRUCache } from 'lru-cache'
import { LogError } from 'miniseal-protocol/errors'
import { type TreeHead, verifyConsistency } from 'miniseal-protocol/tlog/merkle'
import { nodeInTile, tileSpot, tileWidth } from 'miniseal-protocol/tlog/tiles'
import {
  consistencyPlan,
  foldNodes,
  inclusionPlan,
  type NodeRow,
  type ProofPlan,
  rootPlan,
} from 'miniseal-protocol/tlog/tree-plan'
import { sodiumPrimitives } from '../keys/sodium-primitives.ts'
import type { Store } from '../store/store.ts'
import type { LogEntry } from '../store/tlog-entries.ts'
import { globalIndexOf, indexesPerLog } from '../store/tlog-entries.ts'
import type { CheckpointRecord } from '../store/tlog-tree.ts'
import { TreeDamaged } from './tree.ts'

/** The inclusion proof of an entry. */
export interface EntryProof {
  /** The index of the entry in its log. */
  readonly index: number
  /** The size of the checkpoint. */
  readonly size: number
  /** PATH(index, D[size]) of RFC 6962, the leaf's sibling first. */
  readonly hashes: readonly Uint8Array[]
  /** The signed note with its cosignatures. */
  readonly checkpoint: string
}

/** Proofs are against checkpoints: the tree itself may be ahead of the newest one. */
export interface LogReader {
  /** The newest signed checkpoint of a log, by default the newest log; `undefined` before the first one. */
  latestCheckpoint(log?: number): Promise<CheckpointRecord | undefined>
  /** The first `width` hashes of a tile, 32 bytes each; `undefined` if it has fewer. */
  tile(log: number, level: number, index: number, width: number): Promise<Uint8Array | undefined>
  /** By the leaf's UUIDv7 (16 bytes) or its leaf hash (32 bytes). */
  entryById(idOrHash: Uint8Array): Promise<LogEntry | undefined>
  /** Against the newest checkpoint of the entry's log; `undefined` while none covers it. @throws TreeDamaged */
  inclusion(globalIndex: number): Promise<EntryProof | undefined>
  /**
   * PROOF(from, D[to]) of RFC 6962; empty for equal sizes and from 0.
   *
   * @throws FormatError unless `0 <= from <= to`; TreeDamaged when the tree is smaller
   */
  consistency(from: number, to: number, log: number): Promise<readonly Uint8Array[]>
}

/** Cached tiles: 8 KiB each, 4 MiB in total. */
const cachedTiles = 512

/** Needs the store only: no keys, no running service. */
export function createLogReader(store: Store): LogReader {
  const tile = cacheTiles(store)
  const tilesOf =
    (log: number): TileSource =>
    (level, index, width) =>
      tile(log, level, index, width)
  const latestCheckpoint: LogReader['latestCheckpoint'] = async (log) =>
    await store.findLatestCheckpoint(log ?? (await store.findLogState())?.log ?? 0)
  return {
    latestCheckpoint,
    tile,
    entryById: (idOrHash) =>
      idOrHash.length === 32 ? store.findLogEntryByHash(idOrHash) : store.findLogEntryById(idOrHash),
    async inclusion(globalIndex) {
      const [log, index] = [Math.floor(globalIndex / indexesPerLog), globalIndex % indexesPerLog]
      const latest = await latestCheckpoint(log)
      if (latest === undefined || latest.size <= index) return undefined
      const { size, note, cosignatures } = latest
      const hashes = await inclusionProof(tilesOf(log), index, size)
      return { index, size, hashes, checkpoint: note + cosignatures }
    },
    consistency: (from, to, log) => consistencyProof(tilesOf(log), from, to),
  }
}

/** The entries of a bundle (C2SP tlog-tiles): `width` leaves from `index * 256`; `undefined` if one is missing. */
export async function readBundle(
  store: Store,
  log: number,
  index: number,
  width: number,
): Promise<readonly Uint8Array[] | undefined> {
  const from = globalIndexOf(log, index * tileWidth)
  const leaves = await store.listLeaves(from, from + width, width)
  return leaves.length === width ? leaves.map(({ leaf }) => leaf) : undefined
}

/** Tiles only grow, so a cached tile stays valid; one that is too short is reread. */
function cacheTiles(store: Store): LogReader['tile'] {
  const cache = new LRUCache<string, Uint8Array>({ max: cachedTiles })
  return async (log, level, index, width) => {
    const name = `${log}/${level}/${index}`
    let hashes = cache.get(name)
    if (hashes === undefined || hashes.length < width * 32) {
      hashes = (await store.findTile(log, level, index))?.hashes
    }
    if (hashes === undefined) return undefined
    cache.set(name, hashes)
    return hashes.length < width * 32 ? undefined : hashes.slice(0, width * 32)
  }
}

// Roots and proofs: the nodes of a plan are read from tiles and folded (`crypto/tlog/tree-plan.ts`).

/** Returns the first `width` hashes of a tile; `undefined` if it has fewer. */
export type TileSource = (level: number, index: number, width: number) => Promise<Uint8Array | undefined>

/** PATH(index, D[size]) of RFC 6962. @throws FormatError unless `index < size`; TreeDamaged */
export async function inclusionProof(tiles: TileSource, index: number, size: number) {
  return await foldRows(tiles, inclusionPlan(index, size))
}

/** PROOF(from, D[to]) of RFC 6962. @throws FormatError unless `0 <= from <= to`; TreeDamaged */
export async function consistencyProof(tiles: TileSource, from: number, to: number) {
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
      throw new TreeDamaged(`the tile ${spot.level}/${spot.index} is missing or truncated`)
    hashes.push(nodeInTile(sodiumPrimitives, spot, tile))
  }
  return foldNodes(sodiumPrimitives, hashes)
}

/** Whether the proof shows that `to` extends `from`. */
export function isConsistent(from: TreeHead, to: TreeHead, proof: readonly Uint8Array[]): boolean {
  try {
    verifyConsistency(sodiumPrimitives, from, to, proof)
    return true
  } catch (error) {
    if (error instanceof LogError) return false
    throw error
  }
}
