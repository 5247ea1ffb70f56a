/** `audit verify` of a database: collects keys, pinned and given checkpoints, and reports what was checked. */
import type { VerifierKey } from 'miniseal-protocol/tlog/signed-note'
import { readOperatorPaths } from '../config/environment.ts'
import { readServiceKey } from '../keys/keyring.ts'
import type { SecretWrapper } from '../keys/wrapping.ts'
import { createSecretWrapper } from '../keys/wrapping.ts'
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
import { CommandFailed } from './command.ts'
import { withDatabase } from './database.ts'
import { readLookupKey } from './master-key.ts'
import { parseVkey } from './option-values.ts'
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
  /** Text output: what was checked, and what was not. */
  readonly lines: readonly string[]
  /** The same as JSON. */
  readonly checked: Readonly<Record<string, unknown>>
}

/** Verifies the database of `MINISEAL_DATABASE`. @throws CommandFailed when it does not exist or cannot be read */
export async function verifyDatabase(options: VerifyOptions, terminal: Terminal): Promise<VerifyResult> {
  const { dataFolder, masterKeys } = readOperatorPaths(terminal.environment)
  const wrapper = masterKeys === undefined ? undefined : createSecretWrapper(masterKeys)
  if (options.isIncremental && wrapper === undefined) {
    throw new CommandFailed('--since requires MINISEAL_MASTER_KEY: the last result is encrypted with it')
  }
  // Before the snapshot: the log may grow meanwhile, and must contain this checkpoint.
  const pinned = await readPinnedCheckpoints(dataFolder)
  const sources = { dataFolder, wrapper, pinned }
  return await withDatabase(terminal, (store) => verifyStore(store, sources, options, terminal), {
    isSnapshot: true,
  })
}

/** What `audit verify` reads beside the database. */
export interface VerifySources {
  readonly dataFolder: string
  readonly wrapper: SecretWrapper | undefined
  readonly pinned: readonly PinnedCheckpointFile[]
}

/** Verifies an open database. @throws CommandFailed */
export async function verifyStore(
  store: Store,
  { dataFolder, wrapper, pinned }: VerifySources,
  options: VerifyOptions,
  terminal: Terminal,
): Promise<VerifyResult> {
  const findings = collectFindings()
  const keys = await findLogKeys(store, wrapper, options.vkeys)
  const pinnedCheckpoints = pinnedCheckpointClaims(pinned, keys.keysOf, findings)
  const given = await readGivenCheckpoints(options.checkpoints, keys.keysOf)
  const last = wrapper === undefined ? undefined : await findLastCheck(dataFolder, wrapper)
  const before = (last ?? []).map((log) => ({ ...log, named: `the last run (${log.size} entries)` }))
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
  if (findings.count === 0 && wrapper !== undefined)
    await saveResult(dataFolder, wrapper, report.logs, terminal)
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
  const from = since === null ? '' : `, from entry ${since.join(' and ')} on`
  return [
    ...(logs === 0 ? ['the database has no log yet'] : []),
    `checked: ${entries} entries, ${checkpoints} checkpoints${from}`,
    pinned.length > 0
      ? `pinned checkpoint: ${pinned.map(({ size }) => size).join(' and ')}`
      : 'no pinned checkpoint in MINISEAL_DATA: a restored backup cannot be detected',
    ...(given.length > 0 ? [`given checkpoints: ${given.map(({ size }) => size).join(', ')}`] : []),
    ...losses.map(
      ({ origin, signed, here, successor }) =>
        `${origin} was restored from a backup: ${here} of ${signed} signed entries are present; ${successor} continues it and references all ${signed}`,
    ),
    details === null
      ? 'details not checked: MINISEAL_MASTER_KEY is not set'
      : `details: ${details.opened} decrypted, ${details.erased} erased, ${details.absent} absent`,
    ...(keys === 'database'
      ? ['the log key was read from the database itself: give --vkey with the key from a trusted source']
      : []),
    ...(pending > 0 ? [`${pending} entries are pending`] : []),
  ]
}

/** The checks that require the master key. */
async function keyedChecks(store: Store, wrapper: SecretWrapper, findings: Findings): Promise<KeyedChecks> {
  const lookupKey = await readLookupKey(store, wrapper)
  const details = checkDetails({
    findings,
    findKey: createSubjectKeyFinder(store, wrapper),
    blindIndexOf: cacheBlindIndex(createBlindIndex(lookupKey)),
    now: Math.floor(Date.now() / 1000),
  })
  return { details, macs: createRowMacs(lookupKey) }
}

interface KeyedChecks {
  readonly details: DetailCheck
  readonly macs: RowMacs
}

/** Only the given log keys, if any; otherwise those of the database. */
async function findLogKeys(
  store: Store,
  wrapper: SecretWrapper | undefined,
  vkeys: readonly string[],
): Promise<{ readonly keysOf: KeysOf; readonly from: 'given' | 'master-key' | 'database' }> {
  const given = vkeys.map(parseVkey)
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

/** A log key signs under the name of its log; a witness signs for every log. */
function isFor({ kind, name }: VerifierKey, origin: string): boolean {
  return kind === 'cosignature' || name === origin
}

/** The files of --checkpoint. @throws CommandFailed */
export async function readGivenCheckpoints(
  files: readonly string[],
  keysOf: KeysOf,
): Promise<readonly ClaimedTree[]> {
  try {
    return await Promise.all(files.map((file) => readClaimFile(file, keysOf)))
  } catch (error) {
    throw new CommandFailed(
      error instanceof ClaimRefused ? error.message : 'a checkpoint file cannot be read',
    )
  }
}

async function saveResult(
  folder: string,
  wrapper: SecretWrapper,
  logs: readonly CheckedLog[],
  terminal: Terminal,
): Promise<void> {
  try {
    await saveLastCheck(folder, wrapper, logs)
  } catch {
    terminal.err('the result cannot be saved in MINISEAL_DATA: --since last will not continue from it\n')
  }
}
