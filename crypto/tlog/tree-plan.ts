/**
 * Which nodes of a tree a root or a proof is made of (RFC 6962, section 2.1): plans first, so that whoever holds the
 * tree can fetch exactly those, and then fold them.
 */
import { FormatError } from '../errors.ts'
import type { TreeHasher } from './merkle.ts'
import { assertTreeSize, emptyRoot, hashNode } from './merkle.ts'

/** The root of a complete subtree: of the leaves `index * 2^level` up to, without, `(index + 1) * 2^level`. */
export interface TreeNode {
  readonly level: number
  readonly index: number
}

/** Complete subtrees side by side, from left to right; together one hash, see {@link foldNodes}. */
export type NodeRow = readonly TreeNode[]

/** For each hash of a proof, in its order, what it is folded from. */
export type ProofPlan = readonly NodeRow[]

/** What the root of a tree is folded from: the parts of its size in binary. @throws FormatError for no size. */
export function rootPlan(size: number): NodeRow {
  assertTreeSize(size)
  return completeNodes(0, size)
}

/** PATH(index, D[size]), the leaf's sibling first. @throws FormatError when `index` is not in the tree. */
export function inclusionPlan(index: number, size: number): ProofPlan {
  assertTreeSize(size)
  if (!Number.isSafeInteger(index) || index < 0 || index >= size)
    throw new FormatError('the index is not in the tree')
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

/** PROOF(older, D[newer]); empty where there is nothing to prove. @throws FormatError unless `0 <= older <= newer`. */
export function consistencyPlan(older: number, newer: number): ProofPlan {
  assertTreeSize(newer)
  assertTreeSize(older)
  if (older > newer) throw new FormatError('the older tree is not the smaller one')
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

/** The hash over complete subtrees side by side, given by their hashes; over none it is the empty tree's root. */
export function foldNodes(primitives: TreeHasher, hashes: readonly Uint8Array[]): Uint8Array {
  let folded: Uint8Array | undefined
  for (const hash of [...hashes].reverse())
    folded = folded === undefined ? hash : hashNode(primitives, hash, folded)
  return folded ?? emptyRoot(primitives)
}

/** The hashes of a proof, from the hashes of the nodes of its plan. */
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
