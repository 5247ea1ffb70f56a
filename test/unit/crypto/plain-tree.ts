/** The recursive definitions of RFC 6962, section 2.1, as the reference for the tested code. */
import { createHash } from 'node:crypto'

type Bytes = Uint8Array

export function sha256(...parts: readonly Bytes[]): Bytes {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return new Uint8Array(hash.digest())
}

/** Over the hashes of leaves `begin` up to, without, `end`. */
export interface PlainTree {
  mth(begin: number, end: number): Bytes
}

function node(left: Bytes, right: Bytes): Bytes {
  return sha256(Uint8Array.of(1), left, right)
}

/** The largest power of two below n. */
function split(n: number): number {
  return n <= 2 ? 1 : 2 * split(Math.ceil(n / 2))
}

/** A tree of few leaves. */
export function plainTree(leafHashes: readonly Bytes[]): PlainTree {
  const known = new Map<string, Bytes>()
  const compute = (begin: number, end: number): Bytes => {
    const [first = sha256()] = leafHashes.slice(begin, end)
    if (end - begin <= 1) return first
    const middle = begin + split(end - begin)
    return node(mth(begin, middle), mth(middle, end))
  }
  const mth = (begin: number, end: number): Bytes => {
    const hash = known.get(`${begin}-${end}`) ?? compute(begin, end)
    known.set(`${begin}-${end}`, hash)
    return hash
  }
  return { mth }
}

/** A tree of any size whose leaves are all the same, but for one. */
export function hugeTree(
  common: Bytes,
  special: { readonly index: number; readonly hash: Bytes },
): PlainTree {
  const complete = [common]
  for (let level = 1; level < 54; level++) {
    const below = complete[level - 1] ?? common
    complete.push(node(below, below))
  }
  const mth = (begin: number, end: number): Bytes => {
    const isSpecial = special.index >= begin && special.index < end
    const size = end - begin
    if (size === 0) return sha256()
    if (size === 1) return isSpecial ? special.hash : common
    const level = Math.round(Math.log2(size))
    if (!isSpecial && 2 ** level === size) return complete[level] ?? common
    const middle = begin + split(size)
    return node(mth(begin, middle), mth(middle, end))
  }
  return { mth }
}

/** PATH(m, D[begin:end]) of the RFC, with m counted from `begin`. */
export function path(tree: PlainTree, m: number, begin: number, end: number): readonly Bytes[] {
  if (end - begin === 1) return []
  const k = split(end - begin)
  return m < k
    ? [...path(tree, m, begin, begin + k), tree.mth(begin + k, end)]
    : [...path(tree, m - k, begin + k, end), tree.mth(begin, begin + k)]
}

/** PROOF(m, D[n]) of the RFC. */
export function proof(tree: PlainTree, m: number, n: number): readonly Bytes[] {
  return m === 0 ? [] : subproof(tree, m, 0, n, true)
}

function subproof(
  tree: PlainTree,
  m: number,
  begin: number,
  end: number,
  isOlder: boolean,
): readonly Bytes[] {
  const n = end - begin
  if (m === n) return isOlder ? [] : [tree.mth(begin, end)]
  const k = split(n)
  return m <= k
    ? [...subproof(tree, m, begin, begin + k, isOlder), tree.mth(begin + k, end)]
    : [...subproof(tree, m - k, begin + k, end, false), tree.mth(begin, begin + k)]
}

/** The hashes of leaves 0, 1, … */
export function leafHashes(count: number): readonly Bytes[] {
  return Array.from({ length: count }, (_, i) => sha256(Uint8Array.of(0), Buffer.from(`entry ${i}`)))
}
