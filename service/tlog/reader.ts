/** Reads the logs of a database: trees, entries, checkpoints, proofs. */

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
import { globalIndexOf } from '../store/tlog-entries.ts'
import type { CheckpointRecord, LogState } from '../store/tlog-tree.ts'
import { TreeDamaged } from './tree.ts'

/**
 * Reads sequenced entries. The tree can be ahead of the latest checkpoint: proofs for the outside must be against the size
 * of a checkpoint, never of the tree.
 *
 * `log` defaults to the newest one. Entries are returned as stored, without verification.
 */
export interface LogReader {
  /** The state of the newest log; `undefined` before the first start. */
  state(): Promise<LogState | undefined>
  /** Every log of the database, the oldest first. */
  states(): Promise<readonly LogState[]>
  /** The newest signed checkpoint; `undefined` before the first one. */
  latestCheckpoint(log?: number): Promise<CheckpointRecord | undefined>
  checkpoint(size: number, log?: number): Promise<CheckpointRecord | undefined>
  /** Checkpoints of sizes below `below`, the largest first. */
  checkpoints(below: number, limit: number, log?: number): Promise<readonly CheckpointRecord[]>
  /**
   * The first `width` hashes of a tile (256 by default), 32 bytes each; `undefined` while the tree does not fill them.
   */
  tile(level: number, index: number, width?: number, log?: number): Promise<Uint8Array | undefined>
  entry(globalIndex: number): Promise<LogEntry | undefined>
  /** By the leaf's UUIDv7 (16 bytes) or its leaf hash (32 bytes). */
  entryById(idOrHash: Uint8Array): Promise<LogEntry | undefined>
  /** At most `count` entries from a global index on, in order. */
  entries(from: number, count: number): Promise<readonly LogEntry[]>
  /**
   * PATH(position, D[size]) of RFC 6962, the leaf's sibling first.
   *
   * @throws RangeError unless `position < size`, and `size` is at most the tree's.
   */
  inclusion(index: number, size: number, log?: number): Promise<readonly Uint8Array[]>
  /**
   * PROOF(from, D[to]) of RFC 6962; empty for equal sizes and from 0.
   *
   * @throws RangeError unless `from <= to`, and `to` is at most the tree's.
   */
  consistency(from: number, to: number, log?: number): Promise<readonly Uint8Array[]>
  /** The root of the tree's first `size` leaves, 32 bytes. @throws RangeError when the tree is smaller. */
  root(size: number, log?: number): Promise<Uint8Array>
}

// Reads go to the database; tiles are cached, with a bound.

/** Cached tiles: 8 KiB each, 4 MiB in all. */
const cachedTiles = 512

/** Beyond every index. */
const beyond = Number.MAX_SAFE_INTEGER

/** Needs the store only: no keys, no running service. */
export function createLogReader(store: Store): LogReader {
  const tiles = cacheTiles(store)
  /** The given log, or the newest one. */
  const numberOf = async (log: number | undefined): Promise<number> =>
    log ?? (await store.findLogState())?.log ?? 0
  const sourceOf =
    (log: number): TileSource =>
    (level, index, width) =>
      tiles(log, level, index, width)
  const sizeOf = async (log: number): Promise<number> =>
    (await store.listLogStates()).find((state) => state.log === log)?.size ?? 0
  const within = async (size: number, log: number): Promise<void> => {
    if (size > (await sizeOf(log))) throw new RangeError('the tree is not that large')
  }
  return {
    state: () => store.findLogState(),
    states: () => store.listLogStates(),
    latestCheckpoint: async (log) => await store.findLatestCheckpoint(await numberOf(log)),
    checkpoint: async (size, log) => await store.findCheckpoint(await numberOf(log), size),
    checkpoints: async (below, limit, log) => await store.listCheckpoints(await numberOf(log), below, limit),
    tile: async (level, index, width = tileWidth, log) =>
      await tiles(await numberOf(log), level, index, width),
    entry: (globalIndex) => store.findLogEntry(globalIndex),
    entryById: (idOrHash) =>
      idOrHash.length === 32 ? store.findLogEntryByHash(idOrHash) : store.findLogEntryById(idOrHash),
    entries: (from, count) => store.listLogEntries(from, beyond, count),
    async inclusion(index, size, log) {
      const number = await numberOf(log)
      await within(size, number)
      return await inclusionProof(sourceOf(number), index, size)
    },
    async consistency(from, to, log) {
      const number = await numberOf(log)
      await within(to, number)
      return await consistencyProof(sourceOf(number), from, to)
    },
    async root(size, log) {
      const number = await numberOf(log)
      await within(size, number)
      return await treeRoot(sourceOf(number), size)
    },
  }
}

/** The leaf bytes of a bundle of a log: `width` entries from `index * 256` on; `undefined` where one is missing. */
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
function cacheTiles(
  store: Store,
): (log: number, level: number, index: number, width: number) => Promise<Uint8Array | undefined> {
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

// Roots and proofs: the nodes of a plan are fetched from tiles and folded (`crypto/tlog/tree-plan.ts`).

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
