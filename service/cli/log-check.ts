/** The check of a database's log, from what the environment names to a result that can be shown. */
import { existsSync } from 'node:fs'
import type { VerifierKey } from 'miniseal-protocol/tlog/signed-note'
import { parseVerifierKey } from 'miniseal-protocol/tlog/signed-note'
import type { OperatorPaths } from '../config/operator-paths.ts'
import { readOperatorPaths } from '../config/operator-paths.ts'
import { readServiceKey } from '../keys/service-key.ts'
import { sodiumPrimitives } from '../keys/sodium-primitives.ts'
import type { SecretWrapper } from '../keys/wrapping.ts'
import { createSecretWrapper } from '../keys/wrapping.ts'
import { openStore } from '../store/open-store.ts'
import type { Store } from '../store/store.ts'
import { cacheBlindIndex, createBlindIndex } from '../tlog/blind-index.ts'
import type { CheckedLog, ClaimedTree } from '../tlog/fsck/check-database.ts'
import { checkDatabase } from '../tlog/fsck/check-database.ts'
import type { DetailCheck } from '../tlog/fsck/check-entry.ts'
import { checkDetails } from '../tlog/fsck/check-entry.ts'
import type { ExplainedLoss, KeysOf, PinnedCheckpointFile } from '../tlog/fsck/claims.ts'
import {
  ClaimRefused,
  explainLosses,
  pinnedCheckpointClaims,
  readClaimFile,
  readPinnedCheckpoints,
} from '../tlog/fsck/claims.ts'
import type { Findings } from '../tlog/fsck/findings.ts'
import { collectFindings } from '../tlog/fsck/findings.ts'
import { findLastCheck, saveLastCheck } from '../tlog/fsck/last-check.ts'
import { createRowMacs, type RowMacs } from '../tlog/row-macs.ts'
import { createSubjectKeyFinder } from '../tlog/subject-keys.ts'
import type { Terminal } from './command.ts'
import { CommandFailed, UsageError } from './command.ts'
import { startProgress } from './terminal.ts'

export interface VerifyOptions {
  readonly isIncremental: boolean
  /** Files. */
  readonly checkpoints: readonly string[]
  readonly vkeys: readonly string[]
}

export interface VerifyResult {
  readonly findings: Findings
  readonly logs: readonly CheckedLog[]
  /** For people: what was looked at, and what was not. */
  readonly lines: readonly string[]
  /** The same for scripts. */
  readonly checked: Readonly<Record<string, unknown>>
}

/**
 * Checks the database that `MINISEAL_DATABASE` names.
 *
 * @throws CommandFailed when there is none, or when it cannot be read.
 */
export async function verifyDatabase(options: VerifyOptions, terminal: Terminal): Promise<VerifyResult> {
  const paths = readOperatorPaths(terminal.environment)
  const { database } = paths
  if (database.kind === 'sqlite' && !existsSync(database.path)) {
    throw new CommandFailed(
      `there is no database at ${database.path}: set MINISEAL_DATABASE as for the service`,
    )
  }
  const checkpointPin = await readPinnedCheckpoints(paths.dataFolder)
  const store = await openStore(database, { isSnapshot: true })
  try {
    return await verifyStore(store, { ...paths, checkpointPin }, options, terminal)
  } finally {
    await store.close()
  }
}

async function verifyStore(
  store: Store,
  {
    dataFolder,
    masterKeys,
    checkpointPin,
  }: OperatorPaths & { readonly checkpointPin: readonly PinnedCheckpointFile[] },
  options: VerifyOptions,
  terminal: Terminal,
): Promise<VerifyResult> {
  const wrapper = masterKeys === undefined ? undefined : createSecretWrapper(masterKeys)
  if (options.isIncremental && wrapper === undefined) {
    throw new CommandFailed('--since needs MINISEAL_MASTER_KEY: the last check is kept sealed with it')
  }
  const findings = collectFindings()
  const keys = await findLogKeys(store, wrapper, options.vkeys)
  const pinnedCheckpoints = pinnedCheckpointClaims(checkpointPin, keys.keysOf, findings)
  const given = await readGiven(options.checkpoints, keys.keysOf)
  const last = wrapper === undefined ? undefined : await findLastCheck(dataFolder, wrapper)
  const before = (last ?? []).map((log) => ({ ...log, named: `the last check (${log.size} entries)` }))
  const keyed = wrapper === undefined ? undefined : await keyedChecks(store, wrapper, findings)
  const details = keyed?.details
  const { claimed, losses } = await explainLosses(store, { own: [...pinnedCheckpoints, ...before], given })
  const progress = startProgress(terminal, 'verifying')
  const report = await checkDatabase({
    store,
    findings,
    keysOf: keys.keysOf,
    claimed,
    checkDetail: details?.check,
    seePending: details?.seePending,
    macs: keyed?.macs,
    since: new Map(options.isIncremental ? (last ?? []).map((log) => [log.origin, log]) : []),
    onProgress: progress.show,
  })
  progress.clear()
  details?.finish()
  if (findings.count === 0 && wrapper !== undefined) await keep(dataFolder, wrapper, report.logs, terminal)
  const checked = {
    entries: report.entries,
    checkpoints: report.checkpoints,
    pending: report.pending,
    pinned: pinnedCheckpoints.map(({ origin, size }) => ({ origin, size })),
    given: given.map(({ origin, size }) => ({ origin, size })),
    keys: keys.from,
    losses,
    details: details === undefined ? null : { ...details.count },
    since: options.isIncremental && last !== undefined ? last.map(({ size }) => size) : null,
  }
  return { findings, logs: report.logs, checked, lines: linesOf(checked, report.logs.length) }
}

type Checked = Readonly<{
  entries: number
  checkpoints: number
  pending: number
  pinned: readonly { readonly size: number }[]
  given: readonly { readonly size: number }[]
  losses: readonly ExplainedLoss[]
  keys: 'given' | 'master-key' | 'database'
  details: { readonly opened: number; readonly erased: number; readonly absent: number } | null
  since: readonly number[] | null
}>

function linesOf(checked: Checked, logs: number): readonly string[] {
  const { entries, checkpoints, pending, pinned, given, losses, keys, details, since } = checked
  const from = since === null ? '' : `, on from ${since.join(' and ')}`
  return [
    ...(logs === 0 ? ['no log has been started in this database'] : []),
    `checked: ${entries} entries, ${checkpoints} checkpoints${from}`,
    pinned.length > 0
      ? `pinned checkpoint: ${pinned.map(({ size }) => size).join(' and ')}`
      : 'no pinned checkpoint in MINISEAL_DATA: a restored backup cannot be detected',
    ...(given.length > 0 ? [`given checkpoints: ${given.map(({ size }) => size).join(', ')}`] : []),
    ...losses.map(
      ({ origin, signed, here, successor }) =>
        `${origin} was put back from a backup: ${here} of ${signed} signed entries are here; ${successor} goes on and cites all ${signed}`,
    ),
    details === null
      ? 'details not checked: MINISEAL_MASTER_KEY is not given'
      : `details: ${details.opened} opened, ${details.erased} erased, ${details.absent} without`,
    ...(keys === 'database'
      ? ['the log’s key was taken from the database itself: give --vkey to pin the one that you know']
      : []),
    ...(pending > 0 ? [`${pending} entries are pending`] : []),
  ]
}

/** What takes the master key. */
async function keyedChecks(store: Store, wrapper: SecretWrapper, findings: Findings): Promise<KeyedChecks> {
  const record = (await store.listServiceKeys()).find(({ kind }) => kind === 'lookup')
  if (record === undefined) throw new CommandFailed('the database has no lookup key: it is not a service’s')
  const { secretKey } = readServiceKey(record, wrapper)
  const details = checkDetails({
    findings,
    findKey: createSubjectKeyFinder(store, wrapper),
    blindIndexOf: cacheBlindIndex(createBlindIndex(secretKey)),
    now: Math.floor(Date.now() / 1000),
  })
  return { details, macs: createRowMacs(secretKey) }
}

interface KeyedChecks {
  readonly details: DetailCheck
  readonly macs: RowMacs
}

/** Given keys count alone. Those of the database are only as good as what protects them. */
async function findLogKeys(
  store: Store,
  wrapper: SecretWrapper | undefined,
  vkeys: readonly string[],
): Promise<{ readonly keysOf: KeysOf; readonly from: 'given' | 'master-key' | 'database' }> {
  const given = vkeys.map(parseKey)
  if (given.some(({ kind }) => kind === 'ed25519')) {
    return { keysOf: (origin) => given.filter((key) => isFor(key, origin)), from: 'given' }
  }
  const records = (await store.listServiceKeys()).filter(({ kind }) => kind === 'log')
  const publicKeys = records.map((record) =>
    wrapper === undefined ? record.publicKey : readServiceKey(record, wrapper).publicKey,
  )
  return {
    keysOf: (origin) => [
      ...publicKeys.map((publicKey): VerifierKey => ({ kind: 'ed25519', name: origin, publicKey })),
      ...given,
    ],
    from: wrapper === undefined ? 'database' : 'master-key',
  }
}

/** A log's key signs under the log's name; a witness signs for every log. */
function isFor({ kind, name }: VerifierKey, origin: string): boolean {
  return kind === 'cosignature' || name === origin
}

/** @throws UsageError for what is no verifier key. */
export function parseKey(text: string): VerifierKey {
  try {
    return parseVerifierKey(sodiumPrimitives, text)
  } catch {
    throw new UsageError('--vkey takes a verifier key: name+hash+key, as miniseal keys export prints it')
  }
}

/** @throws CommandFailed for a file that cannot be used. */
export async function readGiven(files: readonly string[], keysOf: KeysOf): Promise<readonly ClaimedTree[]> {
  try {
    return await Promise.all(files.map((file) => readClaimFile(file, keysOf)))
  } catch (error) {
    throw new CommandFailed(
      error instanceof ClaimRefused ? error.message : 'a checkpoint file cannot be read',
    )
  }
}

async function keep(
  folder: string,
  wrapper: SecretWrapper,
  logs: readonly CheckedLog[],
  terminal: Terminal,
): Promise<void> {
  try {
    await saveLastCheck(folder, wrapper, logs)
  } catch {
    terminal.err('the result cannot be kept in MINISEAL_DATA: --since last will not begin here\n')
  }
}
