import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FormatError } from '../../../crypto/errors.ts'
import { decodeHex, encodeAscii, encodeHex } from '../../../crypto/text.ts'
import {
  emptyRoot,
  hashLeaf,
  hashNode,
  verifyConsistency,
  verifyInclusion,
} from '../../../crypto/tlog/merkle.ts'
import { growTree } from '../../../crypto/tlog/tree-growth.ts'
import type { TreeNode } from '../../../crypto/tlog/tree-plan.ts'
import {
  consistencyPlan,
  foldNodes,
  foldPlan,
  inclusionPlan,
  rootPlan,
} from '../../../crypto/tlog/tree-plan.ts'
import { sodiumPrimitives as primitives } from '../../../service/keys/sodium-primitives.ts'
import { reasonOf } from './code-of.ts'
import { flipped } from './fixed-inputs.ts'
import { implementations } from './implementations.ts'
import type { PlainTree } from './plain-tree.ts'
import { hugeTree, leafHashes, path, plainTree, proof } from './plain-tree.ts'

const most = 70
const leaves = leafHashes(most)
const tree = plainTree(leaves)
const largest = Number.MAX_SAFE_INTEGER

/** Every index of every size. */
function pairsUpTo(largest: number): readonly (readonly [number, number])[] {
  return Array.from({ length: largest }, (_, i) => i + 1).flatMap((size) =>
    Array.from({ length: size }, (_, index) => [index, size] as const),
  )
}

/** A proof with a hash too many, and with its first or its last one missing. */
function lengthened(good: readonly Uint8Array[]): readonly (readonly Uint8Array[])[] {
  const longer = [
    [...good, leafOf(0)],
    [leafOf(0), ...good],
  ]
  return good.length === 0 ? longer : [...longer, good.slice(1), good.slice(0, -1)]
}

const nodeOf =
  (of: PlainTree) =>
  ({ level, index }: TreeNode): Uint8Array =>
    of.mth(index * 2 ** level, (index + 1) * 2 ** level)

const leafOf = (index: number): Uint8Array => tree.mth(index, index + 1)
const headOf = (size: number, of = tree) => ({ size, root: of.mth(0, size) })

describe.each(implementations)('with $name, the hashes', (each) => {
  it('hashLeaf and emptyRoot give known answers', () => {
    expect(encodeHex(emptyRoot(each))).toBe(
      'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    )
    expect(encodeHex(hashLeaf(each, new Uint8Array(0)))).toBe(
      '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
    )
    expect(encodeHex(hashLeaf(each, encodeAscii('L123456')))).toBe(
      '395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56',
    )
  })
})

it('hashNode gives the known answer of other implementations', () => {
  // The known answer is over "N123" and "N456", which hashNode refuses: its children are hashes.
  const known = primitives.sha256(Uint8Array.of(1, ...encodeAscii('N123'), ...encodeAscii('N456')))
  expect(encodeHex(known)).toBe('aa217fe888e47007fa15edab33c2b492a722cb106c64667fc2b044444de66bbb')
  const [a = known, b = known] = leaves
  expect(hashNode(primitives, a, b)).toEqual(primitives.sha256(Uint8Array.of(1, ...a, ...b)))
})

it('hashNode refuses children that are not hashes', () => {
  expect(() => hashNode(primitives, leafOf(0), new Uint8Array(31))).toThrow(FormatError)
  expect(() => hashNode(primitives, new Uint8Array(33), leafOf(0))).toThrow(FormatError)
})

describe('the tree of RFC 6962, section 2.1.3', () => {
  // Seven leaves d0 … d6, as in the picture of the RFC.
  const d = (index: number) => tree.mth(index, index + 1)
  const over = (...nodes: readonly Uint8Array[]) => nodes.reduce((a, b) => hashNode(primitives, a, b))
  const [g, h, i, j] = [over(d(0), d(1)), over(d(2), d(3)), over(d(4), d(5)), d(6)]
  const [k, l] = [over(g, h), over(i, j)]

  it('the tree of RFC 6962, section 2.1.3 has the audit paths of the RFC', () => {
    const paths = [0, 3, 4, 6].map((m) => foldPlan(primitives, inclusionPlan(m, 7), nodeOf(tree)))
    expect(paths).toEqual([
      [d(1), h, l],
      [d(2), g, l],
      [d(5), j, k],
      [i, k],
    ])
  })

  it('the tree of RFC 6962, section 2.1.3 has the consistency proofs of the RFC', () => {
    const proofs = [3, 4, 6].map((m) => foldPlan(primitives, consistencyPlan(m, 7), nodeOf(tree)))
    expect(proofs).toEqual([[d(2), d(3), g, l], [l], [i, j, k]])
  })
})

it('inclusion proofs are those of the RFC and verify, for every leaf of every tree up to 70', () => {
  for (let size = 1; size <= most; size++) {
    for (let index = 0; index < size; index++) {
      const planned = foldPlan(primitives, inclusionPlan(index, size), nodeOf(tree))
      expect(planned, `${index} of ${size}`).toEqual(path(tree, index, 0, size))
      verifyInclusion(primitives, leafOf(index), index, headOf(size), planned)
    }
  }
})

it('an inclusion proof is refused for any other leaf or index', () => {
  for (const [index, size] of pairsUpTo(24)) {
    const good = path(tree, index, 0, size)
    const judge = (leaf: number, at: number) =>
      reasonOf(() => verifyInclusion(primitives, leafOf(leaf), at, headOf(size), good))
    for (let other = 0; other < size; other++) {
      if (other === index) continue
      expect(judge(other, index)).toBe('inclusion_wrong')
      expect(judge(index, other)).toBe('inclusion_wrong')
    }
  }
})

it('an inclusion proof with a hash too many or too few is refused', () => {
  for (const [index, size] of pairsUpTo(most)) {
    for (const wrong of lengthened(path(tree, index, 0, size))) {
      const judge = () => verifyInclusion(primitives, leafOf(index), index, headOf(size), wrong)
      expect(reasonOf(judge), `${index} of ${size}`).toBe('inclusion_wrong')
    }
  }
})

it('an inclusion proof of the wrong length is refused even when the root matches', () => {
  const [a, b, x] = [leafOf(0), leafOf(1), leafOf(2)]
  const pair = hashNode(primitives, a, b)
  const judge = (size: number, root: Uint8Array, hashes: readonly Uint8Array[]) =>
    reasonOf(() => verifyInclusion(primitives, a, 0, { size, root }, hashes))
  for (const root of [pair, hashNode(primitives, b, a)]) expect(judge(1, root, [b])).toBe('inclusion_wrong')
  for (const root of [hashNode(primitives, pair, x), hashNode(primitives, x, pair)])
    expect(judge(2, root, [b, x])).toBe('inclusion_wrong')
  expect(judge(2, a, [])).toBe('inclusion_wrong')
  expect(judge(4, pair, [b])).toBe('inclusion_wrong')
})

it.each([
  ['an index behind the tree', 7, 7],
  ['a negative index', -1, 7],
  ['half an index', 0.5, 7],
  ['an empty tree', 0, 0],
  ['a size that is not safe', 0, 2 ** 53],
  ['a size that is no number', 0, Number.NaN],
])('an inclusion proof is refused with %s', (_title, index, size) => {
  const head = { size, root: tree.mth(0, 7) }
  expect(reasonOf(() => verifyInclusion(primitives, leafOf(0), index, head, path(tree, 0, 0, 7)))).toBe(
    'inclusion_wrong',
  )
})

it('an inclusion proof with a hash of another length is refused', () => {
  const good = path(tree, 2, 0, 7)
  const long = good.map((hash) => Uint8Array.of(...hash, 0))
  expect(reasonOf(() => verifyInclusion(primitives, leafOf(2), 2, headOf(7), long))).toBe('inclusion_wrong')
  expect(reasonOf(() => verifyInclusion(primitives, leafOf(2).slice(1), 2, headOf(7), good))).toBe(
    'inclusion_wrong',
  )
})

it('an inclusion proof with any bit flipped is refused', () => {
  const parts = fc.record({
    size: fc.integer({ min: 1, max: most }),
    at: fc.nat(),
    bit: fc.nat(255),
    part: fc.nat(),
  })
  fc.assert(
    fc.property(parts, ({ size, at, bit, part }) => {
      const index = at % size
      const hashes = [leafOf(index), headOf(size).root, ...path(tree, index, 0, size)]
      const changed = hashes.map((hash, i) => (i === part % hashes.length ? flipBit(hash, bit) : hash))
      const [leaf = leafOf(0), root = leaf, ...proof] = changed
      expect(reasonOf(() => verifyInclusion(primitives, leaf, index, { size, root }, proof))).toBe(
        'inclusion_wrong',
      )
    }),
    { numRuns: 300 },
  )
})

function flipBit(hash: Uint8Array, bit: number): Uint8Array {
  return flipped(hash, Math.floor(bit / 8), bit % 8)
}

it('consistency proofs are those of the RFC and verify, for every two trees up to 70', () => {
  for (let newer = 0; newer <= most; newer++) {
    for (let older = 0; older <= newer; older++) {
      const planned = foldPlan(primitives, consistencyPlan(older, newer), nodeOf(tree))
      expect(planned, `${older} to ${newer}`).toEqual(proof(tree, older, newer))
      verifyConsistency(primitives, headOf(older), headOf(newer), planned)
    }
  }
})

it('a consistency proof is refused for any other size of the older tree', () => {
  for (const [index, newer] of pairsUpTo(24)) {
    const older = index + 1
    const good = proof(tree, older, newer)
    for (let other = 1; other < newer; other++) {
      if (other === older) continue
      const judge = () => verifyConsistency(primitives, headOf(other), headOf(newer), good)
      expect(reasonOf(judge), `${other} for ${older}`).toBe('consistency_wrong')
    }
  }
})

it('a consistency proof with a hash too many or too few is refused', () => {
  for (const [older, newer] of pairsUpTo(most)) {
    for (const wrong of lengthened(proof(tree, older, newer))) {
      const judge = () => verifyConsistency(primitives, headOf(older), headOf(newer), wrong)
      expect(reasonOf(judge), `${older} to ${newer}`).toBe('consistency_wrong')
    }
  }
})

it('a consistency proof of the wrong length is refused even when the roots match', () => {
  const [a, b, x] = [leafOf(0), leafOf(1), leafOf(2)]
  const pair = hashNode(primitives, a, b)
  const judge = (size: number, root: Uint8Array, hashes: readonly Uint8Array[]) =>
    reasonOf(() => verifyConsistency(primitives, { size: 1, root: a }, { size, root }, hashes))
  expect(judge(2, hashNode(primitives, pair, x), [b, x])).toBe('consistency_wrong')
  expect(judge(4, pair, [b])).toBe('consistency_wrong')
  expect(judge(2, pair, [b])).toBeUndefined()
  const under = (size: number) => ({ size, root: hashNode(primitives, x, tree.mth(0, size)) })
  const longer = [...proof(tree, 3, 4), x]
  expect(reasonOf(() => verifyConsistency(primitives, under(3), under(4), longer))).toBe('consistency_wrong')
})

it('a consistency proof is refused when the older tree is larger, or equal in size with another root', () => {
  for (const older of [8, 7, -1, 0.5, Number.NaN, 2 ** 53]) {
    const judge = () => verifyConsistency(primitives, { size: older, root: tree.mth(0, 8) }, headOf(7), [])
    expect(reasonOf(judge), `${older}`).toBe('consistency_wrong')
  }
})

it('proofs for a tree of one leaf are refused for every other index or size', () => {
  const leaf = leafOf(0)
  const one = { size: 1, root: leaf }
  const none = { size: 0, root: emptyRoot(primitives) }
  expect(reasonOf(() => verifyInclusion(primitives, leaf, 0, one, []))).toBeUndefined()
  for (const index of [1, 2, -1, 0.5, Number.NaN])
    expect(reasonOf(() => verifyInclusion(primitives, leaf, index, one, []))).toBe('inclusion_wrong')
  expect(reasonOf(() => verifyConsistency(primitives, none, one, []))).toBeUndefined()
  for (const size of [-1, 2, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    for (const proof of [[], [leaf]]) {
      expect(reasonOf(() => verifyConsistency(primitives, { size, root: leaf }, one, proof))).toBe(
        'consistency_wrong',
      )
      expect(
        reasonOf(() => verifyConsistency(primitives, { size: 1.5, root: leaf }, { size, root: leaf }, proof)),
      ).toBe('consistency_wrong')
    }
  }
  const two = { size: 2, root: leafOf(1) }
  expect(reasonOf(() => verifyConsistency(primitives, one, two, []))).toBe('consistency_wrong')
  expect(reasonOf(() => verifyConsistency(primitives, one, two, [new Uint8Array(31)]))).toBe(
    'consistency_wrong',
  )
})

it('consistency with an empty tree requires the root of an empty tree and an empty proof', () => {
  const empty = { size: 0, root: emptyRoot(primitives) }
  verifyConsistency(primitives, empty, headOf(7), [])
  verifyConsistency(primitives, empty, empty, [])
  const judge = (root: Uint8Array, hashes: readonly Uint8Array[]) =>
    reasonOf(() => verifyConsistency(primitives, { size: 0, root }, headOf(7), hashes))
  expect(judge(empty.root, [leafOf(0)])).toBe('consistency_wrong')
  expect(judge(leafOf(0), [])).toBe('consistency_wrong')
  const other = { size: 0, root: leafOf(0) }
  for (const [older, newer] of [
    [other, other],
    [empty, other],
    [other, empty],
  ] as const)
    expect(reasonOf(() => verifyConsistency(primitives, older, newer, []))).toBe('consistency_wrong')
})

it('a consistency proof with any bit flipped is refused', () => {
  const parts = fc.record({
    newer: fc.integer({ min: 2, max: most }),
    m: fc.nat(),
    bit: fc.nat(255),
    part: fc.nat(),
  })
  fc.assert(
    fc.property(parts, ({ newer, m, bit, part }) => {
      const older = 1 + (m % (newer - 1))
      const hashes = [headOf(older).root, headOf(newer).root, ...proof(tree, older, newer)]
      const changed = hashes.map((hash, i) => (i === part % hashes.length ? flipBit(hash, bit) : hash))
      const [from = leafOf(0), to = from, ...rest] = changed
      const judge = () =>
        verifyConsistency(primitives, { size: older, root: from }, { size: newer, root: to }, rest)
      expect(reasonOf(judge)).toBe('consistency_wrong')
    }),
    { numRuns: 300 },
  )
})

describe('trees up to 2^53-1 leaves', () => {
  const size = fc.oneof(
    fc.maxSafeNat().filter((n) => n > 1),
    fc.integer({ min: 1, max: 52 }).chain((e) => fc.integer({ min: -2, max: 2 }).map((by) => 2 ** e + by)),
    fc.constant(largest),
  )
  const cases = fc.record({ size, at: fc.maxSafeNat(), special: fc.maxSafeNat() })

  it('trees up to 2^53-1 leaves have the inclusion proofs of the RFC', () => {
    fc.assert(
      fc.property(cases, ({ size: n, at, special }) => {
        const count = Math.max(n, 1)
        const index = at % count
        const huge = hugeTree(leafOf(0), { index: special % count, hash: leafOf(1) })
        const planned = foldPlan(primitives, inclusionPlan(index, count), nodeOf(huge))
        expect(planned).toEqual(path(huge, index, 0, count))
        verifyInclusion(primitives, huge.mth(index, index + 1), index, headOf(count, huge), planned)
        expect(foldNodes(primitives, rootPlan(count).map(nodeOf(huge)))).toEqual(huge.mth(0, count))
      }),
      { numRuns: 80 },
    )
  })

  it('trees up to 2^53-1 leaves have the consistency proofs of the RFC', () => {
    fc.assert(
      fc.property(cases, ({ size: n, at, special }) => {
        const newer = Math.max(n, 1)
        const older = at % (newer + 1)
        const huge = hugeTree(leafOf(0), { index: special % newer, hash: leafOf(1) })
        const planned = foldPlan(primitives, consistencyPlan(older, newer), nodeOf(huge))
        expect(planned).toEqual(proof(huge, older, newer))
        verifyConsistency(primitives, headOf(older, huge), headOf(newer, huge), planned)
      }),
      { numRuns: 80 },
    )
  })

  it('trees up to 2^53-1 leaves grow, also beyond 32 bits', () => {
    fc.assert(
      fc.property(cases, ({ size: n, special }) => {
        const from = Math.max(Math.min(n, largest - 3), 1)
        const huge = hugeTree(leafOf(0), { index: special % (from + 3), hash: leafOf(1) })
        const growth = growTree(primitives, from, rootPlan(from).map(nodeOf(huge)))
        for (let index = from; index < from + 3; index++) {
          for (const { level, index: at, hash } of growth.append(huge.mth(index, index + 1)))
            expect(hash).toEqual(nodeOf(huge)({ level, index: at }))
        }
        expect(growth.size).toBe(from + 3)
        expect(growth.root()).toEqual(huge.mth(0, from + 3))
        expect(growth.edge).toEqual(rootPlan(from + 3).map(nodeOf(huge)))
      }),
      { numRuns: 80 },
    )
  })
})

it.each([
  ['an index behind the tree', () => inclusionPlan(7, 7)],
  ['a negative index', () => inclusionPlan(-1, 7)],
  ['half an index', () => inclusionPlan(0.5, 7)],
  ['a size that is not safe', () => inclusionPlan(0, 2 ** 53)],
  ['an older tree that is larger', () => consistencyPlan(8, 7)],
  ['a negative size', () => consistencyPlan(-1, 7)],
  ['a size that is no number', () => rootPlan(Number.NaN)],
])('a plan is refused for %s', (_title, plan) => expect(plan).toThrow(FormatError))

it('a plan has at most as many nodes as the tree has levels, squared', () => {
  const nodes = inclusionPlan(0, largest).reduce((sum, row) => sum + row.length, 0)
  expect(nodes).toBeLessThanOrEqual(53 * 53)
})

it('growTree has the root of the RFC after each leaf and returns every complete node once', () => {
  const growth = growTree(primitives)
  expect(growth.root()).toEqual(emptyRoot(primitives))
  const seen = new Map<string, Uint8Array>()
  for (let index = 0; index < most; index++) {
    for (const { level, index: at, hash } of growth.append(leafOf(index))) {
      expect(seen.has(`${level}/${at}`)).toBe(false)
      seen.set(`${level}/${at}`, hash)
    }
    expect(growth.root()).toEqual(tree.mth(0, index + 1))
    expect(growth.size).toBe(index + 1)
  }
  for (const [name, hash] of seen) {
    const [level = 0, index = 0] = name.split('/').map(Number)
    expect(hash, name).toEqual(nodeOf(tree)({ level, index }))
  }
  const complete = [1, 2, 4, 8, 16, 32, 64].reduce((sum, width) => sum + Math.floor(most / width), 0)
  expect(seen.size).toBe(complete)
})

it('growTree returns a copy of its edge', () => {
  const tree = growTree(primitives)
  tree.append(leafOf(0))
  const { edge } = tree
  tree.append(leafOf(1))
  expect(edge).toEqual([leafOf(0)])
  expect(tree.edge).toHaveLength(1)
})

it('growTree resumes from any edge', () => {
  for (let size = 0; size < most; size++) {
    const growth = growTree(primitives, size, rootPlan(size).map(nodeOf(tree)))
    expect(growth.root()).toEqual(tree.mth(0, size))
    growth.append(leafOf(size))
    expect(growth.root()).toEqual(tree.mth(0, size + 1))
  }
})

it.each([
  ['an edge that is too short', () => growTree(primitives, 3, [leafOf(0)])],
  ['an edge that is too long', () => growTree(primitives, 4, [leafOf(0), leafOf(1)])],
  ['an edge of something else', () => growTree(primitives, 1, [new Uint8Array(31)])],
  ['a leaf that is no hash', () => growTree(primitives).append(decodeHex('00'))],
])('growTree refuses %s', (_title, run) => expect(run).toThrow(FormatError))
