/**
 * Recomputes the tree of a log from leaf hashes (RFC 6962, section 2.1), with one tile a level in memory.
 *
 * Deliberately independent of the sequencer's code: shared code would share its defects.
 */
import sodium from 'sodium-native'

/** Hashes of one tile. */
export const tileWidth = 256

const hashLength = 32

/** A full tile, or the last tile of its level. */
export interface ComputedTile {
  readonly level: number
  readonly index: number
  /** A copy: 32 bytes a hash. */
  readonly hashes: Uint8Array
}

export interface GrowingTree {
  readonly size: number
  /** Appends the hash of the next leaf, 32 bytes. */
  append(leafHash: Uint8Array): void
  /** The current root, 32 bytes. */
  root(): Uint8Array
  /** Emits the partial tiles, the lowest level first. */
  finish(): void
}

interface Level {
  readonly hashes: Buffer
  width: number
  index: number
}

/**
 * @param onTile receives each full tile
 * @param edge the last tiles of a tree of `size` leaves, by level, to continue from; the caller compares `root()` with a
 *   known root
 */
export function growTree(
  onTile: (tile: ComputedTile) => void,
  size = 0,
  edge: readonly Uint8Array[] = [],
): GrowingTree {
  const levels: Level[] = edge.map((hashes, level) => startLevel(size, level, hashes))
  const emit = (level: number, { hashes, width, index }: Level): void => {
    onTile({ level, index, hashes: new Uint8Array(hashes.subarray(0, width * hashLength)) })
  }
  const push = (level: number, hash: Uint8Array): void => {
    let row = levels[level]
    if (row === undefined) {
      row = startLevel(0, level, new Uint8Array(0))
      levels[level] = row
    }
    row.hashes.set(hash, row.width * hashLength)
    row.width++
    if (row.width < tileWidth) return
    emit(level, row)
    const top = rootOf(row.hashes, 0, tileWidth)
    row.width = 0
    row.index++
    push(level + 1, top)
  }
  let count = size
  return {
    get size() {
      return count
    },
    append(leafHash) {
      push(0, leafHash)
      count++
    },
    root: () => rootOfLevels(levels),
    finish() {
      for (const [level, row] of levels.entries()) if (row.width > 0) emit(level, row)
    },
  }
}

function startLevel(size: number, level: number, given: Uint8Array): Level {
  const hashes = Buffer.alloc(tileWidth * hashLength)
  hashes.set(given)
  return {
    hashes,
    width: given.length / hashLength,
    index: Math.floor(size / tileWidth ** (level + 1)),
  }
}

/** Higher levels cover earlier leaves; within a tile the larger subtrees come first. */
function rootOfLevels(levels: readonly Level[]): Uint8Array {
  let right: Buffer | undefined
  for (const { hashes, width } of levels) {
    let end = width
    for (let part = 1; part <= width; part *= 2) {
      if (Math.floor(width / part) % 2 === 0) continue
      const left = rootOf(hashes, end - part, part)
      right = right === undefined ? left : nodeHash(left, right)
      end -= part
    }
  }
  return new Uint8Array(right ?? sha256(Buffer.alloc(0)))
}

/** The root of `width` hashes, a power of two, from the hash `first` on. */
function rootOf(hashes: Buffer, first: number, width: number): Buffer {
  let row = Buffer.from(hashes.subarray(first * hashLength, (first + width) * hashLength))
  while (row.length > hashLength) {
    const above = Buffer.allocUnsafe(row.length / 2)
    for (let at = 0; at < row.length; at += 2 * hashLength) {
      row.copy(pair, 1, at, at + 2 * hashLength)
      sodium.crypto_hash_sha256(above.subarray(at / 2, at / 2 + hashLength), pair)
    }
    row = above
  }
  return row
}

/** `0x01 ‖ left ‖ right`; reused. */
const pair = Buffer.alloc(1 + 2 * hashLength, 1)

function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  pair.set(left, 1)
  pair.set(right, 1 + hashLength)
  return sha256(pair)
}

/** The leaf hash of an entry's bytes: SHA-256(0x00 ‖ entry). */
export function hashLeaf(entry: Uint8Array): Buffer {
  const input = Buffer.allocUnsafe(1 + entry.length)
  input[0] = 0
  input.set(entry, 1)
  return sha256(input)
}

function sha256(input: Buffer): Buffer {
  const digest = Buffer.allocUnsafe(hashLength)
  sodium.crypto_hash_sha256(digest, input)
  return digest
}
