/** The tree that a check computes, against RFC 6962 word for word. */
import { createHash } from 'node:crypto'
import { expect, it } from 'vitest'
import type { ComputedTile } from '../../../service/tlog/fsck/recomputed-tree.ts'
import { growTree, hashLeaf } from '../../../service/tlog/fsck/recomputed-tree.ts'
import { leafHash, plainRoot, plainTiles } from '../../support/plain-tree.ts'

const leaves = Array.from(
  { length: 66_000 },
  (_, i) => new Uint8Array(createHash('sha256').update(`${i}`).digest()),
)

it('a recomputed tree has the root of every size and the tiles of every level', () => {
  for (const size of [0, 1, 2, 3, 7, 255, 256, 257, 511, 512, 513, 1000, 65_537]) {
    const tiles = new Map<string, ComputedTile>()
    const tree = growTree((tile) => tiles.set(`${tile.level}/${tile.index}`, tile))
    for (const leaf of leaves.slice(0, size)) tree.append(leaf)
    expect(tree.size).toBe(size)
    expect(tree.root()).toEqual(plainRoot(leaves.slice(0, size)))
    tree.finish()
    const plain = plainTiles(leaves.slice(0, size))
    expect([...tiles.keys()].sort()).toEqual([...plain.keys()].sort())
    const differing = [...tiles].filter(
      ([name, tile]) => !Buffer.from(tile.hashes).equals(plain.get(name) ?? Buffer.of()),
    )
    expect(differing).toEqual([])
  }
})

it('a recomputed tree continues from the last tiles of an older tree', () => {
  for (const size of [1, 255, 256, 300, 65_600]) {
    const plain = plainTiles(leaves.slice(0, size))
    const edge = [0, 1, 2].map((level) => {
      const width = Math.floor(size / 256 ** level) % 256
      const tile = plain.get(`${level}/${Math.floor(size / 256 ** (level + 1))}`)
      return (tile ?? new Uint8Array(0)).slice(0, width * 32)
    })
    const tree = growTree(() => {}, size, edge)
    expect(tree.root()).toEqual(plainRoot(leaves.slice(0, size)))
    for (const leaf of leaves.slice(size, size + 300)) tree.append(leaf)
    expect(tree.root()).toEqual(plainRoot(leaves.slice(0, Math.min(size + 300, leaves.length))))
  }
})

it('an entry is hashed as a leaf of RFC 6962', () => {
  const entry = new Uint8Array(Buffer.from('L123456'))
  expect(Buffer.from(hashLeaf(entry)).toString('hex')).toBe(
    '395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56',
  )
  expect(new Uint8Array(hashLeaf(entry))).toEqual(leafHash(entry))
})
