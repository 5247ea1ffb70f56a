import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FormatError } from '../../../crypto/errors.ts'
import { treeHashLength } from '../../../crypto/tlog/merkle.ts'
import type { EntryBundle, HashTile } from '../../../crypto/tlog/tiles.ts'
import {
  encodeBundle,
  nodeInTile,
  parseBundle,
  parseTilePath,
  tileLevels,
  tilePath,
  tileSpot,
  tilesOfNodes,
  tileWidth,
  widthOfTile,
} from '../../../crypto/tlog/tiles.ts'
import { growTree } from '../../../crypto/tlog/tree-growth.ts'
import { consistencyPlan, foldPlan, inclusionPlan, rootPlan } from '../../../crypto/tlog/tree-plan.ts'
import { sodiumPrimitives as primitives } from '../../../service/keys/sodium-primitives.ts'
import { leafHashes, path, plainTree, proof } from './plain-tree.ts'

const sizes = fc.oneof(fc.nat(70_000), fc.maxSafeNat())

it.each<[string, HashTile | EntryBundle]>([
  ['tile/0/000', { kind: 'hashes', level: 0, index: 0, width: 256 }],
  ['tile/0/x001/x234/067', { kind: 'hashes', level: 0, index: 1234067, width: 256 }],
  ['tile/1/000.p/17', { kind: 'hashes', level: 1, index: 0, width: 17 }],
  ['tile/63/999.p/255', { kind: 'hashes', level: 63, index: 999, width: 255 }],
  ['tile/entries/x001/000.p/1', { kind: 'entries', index: 1000, width: 1 }],
  [
    'tile/0/x009/x007/x199/x254/x740/991',
    { kind: 'hashes', level: 0, index: Number.MAX_SAFE_INTEGER, width: 256 },
  ],
])('tilePath and parseTilePath map %s both ways', (text, tile) => {
  expect(tilePath(tile)).toBe(text)
  expect(parseTilePath(text)).toEqual(tile)
})

it('parseTilePath inverts tilePath', () => {
  const width = fc.integer({ min: 1, max: 256 })
  const tile = fc.oneof(
    fc.record({ kind: fc.constant('hashes' as const), level: fc.nat(63), index: fc.maxSafeNat(), width }),
    fc.record({ kind: fc.constant('entries' as const), index: fc.maxSafeNat(), width }),
  )
  fc.assert(
    fc.property(tile, (each) => {
      expect(parseTilePath(tilePath(each))).toEqual(each)
    }),
  )
})

it('parseTilePath refuses a path of 5000 characters', () => {
  expect(() => parseTilePath(`tile/0/${'x999/'.repeat(1000)}000`)).toThrow(FormatError)
})

it.each<[string, HashTile | EntryBundle]>([
  ['no width', { kind: 'entries', index: 0, width: 0 }],
  ['too wide', { kind: 'entries', index: 0, width: 257 }],
  ['a negative index', { kind: 'entries', index: -1, width: 1 }],
  ['an index that is not safe', { kind: 'entries', index: 2 ** 53, width: 1 }],
  ['a level too high', { kind: 'hashes', level: 64, index: 0, width: 1 }],
  ['a level below 0', { kind: 'hashes', level: -1, index: 0, width: 256 }],
  ['half a level', { kind: 'hashes', level: 0.5, index: 0, width: 1 }],
])('tilePath refuses %s', (_title, tile) => expect(() => tilePath(tile)).toThrow(FormatError))

it.each([
  [0, []],
  [1, [[0, 0, 1]]],
  [255, [[0, 0, 255]]],
  [
    256,
    [
      [0, 1, 0],
      [1, 0, 1],
    ],
  ],
  [
    257,
    [
      [0, 1, 1],
      [1, 0, 1],
    ],
  ],
  [
    70_000,
    [
      [0, 273, 112],
      [1, 1, 17],
      [2, 0, 1],
    ],
  ],
])('tileLevels gives the tiles of the specification for a tree of %i', (size, expected) => {
  expect(tileLevels(size).map(({ level, full, partial }) => [level, full, partial])).toEqual(expected)
})

it('the tiles of a tree have the widths of the specification: floor(s / 256^l) mod 256', () => {
  fc.assert(
    fc.property(sizes, (size) => {
      for (const { level, full, partial } of tileLevels(size)) {
        expect(partial).toBe(Number((BigInt(size) / 256n ** BigInt(level)) % 256n))
        expect(widthOfTile(size, level, full)).toBe(partial)
        expect(widthOfTile(size, level, full + 1)).toBe(0)
        if (full > 0) expect(widthOfTile(size, level, full - 1)).toBe(tileWidth)
      }
    }),
  )
})

describe('a tree of 70000 leaves in tiles', () => {
  const size = 70_000
  const hashes = leafHashes(size)
  const tiles = new Map<string, Uint8Array>()
  const growth = growTree(primitives)
  for (const hash of hashes) {
    for (const node of growth.append(hash)) {
      const { level, index, from, count } = tileSpot(node)
      if (count > 1) continue
      const name = `${level}/${index}`
      const tile = tiles.get(name) ?? new Uint8Array(tileWidth * treeHashLength)
      tile.set(node.hash, from * treeHashLength)
      tiles.set(name, tile)
    }
  }
  const tree = plainTree(hashes)
  const fetch = ({ level, index, width }: HashTile): [string, Uint8Array] => {
    const tile = tiles.get(`${level}/${index}`)
    if (tile === undefined) throw new Error(`there is no tile ${level}/${index}`)
    return [`${level}/${index}`, tile.slice(0, width * treeHashLength)]
  }
  /** As a caller does it: plan, fetch, fold. */
  const proofOf = (plan: ReturnType<typeof inclusionPlan>, of: number) => {
    const needed = tilesOfNodes(plan.flat(), of)
    const fetched = new Map(needed.map(fetch))
    return foldPlan(primitives, plan, (node) => {
      const spot = tileSpot(node)
      return nodeInTile(primitives, spot, fetched.get(`${spot.level}/${spot.index}`) ?? new Uint8Array(0))
    })
  }

  it('a tree of 70000 leaves in tiles has the root of the RFC', () => {
    expect(growth.root()).toEqual(tree.mth(0, size))
    expect(tiles.size).toBe(274 + 2 + 1)
  })

  it('a tree of 70000 leaves in tiles gives every proof from the tiles of that size', () => {
    const pair = fc.tuple(fc.nat(size - 1), fc.integer({ min: 1, max: size })).map(([m, n]) => [m % n, n])
    fc.assert(
      fc.property(pair, ([m = 0, n = 1]) => {
        expect(proofOf(inclusionPlan(m, n), n)).toEqual(path(tree, m, 0, n))
        expect(proofOf(consistencyPlan(m, n), n)).toEqual(proof(tree, m, n))
        expect(proofOf([rootPlan(n)], n)).toEqual([tree.mth(0, n)])
      }),
      { numRuns: 60 },
    )
  })

  it('a tree of 70000 leaves in tiles refuses a tile that is too short', () => {
    const [, tile] = fetch({ kind: 'hashes', level: 0, index: 0, width: 5 })
    const node = (from: number, count: number) =>
      nodeInTile(primitives, { level: 0, index: 0, from, count }, tile)
    expect(node(4, 1)).toHaveLength(treeHashLength)
    for (const read of [() => node(4, 2), () => node(5, 1)])
      expect(read).toThrow(new FormatError('the tile is too short'))
  })
})

describe('bundles', () => {
  const entry = fc.uint8Array({ maxLength: 40 })

  it('bundles decode to the encoded values', () => {
    fc.assert(
      fc.property(fc.array(entry, { minLength: 1, maxLength: 256 }), (entries) => {
        expect(parseBundle(encodeBundle(entries), entries.length)).toEqual(entries)
      }),
    )
  })

  it('bundles contain entries of at most 65535 bytes', () => {
    const long = new Uint8Array(65535).fill(7)
    expect(parseBundle(encodeBundle([long]), 1)).toEqual([long])
    expect(() => encodeBundle([Uint8Array.of(...long.slice(1), 1, 1)])).toThrow(FormatError)
  })

  it('bundles contain 1 to 256 entries', () => {
    const entries = Array.from({ length: 256 }, () => Uint8Array.of(1))
    expect(parseBundle(encodeBundle(entries), 256)).toEqual(entries)
    expect(() => encodeBundle([])).toThrow(FormatError)
    expect(() => encodeBundle([...entries, Uint8Array.of(1)])).toThrow(FormatError)
  })

  it('bundles are refused when truncated, too long, or of another width', () => {
    const bytes = encodeBundle([Uint8Array.of(1, 2), Uint8Array.of(3)])
    for (let length = 0; length < bytes.length; length++)
      expect(() => parseBundle(bytes.slice(0, length), 2), `${length}`).toThrow(FormatError)
    expect(() => parseBundle(Uint8Array.of(...bytes, 0), 2)).toThrow(FormatError)
    expect(() => parseBundle(bytes, 1)).toThrow(FormatError)
    expect(() => parseBundle(bytes, 3)).toThrow(FormatError)
  })
})
