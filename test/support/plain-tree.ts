/** RFC 6962, section 2.1, transcribed literally: the reference for the log's tree. */
import { hash as digest } from 'node:crypto'

export function leafHash(leaf: Uint8Array): Uint8Array {
  return hash([0], leaf)
}

/** MTH of leaf hashes. */
export function plainRoot(leaves: readonly Uint8Array[]): Uint8Array {
  const [first] = leaves
  if (first === undefined) return hash([])
  if (leaves.length === 1) return first
  const k = split(leaves.length)
  return hash([1], plainRoot(leaves.slice(0, k)), plainRoot(leaves.slice(k)))
}

/** The hashes of every tile of a tree, by `level/index`. */
export function plainTiles(leaves: readonly Uint8Array[]): Map<string, Uint8Array> {
  const tiles = new Map<string, Uint8Array>()
  let row = leaves
  for (let level = 0; row.length > 0; level++) {
    for (let i = 0; i < row.length; i += 256) {
      tiles.set(`${level}/${i / 256}`, new Uint8Array(Buffer.concat(row.slice(i, i + 256))))
    }
    const full = Math.floor(row.length / 256)
    const below = row
    row = Array.from({ length: full }, (_, i) => plainRoot(below.slice(i * 256, (i + 1) * 256)))
  }
  return tiles
}

function hash(prefix: readonly number[], ...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(digest('sha256', Buffer.concat([Uint8Array.from(prefix), ...parts]), 'buffer'))
}

/** The largest power of two below `n`. */
function split(n: number): number {
  let k = 1
  while (k * 2 < n) k *= 2
  return k
}
