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
  /** `undefined`: the whole log. */
  readonly since: VerifiedTree | undefined
  readonly onProgress: (done: number, total: number) => void
}

/** The recomputed tree. */
export interface CheckedTree {
  readonly size: number
  readonly root: Uint8Array
}

/** Checks one log and reports to `findings`. */
export async function checkTree<E extends FoundEntry>(check: TreeCheck<E>): Promise<CheckedTree> {
  const run = new TreeRun(check)
  await run.start()
  for await (const batch of check.source.entries(run.size)) {
    await run.take(batch)
    check.onProgress(run.size, check.source.size)
  }
  return await run.finish()
}

class TreeRun<E extends FoundEntry> {
  readonly #check: TreeCheck<E>
  #signed: AsyncIterator<SignedTree> | undefined
  readonly #filled: ComputedTile[] = []
  #tree: GrowingTree
  #next: SignedTree | undefined
  /** Signed trees that are inconsistent with the entries, and those larger than the log: one finding each. */
  readonly #inconsistent = new SignedTrees()
  readonly #beyond = new SignedTrees()
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
      findings.report('entry-beyond', this.#locationOf(index), 'the entry is beyond the end of the tree')
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
      findings.report('root-changed', source.name, 'the root of the entries differs from the stored root')
    }
    for (; this.#next !== undefined; await this.#advance()) this.#beyond.add(this.#next)
    this.#reportSigned()
    this.#tree.finish()
    await this.#compareTiles()
    return { size: this.#tree.size, root }
  }

  /** Replaces missing entries before `index` by the hashes of the tile, so that the following ones can be checked. */
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
        'the hash of the bytes is neither the stored hash nor the hash in the tree',
      )
      return inTile ?? computed
    }
    if (!isAsStored)
      findings.report('column-changed', location, 'the stored hash differs from the hash of the bytes')
    else findings.report('entry-changed', location, 'the hash of the bytes differs from the hash in the tree')
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
      if (stored === undefined) findings.report('tile-missing', location, 'the tile is missing')
      else if (stored.length < hashes.length)
        findings.report('tile-changed', location, 'the tile is truncated')
      else if (stored.length > hashes.length)
        findings.report('tile-beyond', location, 'the tile has more hashes than the tree')
      else if (!equalBytes(stored, hashes)) {
        findings.report(
          'tile-changed',
          location,
          `hash ${differenceOf(stored, hashes)} differs from the entries`,
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
      if (!isSame) this.#inconsistent.add(this.#next)
      await this.#advance()
    }
  }

  #reportSigned(): void {
    const { source, findings } = this.#check
    const wrong = this.#inconsistent.first
    if (wrong !== undefined) {
      const message = `the log is inconsistent with ${this.#inconsistent}: entries before ${wrong.size} were changed, or the log was replaced`
      findings.report('checkpoint-inconsistent', `${source.name}, size ${wrong.size}`, message)
    }
    const larger = this.#beyond.first
    if (larger !== undefined) {
      const message = `the log has ${source.size} entries, fewer than ${this.#beyond}: it was truncated, or a backup was restored`
      findings.report('rolled-back', `${source.name}, size ${larger.size}`, message)
    }
  }

  #locationOf(index: number): string {
    return `${this.#check.source.name}, entry ${index}`
  }
}

/** Signed trees that share one finding. */
class SignedTrees {
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

/** An unverified entry. */
export interface FoundEntry {
  readonly index: number
  /** `undefined` if only the hash is available. */
  readonly leaf: Uint8Array | undefined
  /** The leaf hash that is stored with the entry, if any. */
  readonly hash?: Uint8Array
}

/** A trusted statement about an earlier tree, whose root must be reproduced. */
export interface SignedTree {
  readonly size: number
  /** 32 bytes. */
  readonly root: Uint8Array
  /** Its source, for messages: `the checkpoint of size 300`. */
  readonly named: string
}

/** A log to check: in a database, or over HTTP. */
export interface LogSource<E extends FoundEntry = FoundEntry> {
  /** `log 0`, for locations. */
  readonly name: string
  /** Size and root of the tree as stated; not verified. */
  readonly size: number
  readonly root: Uint8Array
  /** Batches in the order of indexes, from `from`. Entries may be missing, or beyond the size. */
  entries(from: number): AsyncIterable<readonly E[]>
  /** The hashes of a stored tile. */
  tile(level: number, index: number): Promise<Uint8Array | undefined>
  /** Trees of at least `from` leaves, the smallest first. */
  signedTrees(from: number): AsyncIterable<SignedTree>
}

/** The result of an earlier check, from which the next one continues. */
export interface VerifiedTree {
  readonly size: number
  readonly root: Uint8Array
}
