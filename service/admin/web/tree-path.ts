/** The way from a leaf to the root (RFC 9162, section 2.1.3.2), step by step, so that it can be drawn. */
import { concatBytes } from 'miniseal-protocol/bytes'
import { sha256 } from './digests.ts'

/** One step up: the two hashes that are joined, and what they give. */
export interface TreeStep {
  readonly sibling: Uint8Array
  readonly isSiblingLeft: boolean
  readonly node: Uint8Array
}

export interface TreePath {
  readonly leaf: Uint8Array
  readonly steps: readonly TreeStep[]
  readonly root: Uint8Array
}

/** `undefined` for a proof of another length than the place in the tree asks for. */
export async function climb(
  leaf: Uint8Array,
  index: number,
  size: number,
  siblings: readonly Uint8Array[],
): Promise<TreePath | undefined> {
  if (!Number.isSafeInteger(size) || !Number.isSafeInteger(index) || index < 0 || index >= size)
    return undefined
  let [node, last, hash] = [index, size - 1, leaf]
  const steps: TreeStep[] = []
  for (const sibling of siblings) {
    if (last === 0 || sibling.length !== 32) return undefined
    const isSiblingLeft = node % 2 === 1 || node === last
    hash = await joined(isSiblingLeft ? [sibling, hash] : [hash, sibling])
    steps.push({ sibling, isSiblingLeft, node: hash })
    // On the right edge, levels without a sibling are passed.
    while (isSiblingLeft && node % 2 === 0 && node !== 0) [node, last] = [node / 2, Math.floor(last / 2)]
    ;[node, last] = [Math.floor(node / 2), Math.floor(last / 2)]
  }
  return last === 0 ? { leaf, steps, root: hash } : undefined
}

async function joined([left, right]: readonly [Uint8Array, Uint8Array]): Promise<Uint8Array> {
  return await sha256(concatBytes(Uint8Array.of(1), left, right))
}
