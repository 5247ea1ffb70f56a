/**
 * The nodes of which a root or a proof consists (RFC 6962, section 2.1). A plan lists the nodes to fetch; folding their
 * hashes gives the root or the proof.
 */
import { FormatError } from '../errors.ts'
import type { TreeHasher } from './merkle.ts'
import { assertTreeSize, emptyRoot, hashNode } from './merkle.ts'

/** The root of a complete subtree: leaves `index * 2^level` to `(index + 1) * 2^level - 1`. */
export interface TreeNode {
  readonly level: number
  readonly index: number
}

/** Adjacent complete subtrees, from left to right. {@link foldNodes} computes their common hash. */
export type NodeRow = readonly TreeNode[]

/** The nodes for each hash of a proof, in the order of the proof. */
export type ProofPlan = readonly NodeRow[]

/** The nodes of the root of a tree: one for each one bit of its size. @throws FormatError for an invalid size. */
export function rootPlan(size: number): NodeRow {
  assertTreeSize(size)
  return completeNodes(0, size)
}

/** PATH(index, D[size]), the leaf's sibling first. @throws FormatError when `index` is outside the tree. */
export function inclusionPlan(index: number, size: number): ProofPlan {
  assertTreeSize(size)
  if (!Number.isSafeInteger(index) || index < 0 || index >= size)
    throw new FormatError('the index is outside the tree')
  const plan: NodeRow[] = []
  let begin = 0
  let end = size
  while (end - begin > 1) {
    const middle = begin + splitOf(end - begin)
    if (index < middle) {
      plan.push(completeNodes(middle, end))
      end = middle
    } else {
      plan.push(completeNodes(begin, middle))
      begin = middle
    }
  }
  return plan.reverse()
}

/** PROOF(older, D[newer]); empty for `older` 0 or `newer`. @throws FormatError unless `0 <= older <= newer`. */
export function consistencyPlan(older: number, newer: number): ProofPlan {
  assertTreeSize(newer)
  assertTreeSize(older)
  if (older > newer) throw new FormatError('the older tree is larger')
  if (older === 0) return []
  const plan: NodeRow[] = []
  let begin = 0
  let end = newer
  while (older < end) {
    const middle = begin + splitOf(end - begin)
    if (older <= middle) {
      plan.push(completeNodes(middle, end))
      end = middle
    } else {
      plan.push(completeNodes(begin, middle))
      begin = middle
    }
  }
  // With begin 0 this is the older tree itself, whose root the verifier has.
  if (begin > 0) plan.push(completeNodes(begin, end))
  return plan.reverse()
}

/** The common hash of adjacent complete subtrees; the root of the empty tree for none. */
export function foldNodes(primitives: TreeHasher, hashes: readonly Uint8Array[]): Uint8Array {
  let folded: Uint8Array | undefined
  for (const hash of [...hashes].reverse())
    folded = folded === undefined ? hash : hashNode(primitives, hash, folded)
  return folded ?? emptyRoot(primitives)
}

/** The hashes of a proof, computed from the hashes of the nodes of its plan. */
export function foldPlan(
  primitives: TreeHasher,
  plan: ProofPlan,
  hashOf: (node: TreeNode) => Uint8Array,
): readonly Uint8Array[] {
  return plan.map((row) => foldNodes(primitives, row.map(hashOf)))
}

/** The largest complete subtrees of D[begin:end], from left to right; `begin` must be one that RFC 6962 splits at. */
function completeNodes(begin: number, end: number): NodeRow {
  const nodes: TreeNode[] = []
  for (let from = begin; from < end; ) {
    let level = 0
    let width = 1
    while (width * 2 <= end - from) {
      level++
      width *= 2
    }
    nodes.push({ level, index: from / width })
    from += width
  }
  return nodes
}

/** The largest power of two below `size`, where RFC 6962 splits a tree. */
function splitOf(size: number): number {
  let power = 1
  while (power * 2 < size) power *= 2
  return power
}
