/** An append-only tree of which only the right edge is stored (RFC 6962, section 2.1). */
import { FormatError } from '../errors.ts'
import type { TreeHasher } from './merkle.ts'
import { hashNode, treeHashLength } from './merkle.ts'
import type { TreeNode } from './tree-plan.ts'
import { foldNodes, rootPlan } from './tree-plan.ts'

/** A node that an append completed. */
export interface HashedNode extends TreeNode {
  /** 32 bytes. */
  readonly hash: Uint8Array
}

export interface TreeGrowth {
  readonly size: number
  /** The hashes of `rootPlan(size)`, from which {@link growTree} can continue. */
  readonly edge: readonly Uint8Array[]
  /**
   * Appends the hash of the next leaf, 32 bytes.
   * @returns the completed nodes: the leaf, then its completed ancestors, upwards.
   */
  append(leafHash: Uint8Array): readonly HashedNode[]
  root(): Uint8Array
}

/**
 * @param edge the hashes of `rootPlan(size)`. They are not verified: compare `root()` with a known root.
 * @throws FormatError for another number of hashes, or a hash without 32 bytes.
 */
export function growTree(primitives: TreeHasher, size = 0, edge: readonly Uint8Array[] = []): TreeGrowth {
  if (edge.length !== rootPlan(size).length || !edge.every(({ length }) => length === treeHashLength))
    throw new FormatError('invalid edge of the tree')
  const hashes = [...edge]
  let count = size
  return {
    get size() {
      return count
    },
    get edge() {
      return hashes.slice()
    },
    append(leafHash) {
      if (leafHash.length !== treeHashLength) throw new FormatError('a leaf hash must have 32 bytes')
      if (count === Number.MAX_SAFE_INTEGER) throw new FormatError('the tree is full')
      const made: HashedNode[] = [{ level: 0, index: count, hash: leafHash }]
      let hash = leafHash
      // Each trailing one bit of the size is a subtree at the edge that this leaf completes.
      for (let level = 1, rest = count; rest % 2 === 1; level++) {
        const left = hashes.pop()
        if (left === undefined) throw new FormatError('invalid edge of the tree')
        rest = Math.floor(rest / 2)
        hash = hashNode(primitives, left, hash)
        made.push({ level, index: rest, hash })
      }
      hashes.push(hash)
      count++
      return made
    },
    root: () => foldNodes(primitives, hashes),
  }
}
