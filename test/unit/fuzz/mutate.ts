/** Small mutations of an input: bits, boundary values, pieces removed, duplicated and moved. */

/** Deterministic random numbers (xorshift32). */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed | 0 || 1
  }

  /** From 0 up to, without, `bound`. */
  below(bound: number): number {
    let state = this.#state
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    this.#state = state
    return (state >>> 0) % bound
  }

  of<T>(list: readonly T[]): T {
    const chosen = list[this.below(list.length)]
    if (chosen === undefined) throw new Error('nothing to choose from')
    return chosen
  }
}

/** Boundaries of encodings, and separators of texts. */
const edges: readonly number[] = [
  0, 1, 0x0a, 0x20, 0x22, 0x2c, 0x2f, 0x3b, 0x3d, 0x3f, 0x40, 0x7f, 0x80, 0xbf, 0xc0, 0xff,
]

type Change = (bytes: Uint8Array, random: Random, others: readonly Uint8Array[]) => Uint8Array

const splice = (bytes: Uint8Array, at: number, removed: number, added: Uint8Array): Uint8Array =>
  Uint8Array.of(...bytes.subarray(0, at), ...added, ...bytes.subarray(at + removed))

const overwrite = (bytes: Uint8Array, at: number, value: number): Uint8Array => {
  const copy = bytes.slice()
  if (at < copy.length) copy[at] = value
  return copy
}

const changes: readonly Change[] = [
  (bytes, random) => {
    const at = random.below(bytes.length + 1)
    return overwrite(bytes, at, (bytes[at] ?? 0) ^ (1 << random.below(8)))
  },
  (bytes, random) => overwrite(bytes, random.below(bytes.length + 1), random.of(edges)),
  (bytes, random) => overwrite(bytes, random.below(bytes.length + 1), random.below(256)),
  (bytes, random) => splice(bytes, random.below(bytes.length + 1), 0, Uint8Array.of(random.of(edges))),
  (bytes, random) => splice(bytes, random.below(bytes.length + 1), 1 + random.below(4), new Uint8Array(0)),
  (bytes, random) => bytes.slice(0, random.below(bytes.length + 1)),
  (bytes, random) => {
    const from = random.below(bytes.length + 1)
    const piece = bytes.subarray(from, from + 1 + random.below(32))
    return splice(bytes, random.below(bytes.length + 1), 0, piece)
  },
  (bytes, random, others) => {
    const other = random.of(others)
    const from = random.below(other.length + 1)
    const piece = other.subarray(from, from + 1 + random.below(64))
    return splice(bytes, random.below(bytes.length + 1), random.below(piece.length + 1), piece)
  },
]

/** Longer inputs are slower and reach nothing new. */
const longest = 4_096

/** @param others the source of inserted pieces; not empty */
export function mutate(bytes: Uint8Array, random: Random, others: readonly Uint8Array[]): Uint8Array {
  let changed = bytes
  for (let count = 1 + random.below(4); count > 0; count--)
    changed = random.of(changes)(changed, random, others)
  return changed.length > longest ? changed.slice(0, longest) : changed
}
