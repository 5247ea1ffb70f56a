/** `/log`: public checkpoints and tiles, and entry bundles for auditors (C2SP tlog-tiles). */
import type { Context } from 'hono'
import { Hono } from 'hono'
import { FormatError } from 'miniseal-protocol/errors'
import {
  type EntryBundle,
  encodeBundle,
  type HashTile,
  parseTilePath,
  widthOfTile,
} from 'miniseal-protocol/tlog/tiles'
import { uncodedProblem } from '../problems/document.ts'
import type { AuditorRole } from '../store/auditors.ts'
import type { Store } from '../store/store.ts'
import type { CheckpointRecord } from '../store/tlog-tree.ts'
import type { LogReader } from './reader.ts'
import { readBundle } from './reader.ts'

/** @returns the owner of a token; `undefined` if the token is unknown, expired or revoked */
export type VerifyAuditor = (token: string) => Promise<EntryReader | undefined>

/** An auditor who reads entries. */
export interface EntryReader {
  readonly name: string
  readonly role: AuditorRole
}

/** Logs the access of an auditor before entries are served. @throws StoreUnavailable */
export type LogEntryAccess = (c: Context, reader: EntryReader) => Promise<void>

export interface LogRoutes {
  readonly store: Store
  readonly reader: LogReader
  readonly verifyAuditor: VerifyAuditor
  readonly logEntryAccess: LogEntryAccess
}

/** Tiles are immutable; only an hour, because the next log is served under the same path. */
const tileCaching = 'public, max-age=3600, immutable'
const checkpointCaching = 'public, max-age=1'

/** The routes of the newest log under `/log`, and of each log under `/log/<number>`, from 0. */
export function logRoutes(options: LogRoutes): Hono {
  const app = new Hono()
  for (const prefix of ['/log', '/log/:log{[0-9]+}']) {
    app.get(`${prefix}/checkpoint`, (c) => serveCheckpoint(c, options))
    app.get(`${prefix}/tile/*`, (c) => serveTile(c, options))
  }
  return app
}

async function findPublished(
  c: Context,
  { store, reader }: LogRoutes,
): Promise<{ readonly log: number; readonly checkpoint: CheckpointRecord } | undefined> {
  const given = c.req.param('log')
  if (given !== undefined && !/^(?:0|[1-9][0-9]{0,3})$/.test(given)) return undefined
  const log = given === undefined ? (await store.findLogState())?.log : Number(given)
  const checkpoint = log === undefined ? undefined : await reader.latestCheckpoint(log)
  return log === undefined || checkpoint === undefined ? undefined : { log, checkpoint }
}

async function serveCheckpoint(c: Context, options: LogRoutes): Promise<Response> {
  const published = await findPublished(c, options)
  if (published === undefined) return c.notFound()
  const { note, cosignatures } = published.checkpoint
  return c.body(note + cosignatures, 200, {
    'content-type': 'text/plain; charset=utf-8',
    'cache-control': checkpointCaching,
  })
}

async function serveTile(c: Context, options: LogRoutes): Promise<Response> {
  const tile = findTile(c.req.path)
  if (tile === undefined) return c.notFound()
  if (tile.kind === 'entries') return await serveEntries(c, options, tile)
  const published = await findPublished(c, options)
  // Only what a checkpoint covers is served.
  if (published === undefined || !isWithin(tile, published.checkpoint.size)) return c.notFound()
  const hashes = await options.reader.tile(published.log, tile.level, tile.index, tile.width)
  return hashes === undefined ? c.notFound() : bytes(c, hashes, tileCaching)
}

async function serveEntries(c: Context, options: LogRoutes, bundle: EntryBundle): Promise<Response> {
  const reader = await findReader(c, options)
  if (reader === undefined) return unauthorized(c)
  const published = await findPublished(c, options)
  if (published === undefined || !isWithin(bundle, published.checkpoint.size)) return c.notFound()
  // Entries are served only after the access is logged.
  await options.logEntryAccess(c, reader)
  const leaves = await readBundle(options.store, published.log, bundle.index, bundle.width)
  return leaves === undefined ? c.notFound() : bytes(c, encodeBundle(leaves), 'private, no-store')
}

function bytes(c: Context, body: Uint8Array, caching: string): Response {
  return c.body(new Uint8Array(body), 200, {
    'content-type': 'application/octet-stream',
    'cache-control': caching,
  })
}

/** @param path attacker-controlled @returns `undefined` unless it is the path of a tile or a bundle */
function findTile(path: string): HashTile | EntryBundle | undefined {
  try {
    return parseTilePath(path.slice(path.indexOf('/tile/') + 1))
  } catch (error) {
    if (error instanceof FormatError) return undefined
    throw error
  }
}

function isWithin(tile: HashTile | EntryBundle, size: number): boolean {
  return tile.width <= widthOfTile(size, tile.kind === 'entries' ? 0 : tile.level, tile.index)
}

async function findReader(c: Context, { verifyAuditor }: LogRoutes): Promise<EntryReader | undefined> {
  const [, token] = /^Bearer ([A-Za-z0-9._~+/=-]{1,512})$/i.exec(c.req.header('authorization') ?? '') ?? []
  return token === undefined ? undefined : await verifyAuditor(token)
}

function unauthorized(c: Context): Response {
  return uncodedProblem(c, 401, 'An auditor token is required', {
    'cache-control': 'no-store',
    'www-authenticate': 'Bearer realm="audit"',
  })
}
