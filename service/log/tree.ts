/**
 * The tree as tiles: how it grows at its right edge, and how parts of it are found again (RFC 6962, section 2.1; C2SP
 * tlog-tiles). Sizes go up to 2^40, so nothing here shifts: JavaScript's shifts have 32 bits.
 */
import { createHash } from 'node:crypto'
import { equalBytes } from '../../crypto/bytes.ts'
import type { Grow, GrownTile, SequenceBatch } from '../store/log-sequence.ts'

/** Hashes in a full tile, and levels of the binary tree that it spans. */
export const tileWidth = 256
const tileHeight = 8
const hashLength = 32

/** What the database has of the tree does not give its root: nothing may be built on it. */
export class TreeDamaged extends Error {
  override readonly name = 'TreeDamaged'
}

const leafPrefix = Uint8Array.of(0)
const nodePrefix = Uint8Array.of(1)

export function hashLeaf(leaf: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(leafPrefix).update(leaf).digest())
}

export function hashNode(left: Uint8Array, right: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(nodePrefix).update(left).update(right).digest())
}

/** MTH({}). */
export function emptyRoot(): Uint8Array {
  return new Uint8Array(createHash('sha256').digest())
}

/** The root of a perfect tree over 2^n hashes, given one after another. */
export function perfectRoot(hashes: Uint8Array): Uint8Array {
  let row = splitHashes(hashes)
  while (row.length > 1) {
    const below = row
    row = Array.from({ length: below.length / 2 }, (_, i) => hashNode(at(below, 2 * i), at(below, 2 * i + 1)))
  }
  return at(row, 0)
}

function splitHashes(hashes: Uint8Array): Uint8Array[] {
  return Array.from({ length: hashes.length / hashLength }, (_, i) =>
    hashes.subarray(i * hashLength, (i + 1) * hashLength),
  )
}

function at(row: readonly Uint8Array[], index: number): Uint8Array {
  const hash = row[index]
  if (hash === undefined) throw new TreeDamaged('a hash of the tree is missing')
  return hash
}

/** How many hashes the last tile of a level holds in a tree of this size; 0: it is not there, or was just filled. */
export function partialWidth(size: number, level: number): number {
  return Math.floor(size / tileWidth ** level) % tileWidth
}

/**
 * Takes leaves into the tree.
 *
 * @throws TreeDamaged when the edge does not give the root of the state, or a staged leaf does not have its hash.
 */
export const growTree: Grow = ({ state, edge, staged }) => {
  const tree = new Edge(state, edge)
  if (!equalBytes(tree.root(), state.root))
    throw new TreeDamaged('the tiles do not give the root of the tree')
  for (const { hash, leaf } of staged) {
    if (!equalBytes(hashLeaf(leaf), hash)) throw new TreeDamaged('a staged leaf was changed')
    tree.append(hash)
  }
  return { root: tree.root(), tiles: tree.changed() }
}

/** The last tile of each level, and those that were filled on the way. */
class Edge {
  readonly #log: number
  #size: number
  readonly #open: { index: number; readonly widthBefore: number; hashes: Uint8Array[] }[] = []
  readonly #full: GrownTile[] = []

  constructor({ log, size }: SequenceBatch['state'], edge: SequenceBatch['edge']) {
    this.#log = log
    this.#size = size
    for (let level = 0; tileWidth ** level <= size; level++) {
      const width = partialWidth(size, level)
      const index = Math.floor(size / tileWidth ** (level + 1))
      const hashes = edge.find((tile) => tile.level === level && tile.index === index)?.hashes
      if ((hashes?.length ?? 0) !== width * hashLength) throw new TreeDamaged('a tile is missing, or cut off')
      this.#open[level] = {
        index,
        widthBefore: width,
        hashes: hashes === undefined ? [] : splitHashes(hashes),
      }
    }
  }

  append(hash: Uint8Array): void {
    this.#size += 1
    let carried = hash
    for (let level = 0; ; level++) {
      this.#open[level] ??= { index: 0, widthBefore: 0, hashes: [] }
      const tile = this.#open[level]
      if (tile === undefined) throw new TreeDamaged('a level of the tree is missing')
      tile.hashes.push(carried)
      if (tile.hashes.length < tileWidth) return
      const { index, widthBefore, hashes } = tile
      const full = { log: this.#log, level, index, widthBefore, hashes: joined(hashes) }
      this.#full.push(full)
      this.#open[level] = { index: index + 1, widthBefore: 0, hashes: [] }
      carried = perfectRoot(full.hashes)
    }
  }

  /** Perfect trees from right to left, each one hashed with all that is right of it. */
  root(): Uint8Array {
    let root: Uint8Array | undefined
    for (const { hashes } of this.#open) {
      let end = hashes.length
      for (let part = 1; part < tileWidth; part *= 2) {
        if (Math.floor(hashes.length / part) % 2 === 0) continue
        const left = perfectRoot(joined(hashes.slice(end - part, end)))
        root = root === undefined ? left : hashNode(left, root)
        end -= part
      }
    }
    return root ?? emptyRoot()
  }

  changed(): readonly GrownTile[] {
    const open = this.#open.flatMap(({ index, widthBefore, hashes }, level) =>
      hashes.length === widthBefore
        ? []
        : [{ log: this.#log, level, index, widthBefore, hashes: joined(hashes) }],
    )
    return [...this.#full, ...open]
  }
}

function joined(hashes: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(hashes))
}

/** A perfect part of the tree: the hashes of a tile that it is the root of. */
export interface PerfectPart {
  readonly level: number
  readonly index: number
  /** In the tile. */
  readonly from: number
  readonly width: number
}

/** The perfect parts of D[begin:end], from left to right; `begin` is one that RFC 6962's splits give. */
export function perfectParts(begin: number, end: number): readonly PerfectPart[] {
  const parts: PerfectPart[] = []
  for (let from = begin; from < end; ) {
    let height = 0
    while (2 ** (height + 1) <= end - from) height++
    parts.push(partOf(height, from / 2 ** height))
    from += 2 ** height
  }
  return parts
}

function partOf(height: number, index: number): PerfectPart {
  const level = Math.floor(height / tileHeight)
  const width = 2 ** (height % tileHeight)
  const first = index * width
  return { level, index: Math.floor(first / tileWidth), from: first % tileWidth, width }
}
