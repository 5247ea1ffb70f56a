/**
 * Follows a log by polling, for a witness behind a firewall. The consistency proof is computed from the log's tiles (C2SP
 * tlog-tiles).
 */
import { FormatError } from 'miniseal-protocol/errors'
import { decodeUtf8 } from 'miniseal-protocol/text'
import { parseCheckpointNote } from 'miniseal-protocol/tlog/checkpoint'
import { treeHashLength } from 'miniseal-protocol/tlog/merkle'
import type { HashTile } from 'miniseal-protocol/tlog/tiles'
import { nodeInTile, tilePath, tileSpot, tilesOfNodes, tileWidth } from 'miniseal-protocol/tlog/tiles'
import type { ProofPlan } from 'miniseal-protocol/tlog/tree-plan'
import { consistencyPlan, foldPlan } from 'miniseal-protocol/tlog/tree-plan'
import { Agent, request } from 'undici'
import { sodiumPrimitives } from '../keys/sodium-primitives.ts'
import type { AddCheckpoint } from './witness.ts'

/** Milliseconds for one resource. */
const deadline = 10_000
/** Bytes: the longest note. A tile has 8192. */
const maxAnswerLength = 131_072

/** The log cannot be read. The message is short and contains nothing that the log sent. */
export class LogUnreadable extends Error {
  override readonly name = 'LogUnreadable'
}

/**
 * Reads the checkpoint and a consistency proof from the latest one seen. Unverified and attacker-controlled.
 *
 * @param url of the log, under which `checkpoint` and `tile/…` are
 * @param seen the size of the checkpoint that the witness saw last
 * @throws LogUnreadable
 */
export async function readGrowth(url: string, seen: number): Promise<AddCheckpoint> {
  const agent = new Agent({
    connections: 4,
    maxResponseSize: maxAnswerLength,
    connect: { timeout: deadline },
  })
  try {
    const get = reader(url, agent)
    const bytes = await get('checkpoint')
    if (bytes === undefined) throw new LogUnreadable('the log has no checkpoint')
    const note = decodeUtf8(bytes)
    const { size } = parseCheckpointNote(note).checkpoint
    // A log that became smaller is for the witness to judge, by the old size.
    const plan = seen > size ? [] : consistencyPlan(seen, size)
    return { old: seen, proof: await fetchProof(get, plan, size), note }
  } catch (error) {
    if (error instanceof FormatError) throw new LogUnreadable('the log does not keep to its form')
    throw error
  } finally {
    await agent.destroy()
  }
}

/** `undefined` for what is not there. */
type Get = (path: string) => Promise<Uint8Array | undefined>

function reader(url: string, agent: Agent): Get {
  return async (path) => {
    const { status, bytes } = await fetchBytes(`${url.replace(/\/+$/, '')}/${path}`, agent)
    if (status === 404) return undefined
    if (status !== 200) throw new LogUnreadable(`the log answers with status ${status}`)
    return bytes
  }
}

async function fetchBytes(url: string, agent: Agent): Promise<{ status: number; bytes: Uint8Array }> {
  try {
    const response = await request(url, { dispatcher: agent, signal: AbortSignal.timeout(deadline) })
    return { status: response.statusCode, bytes: new Uint8Array(await response.body.arrayBuffer()) }
  } catch {
    throw new LogUnreadable('the log does not answer')
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

/** A partial tile may be gone once it is full. */
async function fetchTile(get: Get, tile: HashTile): Promise<Uint8Array> {
  const length = tile.width * treeHashLength
  const bytes = (await get(tilePath(tile))) ?? (await get(tilePath({ ...tile, width: tileWidth })))
  if (bytes === undefined || bytes.length < length) throw new LogUnreadable('a tile of the log is missing')
  return bytes.subarray(0, length)
}
