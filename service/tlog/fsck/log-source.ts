/** Where a log is read from that is to be checked: a database, or its tiles over HTTP. */

/** An entry as it is found, nothing of it believed. */
export interface FoundEntry {
  readonly index: number
  /** `undefined`: nobody shows it, and its hash stands for it. */
  readonly leaf: Uint8Array | undefined
  /** The leaf hash as it is stored beside it, where it is. */
  readonly hash?: Uint8Array
}

/** A tree that the log had at some time, from somebody who is believed: its root is to be found again. */
export interface SignedTree {
  readonly size: number
  /** 32 bytes. */
  readonly root: Uint8Array
  /** What says so: `the checkpoint of size 300`. */
  readonly named: string
}

/** One log under test. */
export interface LogSource<E extends FoundEntry = FoundEntry> {
  /** `log 0`, for places. */
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

/** Where a check goes on: what an earlier one found to be good. */
export interface VerifiedTree {
  readonly size: number
  readonly root: Uint8Array
}
