/**
 * The tree and its entries as files (C2SP tlog-tiles; protocol, section 12).
 *
 * ```
 * tile/<level>/<index>[.p/<width>]     up to 256 hashes of 32 bytes, one after another
 * tile/entries/<index>[.p/<width>]     up to 256 entries: u16 length ‖ entry
 * ```
 *
 * Levels of tiles are 8 levels of the tree apart. A partial tile has fewer than 256 hashes, and no hash over it exists.
 */
import { byteAt, concatBytes, lengthPrefixed } from '../bytes.ts'
import { FormatError } from '../errors.ts'
import type { TreeHasher } from './merkle.ts'
import { assertTreeSize, hashNode, treeHashLength } from './merkle.ts'
import type { TreeNode } from './tree-plan.ts'

/** Hashes of a full tile; entries of a full bundle. */
export const tileWidth = 256
/** Levels of the tree that one tile spans. */
const tileHeight = 8
/** C2SP tlog-tiles. */
const highestLevel = 63

/** Hashes of one tile. */
export interface HashTile {
  readonly kind: 'hashes'
  readonly level: number
  readonly index: number
  /** 1 to 256. */
  readonly width: number
}

/** Entries of one bundle. */
export interface EntryBundle {
  readonly kind: 'entries'
  readonly index: number
  /** 1 to 256. */
  readonly width: number
}

const path = /^tile\/(entries|0|[1-9][0-9]?)\/((?:x[0-9]{3}\/)*[0-9]{3})(?:\.p\/([1-9][0-9]{0,2}))?$/
/** An upper bound for six parts of an index and a width. */
const maxPathLength = 64

/** The path of a tile or bundle, without a leading slash. @throws FormatError for an invalid level, index or width. */
export function tilePath(tile: HashTile | EntryBundle): string {
  const { index, width } = tile
  if (!Number.isSafeInteger(index) || index < 0) throw new FormatError('invalid tile index')
  if (!Number.isInteger(width) || width < 1 || width > tileWidth) throw new FormatError('invalid tile width')
  const suffix = width === tileWidth ? '' : `.p/${width}`
  return `tile/${tile.kind === 'entries' ? 'entries' : levelText(tile.level)}/${indexText(index)}${suffix}`
}

function levelText(level: number): string {
  if (!Number.isInteger(level) || level < 0 || level > highestLevel)
    throw new FormatError('invalid tile level')
  return `${level}`
}

/** 1234067 is `x001/x234/067`. */
function indexText(index: number): string {
  let text = `${index % 1000}`.padStart(3, '0')
  for (let rest = Math.floor(index / 1000); rest > 0; rest = Math.floor(rest / 1000))
    text = `x${`${rest % 1000}`.padStart(3, '0')}/${text}`
  return text
}

/** Parses an attacker-controlled path. @throws FormatError unless {@link tilePath} would write it. */
export function parseTilePath(text: string): HashTile | EntryBundle {
  if (text.length > maxPathLength) throw new FormatError('invalid tile path')
  const [, level = '', digits = '', partial = `${tileWidth}`] = path.exec(text) ?? []
  const index = Number(digits.replace(/[x/]/g, ''))
  const width = Number(partial)
  const tile: HashTile | EntryBundle =
    level === 'entries'
      ? { kind: 'entries', index, width }
      : { kind: 'hashes', level: Number(level), index, width }
  if (tilePath(tile) !== text) throw new FormatError('invalid tile path')
  return tile
}

/** The number of hashes of a tile in a tree of this size; 0 when the tree has no such tile. */
export function widthOfTile(size: number, level: number, index: number): number {
  assertTreeSize(size)
  const hashes = hashesAt(size, level)
  return Math.max(0, Math.min(tileWidth, hashes - index * tileWidth))
}

/** The number of hashes of all tiles of a level. */
function hashesAt(size: number, level: number): number {
  let hashes = size
  for (let below = 0; below < level && hashes > 0; below++) hashes = Math.floor(hashes / tileWidth)
  return hashes
}

/** The tiles of one level. */
export interface TileLevel {
  readonly level: number
  /** The number of full tiles; their indexes are less than this. */
  readonly full: number
  /** The width of the partial tile; 0 when there is none. */
  readonly partial: number
}

/** The levels of tiles of a tree of this size. Bundles correspond to level 0. */
export function tileLevels(size: number): readonly TileLevel[] {
  assertTreeSize(size)
  const levels: TileLevel[] = []
  for (let hashes = size, level = 0; hashes > 0; level++) {
    const full = Math.floor(hashes / tileWidth)
    levels.push({ level, full, partial: hashes % tileWidth })
    hashes = full
  }
  return levels
}

/** The location of a tree node: the root over `count` hashes of a tile, starting at hash `from`. */
export interface TileSpot {
  readonly level: number
  readonly index: number
  readonly from: number
  /** A power of two, 1 to 128. */
  readonly count: number
}

export function tileSpot(node: TreeNode): TileSpot {
  const count = 1 << (node.level % tileHeight)
  const first = node.index * count
  return {
    level: Math.floor(node.level / tileHeight),
    index: Math.floor(first / tileWidth),
    from: first % tileWidth,
    count,
  }
}

/** The tiles that contain these nodes, without duplicates, with their widths in a tree of this size. */
export function tilesOfNodes(nodes: readonly TreeNode[], size: number): readonly HashTile[] {
  const tiles = new Map<string, HashTile>()
  for (const node of nodes) {
    const { level, index } = tileSpot(node)
    tiles.set(`${level}/${index}`, { kind: 'hashes', level, index, width: widthOfTile(size, level, index) })
  }
  return [...tiles.values()]
}

/** The hash of a node, from the bytes of its tile. @throws FormatError when the tile is too short. */
export function nodeInTile(primitives: TreeHasher, { from, count }: TileSpot, tile: Uint8Array): Uint8Array {
  if (tile.length < (from + count) * treeHashLength) throw new FormatError('the tile is too short')
  const rootOver = (first: number, hashes: number): Uint8Array => {
    if (hashes === 1) return tile.slice(first * treeHashLength, (first + 1) * treeHashLength)
    const half = hashes / 2
    return hashNode(primitives, rootOver(first, half), rootOver(first + half, half))
  }
  return rootOver(from, count)
}

/** Encodes a bundle of 1 to 256 entries. @throws FormatError for another number, or an entry over 65535 bytes. */
export function encodeBundle(entries: readonly Uint8Array[]): Uint8Array {
  if (entries.length < 1 || entries.length > tileWidth) throw new FormatError('invalid bundle width')
  return concatBytes(...entries.map(lengthPrefixed))
}

/** Parses an attacker-controlled bundle. Entries are views. @throws FormatError unless it has exactly `width` entries. */
export function parseBundle(bytes: Uint8Array, width: number): readonly Uint8Array[] {
  const entries: Uint8Array[] = []
  for (let at = 0; at < bytes.length; ) {
    if (entries.length === width) throw new FormatError('too many entries in the bundle')
    const begin = at + 2
    at = begin + byteAt(bytes, at) * 256 + byteAt(bytes, at + 1)
    if (at > bytes.length) throw new FormatError('an entry is truncated')
    entries.push(bytes.subarray(begin, at))
  }
  if (entries.length !== width) throw new FormatError('too few entries in the bundle')
  return entries
}
