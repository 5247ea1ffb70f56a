/** Looking at the logs of a database: trees, entries, checkpoints, proofs. For receipts, commands and pages. */
import type { LogEntry } from '../store/tlog-entries.ts'
import type { CheckpointRecord, LogState } from '../store/tlog-tree.ts'

/**
 * Reads what is sequenced. The tree can be ahead of the latest checkpoint: what is shown to somebody outside is proved
 * against a checkpoint's size, never against the tree's.
 *
 * `log` is the newest one wherever it is left out. Nothing here signs, and nothing trusts an entry for being in the
 * database: whoever must know recomputes.
 */
export interface LogReader {
  /** The tree that is written to now, as far as it is sequenced; `undefined` before the first start. */
  state(): Promise<LogState | undefined>
  /** Every log of the database, the oldest first. */
  states(): Promise<readonly LogState[]>
  /** The newest signed checkpoint; `undefined` before the first one. */
  latestCheckpoint(log?: number): Promise<CheckpointRecord | undefined>
  checkpoint(size: number, log?: number): Promise<CheckpointRecord | undefined>
  /** Checkpoints of sizes below `below`, the largest first. */
  checkpoints(below: number, limit: number, log?: number): Promise<readonly CheckpointRecord[]>
  /**
   * The first `width` hashes of a tile (256 by default), 32 bytes each; `undefined` while the tree does not fill them.
   */
  tile(level: number, index: number, width?: number, log?: number): Promise<Uint8Array | undefined>
  entry(globalIndex: number): Promise<LogEntry | undefined>
  /** By the leaf's UUIDv7 (16 bytes) or its leaf hash (32 bytes). */
  entryById(idOrHash: Uint8Array): Promise<LogEntry | undefined>
  /** Entries from a place on, across logs, at most `count`, in their order. */
  entries(from: number, count: number): Promise<readonly LogEntry[]>
  /**
   * PATH(position, D[size]) of RFC 6962, the leaf's sibling first.
   *
   * @throws RangeError unless `position < size`, and `size` is at most the tree's.
   */
  inclusion(index: number, size: number, log?: number): Promise<readonly Uint8Array[]>
  /**
   * PROOF(from, D[to]) of RFC 6962; empty for equal sizes and from 0.
   *
   * @throws RangeError unless `from <= to`, and `to` is at most the tree's.
   */
  consistency(from: number, to: number, log?: number): Promise<readonly Uint8Array[]>
  /** The root of the tree's first `size` leaves, 32 bytes. @throws RangeError when the tree is smaller. */
  root(size: number, log?: number): Promise<Uint8Array>
}
