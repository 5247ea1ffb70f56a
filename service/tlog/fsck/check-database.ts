/** Checks every log of a database. Nothing in the database is trusted. */
import { equalBytes } from 'miniseal-protocol/bytes'
import { parseCheckpointNote } from 'miniseal-protocol/tlog/checkpoint'
import type { VerifierKey } from 'miniseal-protocol/tlog/signed-note'
import type { Store } from '../../store/store.ts'
import type { LogEntry } from '../../store/tlog-entries.ts'
import { globalIndexOf, indexesPerLog } from '../../store/tlog-entries.ts'
import type { CheckpointRecord, HourlyCount, LogState } from '../../store/tlog-tree.ts'
import { verifyNoteSignatures } from '../checkpoint.ts'
import { isAuthentic, isWrittenByService, type RowMacs } from '../row-macs.ts'
import type { DetailCheck } from './check-entry.ts'
import { checkColumns } from './check-entry.ts'
import type { FoundEntry, LogSource, SignedTree, VerifiedTree } from './check-tree.ts'
import { checkTree } from './check-tree.ts'
import type { Findings } from './findings.ts'
import { hashLeaf, tileWidth } from './recomputed-tree.ts'

/** A tree of a log, from a source outside the database. */
export interface ClaimedTree extends SignedTree {
  readonly origin: string
}

/** The checks that require the master key. */
export interface KeyedChecks {
  readonly macs: RowMacs
  readonly details: DetailCheck
}

export interface DatabaseCheck {
  readonly store: Store
  readonly findings: Findings
  /** The keys of a log, by its origin. */
  readonly keysOf: (origin: string) => readonly VerifierKey[]
  /** Pinned and given checkpoints, and the last check. */
  readonly claimed: readonly ClaimedTree[]
  /** `undefined`: details stay sealed, and rows that no checkpoint covers are not authenticated. */
  readonly keyed: KeyedChecks | undefined
  /** The result of the last check, by origin; empty: everything is checked. */
  readonly since: ReadonlyMap<string, VerifiedTree>
  readonly onProgress: (done: number, total: number) => void
}

/** Totals of the check. */
export interface DatabaseReport {
  readonly logs: readonly CheckedLog[]
  /** Entries read and hashed. */
  readonly entries: number
  readonly checkpoints: number
  /** Pending entries. */
  readonly pending: number
}

export interface CheckedLog extends VerifiedTree {
  readonly origin: string
}

/** @throws StoreUnavailable when the database cannot be read. */
export async function checkDatabase(check: DatabaseCheck): Promise<DatabaseReport> {
  const { store, findings } = check
  const states = await store.listLogStates()
  checkStates(states, check)
  const hours = tallyHours()
  const total = states.reduce((sum, { size }) => sum + size, 0)
  const logs: CheckedLog[] = []
  let [entries, checkpoints] = [0, 0]
  for (const state of states) {
    const done = entries
    const checked = await checkLog(state, check, hours, (within) => check.onProgress(done + within, total))
    logs.push({ origin: state.origin, ...checked.tree })
    entries += checked.entries
    checkpoints += checked.checkpoints
  }
  await reportStrays(store, states, findings)
  const isWhole = check.since.size === 0
  if (isWhole) await hours.compare(store.streamHourlyCounts(0, Number.MAX_SAFE_INTEGER), findings)
  return { logs, entries, checkpoints, pending: await checkPending(check) }
}

/** Log numbers have no gaps, and every claimed log exists. */
function checkStates(states: readonly LogState[], { claimed, findings, keyed }: DatabaseCheck): void {
  for (const [expected, state] of states.entries()) {
    const { log } = state
    if (keyed !== undefined && !isAuthentic(keyed.macs, state)) {
      findings.report('root-changed', `log ${log}`, 'the MAC of its size and root is invalid')
    }
    if (log !== expected)
      findings.report('log-missing', `log ${expected}`, 'the database does not have this log')
  }
  const origins = new Set(states.map(({ origin }) => origin))
  for (const { origin, named } of claimed) {
    if (!origins.has(origin))
      findings.report('log-missing', origin, `the database does not have the log of ${named}`)
  }
}

async function checkLog(
  state: LogState,
  check: DatabaseCheck,
  hours: HourTally,
  onProgress: (done: number) => void,
) {
  const { store, findings, keyed } = check
  const { source, checkpoints } = databaseLog({
    store,
    state,
    findings,
    keys: check.keysOf(state.origin),
    claimed: check.claimed.filter(({ origin }) => origin === state.origin),
  })
  let entries = 0
  const inspect = async (batch: readonly StoredEntry[]): Promise<void> => {
    for (const { row, index } of batch) {
      const location = `${source.name}, entry ${index}`
      const leaf = checkColumns(row, location, findings)
      hours.add(row.at, row.kind, row.result, row.code ?? '')
      if (leaf !== undefined) await keyed?.details.check(row, leaf, location)
    }
    entries += batch.length
  }
  const since = check.since.get(state.origin)
  const tree = await checkTree({ source, findings, inspect, onProgress, since })
  const [tiles, expected] = [await store.countTiles(state.log), tilesOf(state.size)]
  if (tiles !== expected) {
    findings.report('tile-beyond', source.name, `the database has ${tiles} tiles, the tree ${expected}`)
  }
  return { tree, entries, checkpoints: checkpoints() }
}

/** The number of tiles of a tree, on all levels. */
function tilesOf(size: number): number {
  let tiles = 0
  for (let width = size; width > 0; width = Math.floor(width / tileWidth))
    tiles += Math.ceil(width / tileWidth)
  return tiles
}

/** Entries that belong to no log. */
async function reportStrays(store: Store, states: readonly LogState[], findings: Findings): Promise<void> {
  const numbers = new Set(states.map(({ log }) => log))
  let from = Number.MIN_SAFE_INTEGER
  for (const number of [...numbers, Number.NaN]) {
    const end = Number.isNaN(number) ? Number.MAX_SAFE_INTEGER : globalIndexOf(number, 0)
    for (const { globalIndex } of await store.listLogEntries(from, end, 1)) {
      findings.report(
        'entry-beyond',
        `index ${globalIndex}`,
        `log ${Math.floor(globalIndex / indexesPerLog)} does not exist`,
      )
    }
    from = globalIndexOf(number + 1, 0)
  }
}

/** Pending entries are few; the first ones are checked. */
const maxPending = 1_000

/** @returns the number of pending entries checked */
async function checkPending({ store, findings, keyed }: DatabaseCheck): Promise<number> {
  const pending = await store.listPending(maxPending)
  for (const row of pending) {
    const location = `pending entry ${Buffer.from(row.id).toString('hex')}`
    const isWhole = equalBytes(hashLeaf(row.leaf), row.hash)
    if (!isWhole) {
      findings.report('pending-changed', location, 'the stored hash differs from the hash of the bytes')
    }
    if ((await store.findLogEntryById(row.id)) !== undefined) {
      findings.report('pending-changed', location, 'the entry is already sequenced')
    }
    if (keyed !== undefined && !isWrittenByService(keyed.macs, row)) {
      findings.report('pending-changed', location, 'the MAC is missing or invalid')
    } else if (isWhole) {
      keyed?.details.seePending(row.leaf)
    }
    checkColumns(row, location, findings)
  }
  return pending.length
}

// A log of the database, as the source of a check.

/** A row with its index in the log. */
interface StoredEntry extends FoundEntry {
  readonly leaf: Uint8Array
  readonly hash: Uint8Array
  readonly row: LogEntry
}

/** Rows of one read: a few milliseconds. */
const batchSize = 512

const checkpointBatch = 500

interface DatabaseLogOptions {
  readonly store: Store
  readonly state: LogState
  readonly keys: readonly VerifierKey[]
  readonly findings: Findings
  /** Trees from outside the database. */
  readonly claimed: readonly SignedTree[]
}

/** @throws StoreUnavailable from its reads. */
function databaseLog(options: DatabaseLogOptions) {
  const { store, state } = options
  const begin = globalIndexOf(state.log, 0)
  let checkpoints = 0
  const source: LogSource<StoredEntry> = {
    name: `log ${state.log}`,
    size: state.size,
    root: state.root,
    entries: (from) => readEntries(store, begin, globalIndexOf(state.log + 1, 0), from),
    tile: async (level, index) => (await store.findTile(state.log, level, index))?.hashes,
    signedTrees: (from) =>
      merged(
        readCheckpoints(options, from, () => checkpoints++),
        options.claimed,
        from,
      ),
  }
  return { source, checkpoints: () => checkpoints }
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

/** The tree of a stored checkpoint, if a log key signed it. */
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
      findings.report('checkpoint-unreadable', location, 'the note states another log or size than the row')
      return undefined
    }
    const { good, bad } = verifyNoteSignatures(parsed, keys)
    if (bad.length > 0 || !good.some(({ key }) => key.kind === 'ed25519')) {
      const reason =
        bad.length > 0 ? `the signature of ${bad[0]?.name} is invalid` : 'no known log key signed it'
      findings.report('checkpoint-unsigned', location, reason)
      return undefined
    }
    return { size, root: checkpoint.root, named: `the checkpoint of size ${size}` }
  } catch {
    findings.report('checkpoint-unreadable', location, 'the note is not a signed checkpoint')
    return undefined
  }
}

/** Merges both, the smallest first. */
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

// Hourly counts, recomputed from the entries.

interface HourTally {
  /** @param at milliseconds since 1970 */
  add(at: number, kind: string, result: string, code: string): void
  /** Compares with what is stored. */
  compare(stored: AsyncIterable<readonly HourlyCount[]>, findings: Findings): Promise<void>
}

/** One number for each hour and kind of entry: a few MiB for a year. */
function tallyHours(): HourTally {
  const counts = new Map<string, number>()
  return {
    add(at, kind, result, code) {
      const name = nameOf(Math.floor(at / 3_600_000) * 3600, kind, result, code)
      counts.set(name, (counts.get(name) ?? 0) + 1)
    },
    async compare(stored, findings) {
      const remaining = new Map(counts)
      for await (const page of stored) {
        for (const { hour, kind, result, code, entries } of page) {
          const name = nameOf(hour, kind, result, code)
          const counted = remaining.get(name) ?? 0
          remaining.delete(name)
          if (counted !== entries) report(findings, name, entries, counted)
        }
      }
      for (const [name, counted] of remaining) report(findings, name, 0, counted)
    },
  }
}

function nameOf(hour: number, kind: string, result: string, code: string): string {
  return `${new Date(hour * 1000).toISOString().slice(0, 13)}:00Z ${kind} ${result} ${code}`.trimEnd()
}

function report(findings: Findings, name: string, stored: number, counted: number): void {
  findings.report(
    'hourly-count-changed',
    `hour ${name}`,
    `the table counts ${stored} entries, the log has ${counted}`,
  )
}
