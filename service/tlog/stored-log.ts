/** The log as the database has it, its tiles through a bounded cache. */
import { LRUCache } from 'lru-cache'
import { tileWidth } from 'miniseal-protocol/tlog/tiles'
import type { Store } from '../store/store.ts'
import { globalIndexOf } from '../store/tlog-entries.ts'
import { consistencyProof, inclusionProof, type TileSource, treeRoot } from './proofs.ts'
import type { LogReader } from './reader.ts'

/** Tiles kept in memory: 8 KiB each, so 4 MiB. */
const cachedTiles = 512

/** The end of all logs. */
const beyond = Number.MAX_SAFE_INTEGER

/** Reads the logs of one database. Needs nothing but the store: no key, no running service. */
export function createLogReader(store: Store): LogReader {
  const tiles = cacheTiles(store)
  /** The number of the log that is meant: the one given, or the newest one. */
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

/** A tile only ever grows, so that what is kept of it stays right; one that is too short is read anew. */
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
