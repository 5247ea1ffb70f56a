/** A log in a database, as the source of a check. */

import { parseCheckpointNote } from 'miniseal-protocol/tlog/checkpoint'
import type { VerifierKey } from 'miniseal-protocol/tlog/signed-note'
import type { Store } from '../../store/store.ts'
import type { LogEntry } from '../../store/tlog-entries.ts'
import { globalIndexOf } from '../../store/tlog-entries.ts'
import type { CheckpointRecord, LogState } from '../../store/tlog-tree.ts'
import { verifyNoteSignatures } from '../checkpoint.ts'
import type { FoundEntry, LogSource, SignedTree } from './check-tree.ts'
import type { Findings } from './findings.ts'

/** A row with its position in its log. */
export interface StoredEntry extends FoundEntry {
  readonly leaf: Uint8Array
  readonly hash: Uint8Array
  readonly row: LogEntry
}

/** Rows of one read: a few milliseconds of the database. */
const batchSize = 512

const checkpointBatch = 500

export interface DatabaseLogOptions {
  readonly store: Store
  readonly state: LogState
  readonly keys: readonly VerifierKey[]
  readonly findings: Findings
  /** Claimed trees: pinned checkpoint, witnesses, an earlier check. */
  readonly claimed: readonly SignedTree[]
}

/** How many checkpoints were seen, for the report. */
export interface CountedSource extends LogSource<StoredEntry> {
  readonly checkpoints: () => number
}

/** @throws StoreUnavailable from its reads. */
export function databaseLog(options: DatabaseLogOptions): CountedSource {
  const { store, state } = options
  const begin = globalIndexOf(state.log, 0)
  let checkpoints = 0
  const count = (): void => {
    checkpoints++
  }
  return {
    name: `log ${state.log}`,
    size: state.size,
    root: state.root,
    entries: (from) => readEntries(store, begin, globalIndexOf(state.log + 1, 0), from),
    tile: async (level, index) => (await store.findTile(state.log, level, index))?.hashes,
    signedTrees: (from) => merged(readCheckpoints(options, from, count), options.claimed, from),
    checkpoints: () => checkpoints,
  }
}

async function* readEntries(
  store: Store,
  begin: number,
  end: number,
  from: number,
): AsyncGenerator<readonly StoredEntry[]> {
  let next = begin + from
  for (;;) {
    const rows = await store.listLogEntries(next, end, batchSize)
    if (rows.length > 0) {
      yield rows.map((row) => ({ index: row.globalIndex - begin, leaf: row.leaf, hash: row.hash, row }))
    }
    if (rows.length < batchSize) return
    next = (rows.at(-1)?.globalIndex ?? end) + 1
  }
}

async function* readCheckpoints(
  { store, state, keys, findings }: DatabaseLogOptions,
  from: number,
  count: () => void,
): AsyncGenerator<SignedTree> {
  let next = from
  for (;;) {
    const records = await store.listCheckpointsFrom(state.log, next, checkpointBatch)
    for (const record of records) {
      count()
      const signed = readCheckpoint(record, state, keys, findings)
      if (signed !== undefined) yield signed
    }
    if (records.length < checkpointBatch) return
    next = (records.at(-1)?.size ?? next) + 1
  }
}

/** What a stored checkpoint states, where the log's key says so. */
function readCheckpoint(
  { size, note, cosignatures }: CheckpointRecord,
  { log, origin }: LogState,
  keys: readonly VerifierKey[],
  findings: Findings,
): SignedTree | undefined {
  const location = `log ${log}, checkpoint of size ${size}`
  try {
    const { checkpoint, note: parsed } = parseCheckpointNote(note + cosignatures)
    if (checkpoint.origin !== origin || checkpoint.size !== size) {
      findings.report('checkpoint-unreadable', location, 'it is of another log or size than its row')
      return undefined
    }
    const { good, bad } = verifyNoteSignatures(parsed, keys)
    if (bad.length > 0 || !good.some(({ key }) => key.kind === 'ed25519')) {
      const why =
        bad.length > 0 ? `the signature of ${bad[0]?.name} is wrong` : 'no known key of the log signed it'
      findings.report('checkpoint-unsigned', location, why)
      return undefined
    }
    return { size, root: checkpoint.root, named: `the checkpoint of size ${size}` }
  } catch {
    findings.report('checkpoint-unreadable', location, 'it is no signed checkpoint')
    return undefined
  }
}

/** Both in one order, the smallest first. */
async function* merged(
  stored: AsyncIterable<SignedTree>,
  claimed: readonly SignedTree[],
  from: number,
): AsyncGenerator<SignedTree> {
  const waiting = claimed.filter(({ size }) => size >= from).sort((a, b) => a.size - b.size)
  for await (const signed of stored) {
    while (waiting[0] !== undefined && waiting[0].size <= signed.size) yield* waiting.splice(0, 1)
    yield signed
  }
  yield* waiting
}
