/** Polls a log, for a witness behind a firewall. The consistency proof is computed from tiles (C2SP tlog-tiles). */
import { FormatError } from 'miniseal-protocol/errors'
import { decodeUtf8 } from 'miniseal-protocol/text'
import { parseCheckpointNote } from 'miniseal-protocol/tlog/checkpoint'
import { treeHashLength } from 'miniseal-protocol/tlog/merkle'
import type { HashTile } from 'miniseal-protocol/tlog/tiles'
import { nodeInTile, tilePath, tileSpot, tilesOfNodes, tileWidth } from 'miniseal-protocol/tlog/tiles'
import type { ProofPlan } from 'miniseal-protocol/tlog/tree-plan'
import { consistencyPlan, foldPlan } from 'miniseal-protocol/tlog/tree-plan'
import { sodiumPrimitives } from '../keys/sodium-primitives.ts'
import { boundedFetch } from '../tlog/bounded-fetch.ts'
import type { AddCheckpoint } from './witness.ts'

/** Milliseconds for one resource. */
const deadline = 10_000
/** Bytes: the longest note. A tile has 8192. */
const maxLength = 131_072

/** The log cannot be read. The message is short and contains nothing that the log sent. */
export class LogUnreadable extends Error {
  override readonly name = 'LogUnreadable'
}

/**
 * Reads the checkpoint and a consistency proof. Both are unverified and attacker-controlled.
 *
 * @param url the prefix of `checkpoint` and `tile/…`
 * @param seen the size of the witness's latest checkpoint
 * @throws LogUnreadable
 */
export async function readGrowth(url: string, seen: number): Promise<AddCheckpoint> {
  try {
    const get = reader(url)
    const bytes = await get('checkpoint')
    if (bytes === undefined) throw new LogUnreadable('the log has no checkpoint')
    const note = decodeUtf8(bytes)
    const { size } = parseCheckpointNote(note).checkpoint
    // The witness rejects a log that became smaller, by its old size.
    const plan = seen > size ? [] : consistencyPlan(seen, size)
    return { old: seen, proof: await fetchProof(get, plan, size), note }
  } catch (error) {
    if (error instanceof FormatError) throw new LogUnreadable('the checkpoint or a tile is malformed')
    throw error
  }
}

/** @returns `undefined` for status 404 @throws LogUnreadable */
type Get = (path: string) => Promise<Uint8Array | undefined>

function reader(url: string): Get {
  return async (path) => {
    const { status, bytes } = await boundedFetch(
      `${url.replace(/\/+$/, '')}/${path}`,
      { deadline, maxLength },
      (reason) => new LogUnreadable(reason),
    )
    if (status === 404) return undefined
    if (status !== 200) throw new LogUnreadable(`the log answered with status ${status}`)
    return bytes
  }
}

async function fetchProof(get: Get, plan: ProofPlan, size: number): Promise<readonly Uint8Array[]> {
  const nodes = plan.reduce((sum: ProofPlan[number][number][], row) => sum.concat(row), [])
  const tiles = new Map<string, Uint8Array>()
  for (const tile of tilesOfNodes(nodes, size))
    tiles.set(`${tile.level}/${tile.index}`, await fetchTile(get, tile))
  return foldPlan(sodiumPrimitives, plan, (node) => {
    const spot = tileSpot(node)
    return nodeInTile(sodiumPrimitives, spot, tiles.get(`${spot.level}/${spot.index}`) ?? new Uint8Array(0))
  })
}

/** A partial tile may be removed once the full one exists. */
async function fetchTile(get: Get, tile: HashTile): Promise<Uint8Array> {
  const length = tile.width * treeHashLength
  const bytes = (await get(tilePath(tile))) ?? (await get(tilePath({ ...tile, width: tileWidth })))
  if (bytes === undefined || bytes.length < length) throw new LogUnreadable('a tile is missing')
  return bytes.subarray(0, length)
}
