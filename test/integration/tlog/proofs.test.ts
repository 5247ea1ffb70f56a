/** Trees grown in pieces, and the proofs made from their tiles, against RFC 6962 word for word. */
import { expect, it } from 'vitest'
import { FormatError } from '../../../crypto/errors.ts'
import { emptyRoot, hashNode as hashNodeWith } from '../../../crypto/tlog/merkle.ts'
import { sodiumPrimitives } from '../../../service/keys/sodium-primitives.ts'
import type { TileRecord } from '../../../service/store/tlog-tree.ts'
import { consistencyProof, inclusionProof, isConsistent, treeRoot } from '../../../service/tlog/reader.ts'
import { type GrowingBatch, growTree, hashLeaf, TreeDamaged } from '../../../service/tlog/tree.ts'
import { leafHash, plainRoot, plainTiles } from '../../support/plain-tree.ts'

const hashNode = (left: Uint8Array, right: Uint8Array) => hashNodeWith(sodiumPrimitives, left, right)
const leaves = Array.from({ length: 700 }, (_, i) => Uint8Array.of(i % 256, i >> 8, 7))
const hashes = leaves.map(leafHash)

const roots = new Map<number, Uint8Array>()

/** The root of the first `size` leaves. */
function rootOf(size: number): Uint8Array {
  const root = roots.get(size) ?? plainRoot(hashes.slice(0, size))
  roots.set(size, root)
  return root
}

const tilesOf = (size: number) => {
  const tiles = plainTiles(hashes.slice(0, size))
  return async (level: number, index: number, width: number) => {
    const tile = tiles.get(`${level}/${index}`)
    return tile === undefined || tile.length < width * 32 ? undefined : tile.slice(0, width * 32)
  }
}

/** RFC 9162, section 2.1.3.2. */
function isIncluded(position: number, size: number, root: Uint8Array, path: readonly Uint8Array[]): boolean {
  let [fn, sn, r] = [position, size - 1, hashes[position] ?? new Uint8Array(32)]
  for (const p of path) {
    if (sn === 0) return false
    if (fn % 2 === 1 || fn === sn) {
      r = hashNode(p, r)
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [fn >> 1, sn >> 1]
    } else r = hashNode(r, p)
    ;[fn, sn] = [fn >> 1, sn >> 1]
  }
  return sn === 0 && Buffer.compare(r, root) === 0
}

it('the empty tree and leaves have the known hashes of RFC 6962', () => {
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
  const text = (value: string) => new Uint8Array(Buffer.from(value))
  expect(hex(emptyRoot(sodiumPrimitives))).toBe(
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  )
  expect(hex(hashLeaf(text('')))).toBe('6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d')
  expect(hex(hashLeaf(text('L123456')))).toBe(
    '395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56',
  )
})

it('batches of any size grow the same tree', () => {
  for (const step of [1, 7, 255, 256, 257]) {
    let state: GrowingBatch['state'] = { log: 0, origin: 'o', size: 0, root: emptyRoot(sodiumPrimitives) }
    const tiles = new Map<string, TileRecord>()
    for (let from = 0; from < 600; from += step) {
      const added = leaves.slice(from, Math.min(600, from + step))
      const edge = [...tiles.values()].filter(({ hashes: tile }) => tile.length < 8192)
      const pending = added.map((leaf) => ({ leaf, hash: leafHash(leaf) }))
      const growth = growTree({ state, edge, pending })
      for (const { widthBefore, ...tile } of growth.tiles) {
        const name = `${tile.level}/${tile.index}`
        expect((tiles.get(name)?.hashes.length ?? 0) / 32).toBe(widthBefore)
        tiles.set(name, tile)
      }
      state = { ...state, size: state.size + added.length, root: growth.root }
      if (step > 1) expect(state.root).toEqual(rootOf(state.size))
    }
    expect(state.root).toEqual(rootOf(600))
    for (const [name, tile] of plainTiles(hashes.slice(0, 600))) {
      expect(Buffer.from(tile).equals(tiles.get(name)?.hashes ?? tile.slice(1))).toBe(true)
    }
  }
})

it('a tree with changed tiles, root or leaves does not grow', () => {
  const state = { log: 0, origin: 'o', size: 2, root: rootOf(2) }
  const edge = [
    { log: 0, level: 0, index: 0, hashes: plainTiles(hashes.slice(0, 2)).get('0/0') ?? new Uint8Array(0) },
  ]
  const pending = [{ leaf: Uint8Array.of(1), hash: leafHash(Uint8Array.of(1)) }]
  expect(growTree({ state, edge, pending }).tiles).toHaveLength(1)
  const flipped = edge.map((tile) => ({
    ...tile,
    hashes: tile.hashes.map((byte, i) => (i === 5 ? byte ^ 1 : byte)),
  }))
  expect(() => growTree({ state, edge: flipped, pending })).toThrow(TreeDamaged)
  expect(() => growTree({ state, edge: [], pending })).toThrow(TreeDamaged)
  expect(() => growTree({ state: { ...state, root: emptyRoot(sodiumPrimitives) }, edge, pending })).toThrow(
    TreeDamaged,
  )
  expect(() =>
    growTree({
      state,
      edge,
      pending: [{ leaf: Uint8Array.of(2), hash: leafHash(leaves[0] ?? new Uint8Array(0)) }],
    }),
  ).toThrow(TreeDamaged)
})

it('inclusion proofs verify for every leaf of small trees and chosen leaves of larger ones', async () => {
  const sizes = [...Array.from({ length: 20 }, (_, i) => i + 1), 255, 256, 257, 511, 513, 700]
  for (const size of sizes) {
    const tiles = tilesOf(size)
    const root = rootOf(size)
    expect(await treeRoot(tiles, size)).toEqual(root)
    const positions =
      size <= 20 ? Array.from({ length: size }, (_, i) => i) : [0, 1, 254, Math.min(size, 256) - 1, size - 1]
    for (const position of positions) {
      const path = await inclusionProof(tiles, position, size)
      expect(isIncluded(position, size, root, path)).toBe(true)
    }
  }
  await expect(inclusionProof(tilesOf(5), 5, 5)).rejects.toThrow(FormatError)
})

it('consistency proofs verify for each earlier tree and for no other tree', async () => {
  const sizes = [...Array.from({ length: 18 }, (_, i) => i), 255, 256, 257, 512, 600]
  for (const to of sizes) {
    const tiles = tilesOf(to)
    const head = (size: number) => ({ size, root: rootOf(size) })
    for (const from of sizes.filter((size) => size <= to)) {
      const proof = await consistencyProof(tiles, from, to)
      expect(isConsistent(head(from), head(to), proof)).toBe(true)
      const wrong = { size: from, root: leafHash(Uint8Array.of(9)) }
      if (from > 0) expect(isConsistent(wrong, head(to), proof)).toBe(false)
      if (from > 0 && from < to) {
        expect(isConsistent(head(from), { ...head(to), root: wrong.root }, proof)).toBe(false)
        expect(isConsistent(head(from), head(to), proof.slice(1))).toBe(false)
        expect(isConsistent(head(from), head(to), [...proof, wrong.root])).toBe(false)
      }
      expect(isConsistent({ size: to + 1, root: wrong.root }, head(to), proof)).toBe(false)
    }
  }
  await expect(consistencyProof(tilesOf(5), 6, 5)).rejects.toThrow(FormatError)
})
