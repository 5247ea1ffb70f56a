/** Checks every log of a database; nothing in the database is trusted. */
import { equalBytes } from 'miniseal-protocol/bytes'
import type { VerifierKey } from 'miniseal-protocol/tlog/signed-note'
import type { Store } from '../../store/store.ts'
import { globalIndexOf, indexesPerLog } from '../../store/tlog-entries.ts'
import type { HourlyCount, LogState } from '../../store/tlog-tree.ts'
import { isAuthentic, isWrittenByService, type RowMacs } from '../row-macs.ts'
import type { CheckDetail } from './check-entry.ts'
import { checkColumns } from './check-entry.ts'
import type { SignedTree, VerifiedTree } from './check-tree.ts'
import { checkTree } from './check-tree.ts'
import type { StoredEntry } from './database-log.ts'
import { databaseLog } from './database-log.ts'
import type { Findings } from './findings.ts'
import { hashLeaf, tileWidth } from './recomputed-tree.ts'

/** A tree of a log according to a source outside the database. */
export interface ClaimedTree extends SignedTree {
  readonly origin: string
}

export interface DatabaseCheck {
  readonly store: Store
  readonly findings: Findings
  /** Of each log, by its origin. */
  readonly keysOf: (origin: string) => readonly VerifierKey[]
  /** From the pinned checkpoint, witnesses, an earlier check. */
  readonly claimed: readonly ClaimedTree[]
  /** `undefined`: details stay sealed. */
  readonly checkDetail: CheckDetail | undefined
  /** Called for each authentic pending entry. */
  readonly seePending: ((leaf: Uint8Array) => void) | undefined
  /** `undefined`: rows that no checkpoint covers are not authenticated. */
  readonly macs: RowMacs | undefined
  /** Where an earlier check ended, by origin; empty: everything is checked. */
  readonly since: ReadonlyMap<string, VerifiedTree>
  readonly onProgress: (done: number, total: number) => void
}

/** Totals of the check. */
export interface DatabaseReport {
  readonly logs: readonly CheckedLog[]
  /** Entries that were read and hashed. */
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
function checkStates(states: readonly LogState[], { claimed, findings, macs }: DatabaseCheck): void {
  for (const [expected, state] of states.entries()) {
    const { log } = state
    if (macs !== undefined && !isAuthentic(macs, state)) {
      findings.report(
        'root-changed',
        `log ${log}`,
        'the service did not write the size and root that are stated',
      )
    }
    if (log !== expected) findings.report('log-missing', `log ${expected}`, 'there is no such log')
  }
  const origins = new Set(states.map(({ origin }) => origin))
  for (const { origin, named } of claimed) {
    if (!origins.has(origin)) findings.report('log-missing', origin, `${named} is of a log that is not here`)
  }
}

async function checkLog(
  state: LogState,
  check: DatabaseCheck,
  hours: HourTally,
  onProgress: (done: number) => void,
) {
  const { store, findings, checkDetail } = check
  const source = databaseLog({
    store,
    state,
    findings,
    keys: check.keysOf(state.origin),
    claimed: check.claimed.filter(({ origin }) => origin === state.origin),
  })
  const since = check.since.get(state.origin)
  let entries = 0
  const inspect = async (batch: readonly StoredEntry[]): Promise<void> => {
    for (const { row, index } of batch) {
      const location = `${source.name}, entry ${index}`
      const leaf = checkColumns(row, location, findings)
      hours.add(row.at, row.kind, row.result, row.code ?? '')
      if (leaf !== undefined && checkDetail !== undefined) await checkDetail(row, leaf, location)
    }
    entries += batch.length
  }
  const shared = { source, findings, inspect, onProgress }
  const tree = await checkTree(since === undefined ? shared : { ...shared, since })
  const [tiles, expected] = [await store.countTiles(state.log), tilesOf(state.size)]
  if (tiles !== expected) {
    findings.report('tile-beyond', source.name, `there are ${tiles} tiles, the tree has ${expected}`)
  }
  return { tree, entries, checkpoints: source.checkpoints() }
}

/** How many tiles a tree of this size has, of all levels. */
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
        `it belongs to no log (${Math.floor(globalIndex / indexesPerLog)})`,
      )
    }
    from = globalIndexOf(number + 1, 0)
  }
}

const stagedBatch = 1_000

/** @returns the number of pending entries checked */
async function checkPending({ store, findings, macs, seePending }: DatabaseCheck): Promise<number> {
  const pending = await store.listPending(stagedBatch)
  for (const row of pending) {
    const location = `pending entry ${Buffer.from(row.id).toString('hex')}`
    const isWhole = equalBytes(hashLeaf(row.leaf), row.hash)
    if (!isWhole) {
      findings.report('pending-changed', location, 'its stored hash is not the hash of its bytes')
    }
    if ((await store.findLogEntryById(row.id)) !== undefined) {
      findings.report('pending-changed', location, 'it is already sequenced')
    }
    if (macs !== undefined && !isWrittenByService(macs, row)) {
      findings.report('pending-changed', location, 'the service did not put it there')
    } else if (macs !== undefined && isWhole) {
      seePending?.(row.leaf)
    }
    checkColumns(row, location, findings)
  }
  return pending.length
}

// Hourly counts, recomputed from the entries.

export interface HourTally {
  /** @param at milliseconds since 1970 */
  add(at: number, kind: string, result: string, code: string): void
  /** Compares with what is stored. */
  compare(stored: AsyncIterable<readonly HourlyCount[]>, findings: Findings): Promise<void>
}

/** Holds a number for each hour and what happened in it: a few MiB for a year. */
function tallyHours(): HourTally {
  const counts = new Map<string, number>()
  return {
    add(at, kind, result, code) {
      const name = nameOf(Math.floor(at / 3_600_000) * 3600, kind, result, code)
      counts.set(name, (counts.get(name) ?? 0) + 1)
    },
    async compare(stored, findings) {
      const left = new Map(counts)
      for await (const page of stored) {
        for (const { hour, kind, result, code, entries } of page) {
          const name = nameOf(hour, kind, result, code)
          const counted = left.get(name) ?? 0
          left.delete(name)
          if (counted !== entries) report(findings, name, entries, counted)
        }
      }
      for (const [name, counted] of left) report(findings, name, 0, counted)
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
    `the table counts ${stored} entries, there are ${counted}`,
  )
}
