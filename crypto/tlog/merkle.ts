/**
 * The Merkle tree of the audit log, and verification of proofs (RFC 6962, section 2.1; RFC 9162, section 2.1; protocol,
 * section 12).
 *
 * ```
 * leaf = H(0x00 ‖ entry)      node = H(0x01 ‖ left ‖ right)      empty tree = H("")
 * ```
 *
 * Sizes go up to 2^53-1. Bit shifts have 32 bits in JavaScript, so nothing here shifts.
 */
import { concatBytes, equalBytes } from '../bytes.ts'
import type { LogReason } from '../errors.ts'
import { FormatError, LogError } from '../errors.ts'
import type { Primitives } from '../primitives/primitives.ts'

/** Bytes of every hash of a tree. */
export const treeHashLength = 32

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
    throw new FormatError('a tree hash must have 32 bytes')
  return primitives.sha256(concatBytes(nodePrefix, left, right))
}

/** @throws FormatError unless `size` is within 0..2^53-1. */
export function assertTreeSize(size: number): void {
  if (!Number.isSafeInteger(size) || size < 0) throw new FormatError('invalid tree size')
}

/**
 * Verifies that a leaf is at `index` of a tree (RFC 9162, section 2.1.3.2). All arguments except the tree are
 * attacker-controlled.
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
  if (!isWithin || index >= tree.size) throw new LogError('inclusion_wrong', 'the index is outside the tree')
  if (![leafHash, ...proof].every(isHash)) throw new LogError('inclusion_wrong', 'a hash is not 32 bytes')
  let root = leafHash
  walk({ node: index, last: tree.size - 1 }, proof, 'inclusion_wrong', (sibling, isLeft) => {
    root = isLeft ? hashNode(primitives, sibling, root) : hashNode(primitives, root, sibling)
  })
  if (!equalBytes(root, tree.root)) throw new LogError('inclusion_wrong', 'the proof leads to another root')
}

/**
 * Verifies that the `newer` tree is the `older` one with leaves appended (RFC 9162, section 2.1.4.2). The proof is
 * attacker-controlled. An empty tree is a prefix of every tree, with an empty proof.
 *
 * @throws LogError `consistency_wrong`, also when `older` is larger, or a tree of size 0 has a root other than H("").
 */
export function verifyConsistency(
  primitives: TreeHasher,
  older: TreeHead,
  newer: TreeHead,
  proof: readonly Uint8Array[],
): void {
  const isOrdered = Number.isSafeInteger(newer.size) && older.size >= 0 && older.size <= newer.size
  if (!isOrdered || !Number.isSafeInteger(older.size))
    throw new LogError('consistency_wrong', 'the older tree is larger')
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
    throw new LogError('consistency_wrong', 'the proof leads to other roots')
}

function assertEmptyRoot(primitives: TreeHasher, { size, root }: TreeHead): void {
  if (size === 0 && !equalBytes(root, emptyRoot(primitives)))
    throw new LogError('consistency_wrong', 'an empty tree has another root')
}

/** The roots of both trees as the proof implies them, for 0 < older < newer. */
function rootsOf(
  primitives: TreeHasher,
  older: TreeHead,
  newer: TreeHead,
  proof: readonly Uint8Array[],
): readonly [Uint8Array, Uint8Array] {
  // A tree of 2^n leaves is a node of the newer one, and the proof omits its root.
  const [first, ...siblings] = isPowerOfTwo(older.size) ? [older.root, ...proof] : proof
  if (first === undefined || proof.length === 0)
    throw new LogError('consistency_wrong', 'the proof is too short')
  const position: Position = { node: older.size - 1, last: newer.size - 1 }
  while (position.node % 2 === 1) climb(position)
  let olderRoot = first
  let newerRoot = first
  walk(position, siblings, 'consistency_wrong', (sibling, isLeft) => {
    if (isLeft) olderRoot = hashNode(primitives, sibling, olderRoot)
    newerRoot = isLeft ? hashNode(primitives, sibling, newerRoot) : hashNode(primitives, newerRoot, sibling)
  })
  return [olderRoot, newerRoot]
}

/** A node on the path to the root, and the last node of its level: `fn` and `sn` of RFC 9162. */
interface Position {
  node: number
  last: number
}

/**
 * Walks from a node to the root, one sibling a level. Levels on which the last node has no sibling are skipped.
 *
 * @throws LogError `reason` when there are too many or too few siblings.
 */
function walk(
  position: Position,
  siblings: readonly Uint8Array[],
  reason: LogReason,
  visit: (sibling: Uint8Array, isLeft: boolean) => void,
): void {
  for (const sibling of siblings) {
    if (position.last === 0) throw new LogError(reason, 'the proof is too long')
    const isLeft = position.node % 2 === 1 || position.node === position.last
    visit(sibling, isLeft)
    if (isLeft) while (position.node % 2 === 0 && position.node !== 0) climb(position)
    climb(position)
  }
  if (position.last !== 0) throw new LogError(reason, 'the proof is too short')
}

function climb(position: Position): void {
  position.node = Math.floor(position.node / 2)
  position.last = Math.floor(position.last / 2)
}

function isPowerOfTwo(size: number): boolean {
  let power = 1
  while (power < size) power *= 2
  return power === size
}

function isHash(bytes: Uint8Array): boolean {
  return bytes.length === treeHashLength
}
