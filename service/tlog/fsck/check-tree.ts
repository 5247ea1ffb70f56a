/**
 * Recomputes the tree of a log from its entries and compares every stored leaf hash, every tile of every level, the root,
 * and every signed tree.
 *
 * Memory is bounded: one tile a level, one batch of entries.
 */
import { equalBytes } from 'miniseal-protocol/bytes'
import type { Findings } from './findings.ts'
import type { ComputedTile, GrowingTree } from './recomputed-tree.ts'
import { growTree, hashLeaf, tileWidth } from './recomputed-tree.ts'

/** Called with each batch of entries. */
export type InspectEntries<E> = (entries: readonly E[]) => Promise<void> | void

export interface TreeCheck<E extends FoundEntry> {
  readonly source: LogSource<E>
  readonly findings: Findings
  readonly inspect: InspectEntries<E>
  /** Leave out for the whole log. */
  readonly since?: VerifiedTree
  readonly onProgress?: (done: number, total: number) => void
}

/** The recomputed tree. */
export interface CheckedTree {
  readonly size: number
  readonly root: Uint8Array
}

/** Checks one log. What is wrong goes to `findings`. */
export async function checkTree<E extends FoundEntry>(check: TreeCheck<E>): Promise<CheckedTree> {
  const run = new TreeRun(check)
  await run.start()
  for await (const batch of check.source.entries(run.size)) {
    await run.take(batch)
    check.onProgress?.(run.size, check.source.size)
  }
  return await run.finish()
}

class TreeRun<E extends FoundEntry> {
  readonly #check: TreeCheck<E>
  #signed: AsyncIterator<SignedTree> | undefined
  readonly #filled: ComputedTile[] = []
  #tree: GrowingTree
  #next: SignedTree | undefined
  /** Signed trees that contradict the entries, and those larger than the log: one finding each. */
  readonly #contradicting = new Several()
  readonly #beyond = new Several()
  #tile: { readonly index: number; readonly hashes: Uint8Array | undefined } | undefined

  constructor(check: TreeCheck<E>) {
    this.#check = check
    this.#tree = growTree((tile) => this.#filled.push(tile))
  }

  get size(): number {
    return this.#tree.size
  }

  async start(): Promise<void> {
    const { since, source } = this.#check
    if (since !== undefined && since.size > 0) {
      const tree = growTree((tile) => this.#filled.push(tile), since.size, await edgeOf(source, since.size))
      // Otherwise everything is recomputed.
      if (equalBytes(tree.root(), since.root)) this.#tree = tree
    }
    this.#signed = source.signedTrees(this.#tree.size)[Symbol.asyncIterator]()
    await this.#advance()
    await this.#compareSigned()
  }

  async take(batch: readonly E[]): Promise<void> {
    const { source, findings, inspect } = this.#check
    const within = batch.filter(({ index }) => index < source.size)
    for (const entry of within) {
      await this.#bridge(entry.index)
      this.#tree.append(await this.#hashOf(entry))
      await this.#compareSigned()
    }
    for (const { index } of batch.slice(within.length)) {
      findings.report('entry-beyond', this.#locationOf(index), 'the tree does not reach to this entry')
    }
    await inspect(within)
    await this.#compareTiles()
  }

  async finish(): Promise<CheckedTree> {
    const { source, findings } = this.#check
    await this.#bridge(source.size)
    await this.#compareSigned()
    const root = this.#tree.root()
    if (!equalBytes(root, source.root)) {
      findings.report('root-changed', source.name, 'the entries do not give the root that the log states')
    }
    for (; this.#next !== undefined; await this.#advance()) this.#beyond.add(this.#next)
    this.#reportSigned()
    this.#tree.finish()
    await this.#compareTiles()
    return { size: this.#tree.size, root }
  }

  /** Fills what is missing before `position` with the tile's hashes, so that all that follows can still be checked. */
  async #bridge(index: number): Promise<void> {
    const from = this.#tree.size
    if (from >= index) return
    const { findings, source } = this.#check
    const last = index - 1
    const location = from === last ? this.#locationOf(from) : `${source.name}, entries ${from} to ${last}`
    findings.report('entry-missing', location, `${index - from} missing from the log`)
    while (this.#tree.size < index) {
      this.#tree.append((await this.#tileHash(this.#tree.size)) ?? new Uint8Array(32))
      await this.#compareSigned()
    }
  }

  /**
   * A leaf hash has three sources: the bytes, the column and the tile. The majority is used, so that one finding names the
   * odd one out and the rest can be checked.
   */
  async #hashOf({ index, leaf, hash }: E): Promise<Uint8Array> {
    const { findings } = this.#check
    if (leaf === undefined) return hash ?? new Uint8Array(32)
    const computed = hashLeaf(leaf)
    const inTile = await this.#tileHash(index)
    const isAsStored = hash === undefined || equalBytes(hash, computed)
    const isAsInTile = inTile === undefined || equalBytes(inTile, computed)
    if (isAsStored && isAsInTile) return computed
    const location = this.#locationOf(index)
    if (!isAsStored && !isAsInTile) {
      findings.report(
        'entry-changed',
        location,
        'its bytes have neither the stored hash nor the hash in the tree',
      )
      return inTile ?? computed
    }
    if (!isAsStored)
      findings.report('column-changed', location, 'its stored hash is not the hash of its bytes')
    else findings.report('entry-changed', location, 'its hash is not the one in the tree')
    return computed
  }

  async #tileHash(index: number): Promise<Uint8Array | undefined> {
    const tileIndex = Math.floor(index / tileWidth)
    if (this.#tile?.index !== tileIndex) {
      this.#tile = { index: tileIndex, hashes: await this.#check.source.tile(0, tileIndex) }
    }
    const at = (index % tileWidth) * 32
    const hash = this.#tile.hashes?.subarray(at, at + 32)
    return hash?.length === 32 ? hash : undefined
  }

  async #compareTiles(): Promise<void> {
    const { source, findings } = this.#check
    for (const { level, index, hashes } of this.#filled.splice(0)) {
      const stored = await source.tile(level, index)
      const location = `${source.name}, tile ${level}/${index}`
      if (stored === undefined) findings.report('tile-missing', location, 'there is no such tile')
      else if (stored.length < hashes.length) findings.report('tile-changed', location, 'the tile is cut off')
      else if (stored.length > hashes.length)
        findings.report('tile-beyond', location, 'the tile holds more than the tree')
      else if (!equalBytes(stored, hashes)) {
        findings.report(
          'tile-changed',
          location,
          `hash ${differenceOf(stored, hashes)} is not that of the entries`,
        )
      }
    }
  }

  async #advance(): Promise<void> {
    const next = await this.#signed?.next()
    this.#next = next === undefined || next.done === true ? undefined : next.value
  }

  async #compareSigned(): Promise<void> {
    while (this.#next !== undefined && this.#next.size <= this.#tree.size) {
      const isSame = this.#next.size === this.#tree.size && equalBytes(this.#next.root, this.#tree.root())
      if (!isSame) this.#contradicting.add(this.#next)
      await this.#advance()
    }
  }

  #reportSigned(): void {
    const { source, findings } = this.#check
    const wrong = this.#contradicting.first
    if (wrong !== undefined) {
      const message = `the log is not the one of ${this.#contradicting}: entries before ${wrong.size} were changed, or another tree was put in its place`
      findings.report('checkpoint-inconsistent', `${source.name}, size ${wrong.size}`, message)
    }
    const larger = this.#beyond.first
    if (larger !== undefined) {
      const message = `the log has ${source.size} entries, fewer than ${this.#beyond}: its end is cut off, or an old copy was restored`
      findings.report('rolled-back', `${source.name}, size ${larger.size}`, message)
    }
  }

  #locationOf(index: number): string {
    return `${this.#check.source.name}, entry ${index}`
  }
}

/** Signed trees that share one finding. */
class Several {
  #count = 0
  first: SignedTree | undefined
  #last: SignedTree | undefined

  add(signed: SignedTree): void {
    this.first ??= signed
    this.#last = signed
    this.#count++
  }

  toString(): string {
    const more = this.#count < 2 ? '' : ` and ${this.#count - 1} more, up to ${this.#last?.named}`
    return `${this.first?.named}${more}`
  }
}

/** The stored tiles at the right edge of a tree of this size. */
async function edgeOf(source: LogSource, size: number): Promise<readonly Uint8Array[]> {
  const edge: Uint8Array[] = []
  for (let level = 0; tileWidth ** level <= size; level++) {
    const width = Math.floor(size / tileWidth ** level) % tileWidth
    const index = Math.floor(size / tileWidth ** (level + 1))
    const stored = width === 0 ? undefined : await source.tile(level, index)
    edge.push((stored ?? new Uint8Array(0)).slice(0, width * 32))
  }
  return edge
}

function differenceOf(a: Uint8Array, b: Uint8Array): number {
  return Math.floor(a.findIndex((byte, i) => byte !== b[i]) / 32)
}

/** Where a log is read from that is to be checked: a database, or its tiles over HTTP. */

/** An unverified entry. */
export interface FoundEntry {
  readonly index: number
  /** `undefined` if only the hash is available. */
  readonly leaf: Uint8Array | undefined
  /** The leaf hash as it is stored beside it, where it is. */
  readonly hash?: Uint8Array
}

/** A trusted statement about an earlier tree, whose root must be reproduced. */
export interface SignedTree {
  readonly size: number
  /** 32 bytes. */
  readonly root: Uint8Array
  /** What says so: `the checkpoint of size 300`. */
  readonly named: string
}

/** One log under test. */
export interface LogSource<E extends FoundEntry = FoundEntry> {
  /** `log 0`, for locations. */
  readonly name: string
  /** What the tree is said to be now. */
  readonly size: number
  readonly root: Uint8Array
  /** Batches in the order of their positions, from `from` on. Some may be missing, some may be too many. */
  entries(from: number): AsyncIterable<readonly E[]>
  /** The hashes of a stored tile, whatever there is. */
  tile(level: number, index: number): Promise<Uint8Array | undefined>
  /** Trees of at least `from` leaves, the smallest first. */
  signedTrees(from: number): AsyncIterable<SignedTree>
}

/** The result of an earlier check, from which the next one continues. */
export interface VerifiedTree {
  readonly size: number
  readonly root: Uint8Array
}
