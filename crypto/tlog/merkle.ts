/**
 * The hash tree of the audit log, and what proofs about it must show (RFC 6962, section 2.1; RFC 9162, section 2.1;
 * protocol, section 12).
 *
 * ```
 * leaf = H(0x00 ‖ entry)      node = H(0x01 ‖ left ‖ right)      empty tree = H("")
 * ```
 *
 * Sizes go up to 2^53-1, so nothing here shifts: JavaScript's shifts have 32 bits.
 */
import { concatBytes, equalBytes } from '../bytes.ts'
import { FormatError, LogError } from '../errors.ts'
import type { Primitives } from '../primitives/primitives.ts'

/** Bytes of every hash of a tree. */
export const treeHashLength = 32

/** All that a tree needs of the primitives. */
export type TreeHasher = Pick<Primitives, 'sha256'>

/** A tree of `size` leaves, by its root. */
export interface TreeHead {
  readonly size: number
  /** 32 bytes. */
  readonly root: Uint8Array
}

const leafPrefix = Uint8Array.of(0)
const nodePrefix = Uint8Array.of(1)

/** The root of a tree without leaves: `H("")`. */
export function emptyRoot(primitives: TreeHasher): Uint8Array {
  return primitives.sha256(new Uint8Array(0))
}

/** The hash of an entry's bytes as a leaf. */
export function hashLeaf(primitives: TreeHasher, entry: Uint8Array): Uint8Array {
  return primitives.sha256(concatBytes(leafPrefix, entry))
}

/** The hash of two children. @throws FormatError when one of them does not have 32 bytes. */
export function hashNode(primitives: TreeHasher, left: Uint8Array, right: Uint8Array): Uint8Array {
  if (left.length !== treeHashLength || right.length !== treeHashLength)
    throw new FormatError('a hash of a tree has 32 bytes')
  return primitives.sha256(concatBytes(nodePrefix, left, right))
}

/** @throws FormatError unless `size` is within 0..2^53-1. */
export function assertTreeSize(size: number): void {
  if (!Number.isSafeInteger(size) || size < 0) throw new FormatError('not the size of a tree')
}

/**
 * Checks that a leaf is at `index` of a tree (RFC 9162, section 2.1.3.2). All arguments are attacker-controlled, but
 * for the tree.
 *
 * @param leafHash 32 bytes
 * @param proof the leaf's sibling first
 * @throws LogError `inclusion_wrong`
 */
export function verifyInclusion(
  primitives: TreeHasher,
  leafHash: Uint8Array,
  index: number,
  tree: TreeHead,
  proof: readonly Uint8Array[],
): void {
  const isWithin = Number.isSafeInteger(tree.size) && Number.isSafeInteger(index) && index >= 0
  if (!isWithin || index >= tree.size) throw new LogError('inclusion_wrong', 'the index is not in the tree')
  if (![leafHash, ...proof].every(isHash)) throw new LogError('inclusion_wrong', 'a hash is not 32 bytes')
  const way: Way = { node: index, last: tree.size - 1 }
  let root = leafHash
  for (const hash of proof) {
    if (way.last === 0) throw new LogError('inclusion_wrong', 'the proof is too long')
    if (isRightmost(way)) {
      root = hashNode(primitives, hash, root)
      climbLeftEdge(way)
    } else {
      root = hashNode(primitives, root, hash)
    }
    climb(way)
  }
  if (way.last !== 0) throw new LogError('inclusion_wrong', 'the proof is too short')
  if (!equalBytes(root, tree.root)) throw new LogError('inclusion_wrong', 'the proof gives another root')
}

/**
 * Checks that the `newer` tree is the `older` one with leaves added (RFC 9162, section 2.1.4.2). The proof is
 * attacker-controlled. An empty tree is the beginning of every other, and is shown by an empty proof.
 *
 * @throws LogError `consistency_wrong`, also when `older` is the larger one, or a tree of size 0 has another root than H("").
 */
export function verifyConsistency(
  primitives: TreeHasher,
  older: TreeHead,
  newer: TreeHead,
  proof: readonly Uint8Array[],
): void {
  const isOrdered = Number.isSafeInteger(newer.size) && older.size >= 0 && older.size <= newer.size
  if (!isOrdered || !Number.isSafeInteger(older.size))
    throw new LogError('consistency_wrong', 'the older tree is not the smaller one')
  for (const head of [older, newer]) assertEmptyRoot(primitives, head)
  if (older.size === 0 || older.size === newer.size) {
    if (proof.length !== 0) throw new LogError('consistency_wrong', 'the proof is too long')
    if (older.size === newer.size && !equalBytes(older.root, newer.root))
      throw new LogError('consistency_wrong', 'the roots differ')
    return
  }
  if (![older.root, ...proof].every(isHash)) throw new LogError('consistency_wrong', 'a hash is not 32 bytes')
  const [olderRoot, newerRoot] = rootsOf(primitives, older, newer, proof)
  if (!equalBytes(olderRoot, older.root) || !equalBytes(newerRoot, newer.root))
    throw new LogError('consistency_wrong', 'the proof gives other roots')
}

/** There is one empty tree. */
function assertEmptyRoot(primitives: TreeHasher, { size, root }: TreeHead): void {
  if (size === 0 && !equalBytes(root, emptyRoot(primitives)))
    throw new LogError('consistency_wrong', 'an empty tree has another root')
}

/** The roots of both trees that a proof gives, for 0 < older < newer. */
function rootsOf(
  primitives: TreeHasher,
  older: TreeHead,
  newer: TreeHead,
  proof: readonly Uint8Array[],
): readonly [Uint8Array, Uint8Array] {
  // A tree of 2^n leaves is a node of the newer one, and the proof leaves it out.
  const path = isPowerOfTwo(older.size) ? [older.root, ...proof] : proof
  const [first] = path
  if (first === undefined || proof.length === 0)
    throw new LogError('consistency_wrong', 'the proof is too short')
  const way: Way = { node: older.size - 1, last: newer.size - 1 }
  while (way.node % 2 === 1) climb(way)
  let olderRoot = first
  let newerRoot = first
  for (const hash of path.slice(1)) {
    if (way.last === 0) throw new LogError('consistency_wrong', 'the proof is too long')
    if (isRightmost(way)) {
      olderRoot = hashNode(primitives, hash, olderRoot)
      newerRoot = hashNode(primitives, hash, newerRoot)
      climbLeftEdge(way)
    } else {
      newerRoot = hashNode(primitives, newerRoot, hash)
    }
    climb(way)
  }
  if (way.last !== 0) throw new LogError('consistency_wrong', 'the proof is too short')
  return [olderRoot, newerRoot]
}

/** A node on its way to the root, and the last node of its level: `fn` and `sn` of RFC 9162. */
interface Way {
  node: number
  last: number
}

function climb(way: Way): void {
  way.node = Math.floor(way.node / 2)
  way.last = Math.floor(way.last / 2)
}

/** Whether the next sibling is on the left. */
function isRightmost({ node, last }: Way): boolean {
  return node % 2 === 1 || node === last
}

/** Past the levels on which the last node has no sibling. */
function climbLeftEdge(way: Way): void {
  while (way.node % 2 === 0 && way.node !== 0) climb(way)
}

function isPowerOfTwo(size: number): boolean {
  let power = 1
  while (power < size) power *= 2
  return power === size
}

function isHash(bytes: Uint8Array): boolean {
  return bytes.length === treeHashLength
}
