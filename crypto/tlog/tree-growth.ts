/** A tree that grows at its right edge, of which nothing is kept but that edge (RFC 6962, section 2.1). */
import { FormatError } from '../errors.ts'
import type { TreeHasher } from './merkle.ts'
import { hashNode, treeHashLength } from './merkle.ts'
import type { TreeNode } from './tree-plan.ts'
import { foldNodes, rootPlan } from './tree-plan.ts'

/** A newly complete node. */
export interface HashedNode extends TreeNode {
  /** 32 bytes. */
  readonly hash: Uint8Array
}

export interface TreeGrowth {
  readonly size: number
  /** The hashes of `rootPlan(size)`: with them {@link growTree} goes on. */
  readonly edge: readonly Uint8Array[]
  /**
   * Takes the hash of the next leaf, 32 bytes.
   * @returns the nodes that are complete now: the leaf itself, then what it completes, upwards.
   */
  append(leafHash: Uint8Array): readonly HashedNode[]
  root(): Uint8Array
}

/**
 * @param edge the hashes of `rootPlan(size)`. Nobody checks them here: compare `root()` with a root that is known.
 * @throws FormatError when they are not as many as that, or one does not have 32 bytes.
 */
export function growTree(primitives: TreeHasher, size = 0, edge: readonly Uint8Array[] = []): TreeGrowth {
  if (edge.length !== rootPlan(size).length || !edge.every(({ length }) => length === treeHashLength))
    throw new FormatError('not the edge of a tree of this size')
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
      if (leafHash.length !== treeHashLength) throw new FormatError('a leaf hash has 32 bytes')
      if (count === Number.MAX_SAFE_INTEGER) throw new FormatError('the tree is full')
      const made: HashedNode[] = [{ level: 0, index: count, hash: leafHash }]
      let hash = leafHash
      // Each trailing one of the size in binary is a subtree at the edge that is completed now.
      for (let level = 1, rest = count; rest % 2 === 1; level++) {
        const left = hashes.pop()
        if (left === undefined) throw new FormatError('not the edge of a tree of this size')
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
