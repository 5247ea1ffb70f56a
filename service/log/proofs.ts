/** Inclusion and consistency, made from tiles and verified (RFC 6962, section 2.1; RFC 9162, sections 2.1.3 and 2.1.4). */
import { equalBytes } from '../../crypto/bytes.ts'
import { hashNode, perfectParts, perfectRoot, TreeDamaged } from './tree.ts'

/** Gives the first `width` hashes of a tile, or `undefined` where it does not hold so many. */
export type TileSource = (level: number, index: number, width: number) => Promise<Uint8Array | undefined>

/** PATH(position, D[size]), the leaf's sibling first. @throws RangeError for a position outside. */
export async function inclusionProof(
  tiles: TileSource,
  position: number,
  size: number,
): Promise<readonly Uint8Array[]> {
  assertRange(position >= 0 && position < size)
  const path: Uint8Array[] = []
  let [begin, end] = [0, size]
  while (end - begin > 1) {
    const middle = begin + splitOf(end - begin)
    if (position < middle) {
      path.push(await rangeRoot(tiles, middle, end))
      end = middle
    } else {
      path.push(await rangeRoot(tiles, begin, middle))
      begin = middle
    }
  }
  return path.reverse()
}

/** PROOF(from, D[to]); empty where nothing is to be proved. @throws RangeError unless `0 <= from <= to`. */
export async function consistencyProof(
  tiles: TileSource,
  from: number,
  to: number,
): Promise<readonly Uint8Array[]> {
  assertRange(from >= 0 && from <= to)
  if (from === 0 || from === to) return []
  const proof: Uint8Array[] = []
  let [begin, end] = [0, to]
  while (from < end) {
    const middle = begin + splitOf(end - begin)
    if (from <= middle) {
      proof.push(await rangeRoot(tiles, middle, end))
      end = middle
    } else {
      proof.push(await rangeRoot(tiles, begin, middle))
      begin = middle
    }
  }
  if (begin > 0) proof.push(await rangeRoot(tiles, begin, end))
  return proof.reverse()
}

/** MTH(D[begin:end]), for the ranges that the splits of RFC 6962 give. */
export async function rangeRoot(tiles: TileSource, begin: number, end: number): Promise<Uint8Array> {
  let root: Uint8Array | undefined
  for (const { level, index, from, width } of [...perfectParts(begin, end)].reverse()) {
    const tile = await tiles(level, index, from + width)
    if (tile === undefined) throw new TreeDamaged(`the tile ${level}/${index} is missing, or cut off`)
    const left = perfectRoot(tile.slice(from * 32, (from + width) * 32))
    root = root === undefined ? left : hashNode(left, root)
  }
  if (root === undefined) throw new RangeError('an empty range has no root')
  return root
}

/** A tree's size and root. */
export interface TreeHead {
  readonly size: number
  /** 32 bytes. */
  readonly root: Uint8Array
}

/** Whether the proof shows that `to` is `from` with leaves added. An empty tree is the beginning of every other. */
export function isConsistent(from: TreeHead, to: TreeHead, proof: readonly Uint8Array[]): boolean {
  if (from.size > to.size) return false
  if (from.size === to.size) return proof.length === 0 && equalBytes(from.root, to.root)
  if (from.size === 0 || proof.length === 0) return from.size === 0 && proof.length === 0
  const roots = rootsOf(from.size, to.size, isPowerOfTwo(from.size) ? [from.root, ...proof] : proof)
  return roots !== undefined && equalBytes(roots[0], from.root) && equalBytes(roots[1], to.root)
}

/** The roots of both trees that a proof gives (RFC 9162, section 2.1.4.2, steps 3 to 7). */
function rootsOf(
  from: number,
  to: number,
  path: readonly Uint8Array[],
): readonly [Uint8Array, Uint8Array] | undefined {
  let [fn, sn] = [from - 1, to - 1]
  while (fn % 2 === 1) [fn, sn] = [half(fn), half(sn)]
  let roots: [Uint8Array, Uint8Array] | undefined
  for (const hash of path) {
    if (roots === undefined) {
      roots = [hash, hash]
      continue
    }
    if (sn === 0) return undefined
    if (fn % 2 === 1 || fn === sn) {
      roots = [hashNode(hash, roots[0]), hashNode(hash, roots[1])]
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [half(fn), half(sn)]
    } else {
      roots = [roots[0], hashNode(roots[1], hash)]
    }
    ;[fn, sn] = [half(fn), half(sn)]
  }
  return sn === 0 ? roots : undefined
}

/** The largest power of two below `n`. */
function splitOf(n: number): number {
  let k = 1
  while (k * 2 < n) k *= 2
  return k
}

function half(n: number): number {
  return Math.floor(n / 2)
}

function isPowerOfTwo(n: number): boolean {
  return n === splitOf(n + 1)
}

function assertRange(isWithin: boolean): void {
  if (!isWithin) throw new RangeError('outside the tree')
}
