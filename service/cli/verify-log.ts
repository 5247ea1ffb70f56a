/** `audit verify`: collects keys and checkpoints, checks a database or a log over HTTP, and reports what was checked. */
import type { VerifierKey } from 'miniseal-protocol/tlog/signed-note'
import { readOperatorPaths } from '../config/environment.ts'
import { readServiceKey } from '../keys/keyring.ts'
import type { SecretWrapper } from '../keys/wrapping.ts'
import { createSecretWrapper } from '../keys/wrapping.ts'
import type { Store } from '../store/store.ts'
import { cacheBlindIndex, createBlindIndex } from '../tlog/blind-index.ts'
import type { CheckedLog, ClaimedTree, KeyedChecks } from '../tlog/fsck/check-database.ts'
import { checkDatabase } from '../tlog/fsck/check-database.ts'
import { checkDetails, readLeaf } from '../tlog/fsck/check-entry.ts'
import type { FoundEntry } from '../tlog/fsck/check-tree.ts'
import { checkTree } from '../tlog/fsck/check-tree.ts'
import type { ExplainedLoss, KeysOf, PinnedCheckpointFile } from '../tlog/fsck/claims.ts'
import {
  ClaimRefused,
  explainLosses,
  findLastCheck,
  pinnedCheckpointClaims,
  readClaim,
  readClaimFile,
  readPinnedCheckpoints,
  saveLastCheck,
} from '../tlog/fsck/claims.ts'
import type { Findings } from '../tlog/fsck/findings.ts'
import { collectFindings } from '../tlog/fsck/findings.ts'
import { HttpLogFailed, httpLog, readHttpCheckpoint } from '../tlog/fsck/http-log.ts'
import { createRowMacs } from '../tlog/row-macs.ts'
import { createSubjectKeyFinder } from '../tlog/subject-keys.ts'
import type { Terminal } from './command.ts'
import { asCommandFailed, CommandFailed, UsageError } from './command.ts'
import { currentTime, readLookupKey, withDatabase } from './database.ts'
import { parseVkey } from './option-values.ts'
import type { Progress } from './terminal.ts'
import { startProgress } from './terminal.ts'

interface VerifyOptions {
  readonly isIncremental: boolean
  /** File names. */
  readonly checkpoints: readonly string[]
  readonly vkeys: readonly string[]
}

export interface VerifyResult {
  readonly findings: Findings
  readonly logs: readonly CheckedLog[]
  /** Text output: the extent of the check. */
  readonly lines: readonly string[]
  /** The same as JSON. */
  readonly checked: Readonly<Record<string, unknown>>
}

/** Verifies the database of `MINISEAL_DATABASE`. @throws CommandFailed if it does not exist or cannot be read */
export async function verifyDatabase(options: VerifyOptions, terminal: Terminal): Promise<VerifyResult> {
  const { dataFolder, masterKeys } = readOperatorPaths(terminal.environment)
  const wrapper = masterKeys === undefined ? undefined : createSecretWrapper(masterKeys)
  if (options.isIncremental && wrapper === undefined) {
    throw new CommandFailed('--since requires MINISEAL_MASTER_KEY: the last result is encrypted with it')
  }
  // Before the snapshot, which then contains all pinned entries.
  const pinned = await readPinnedCheckpoints(dataFolder)
  const sources = { dataFolder, wrapper, pinned }
  return await withDatabase(terminal, (store) => verifyStore(store, sources, options, terminal), {
    isSnapshot: true,
  })
}

/** Inputs of `audit verify` other than the database. */
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
  const { claimed, losses } = await explainLosses(store, { own: [...pinnedCheckpoints, ...before], given })
  const progress = startProgress(terminal, 'verifying')
  const report = await checkDatabase({
    store,
    findings,
    keysOf: keys.keysOf,
    claimed,
    keyed,
    since: new Map(options.isIncremental ? (last ?? []).map((log) => [log.origin, log]) : []),
    onProgress: progress.show,
  })
  progress.clear()
  keyed?.details.finish()
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
    details: keyed === undefined ? null : { ...keyed.details.count },
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
      ? ['the log key was read from the database itself: set MINISEAL_MASTER_KEY, or give --vkey']
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
    now: currentTime(),
  })
  return { details, macs: createRowMacs(lookupKey) }
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

/** A log key is for one log; the key of a witness is for all. */
function isFor({ kind, name }: VerifierKey, origin: string): boolean {
  return kind === 'cosignature' || name === origin
}

/** The files of --checkpoint. @throws CommandFailed */
async function readGivenCheckpoints(
  files: readonly string[],
  keysOf: KeysOf,
): Promise<readonly ClaimedTree[]> {
  try {
    return await Promise.all(files.map((file) => readClaimFile(file, keysOf)))
  } catch (error) {
    throw new CommandFailed(
      error instanceof ClaimRefused ? error.message : 'the file of --checkpoint cannot be read',
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
    terminal.err('the result cannot be saved in MINISEAL_DATA; --since last will not use it\n')
  }
}

// Over HTTP: the checkpoint and tiles of a log, and with a token its entries.

/**
 * Verifies a log over HTTP.
 *
 * @param url of the log, `https://pay.example.com/log`
 * @param token of an auditor; without it entries are not served
 * @throws UsageError without the key of the log: the served key proves nothing
 * @throws CommandFailed if the log cannot be read
 */
export async function verifyUrl(
  { vkeys, checkpoints }: VerifyOptions,
  url: string,
  token: string | undefined,
  terminal: Terminal,
): Promise<VerifyResult> {
  const keys = vkeys.map(parseVkey)
  if (!keys.some(({ kind }) => kind === 'ed25519'))
    throw new UsageError('--url requires --vkey with the key of the log, from a trusted source')
  if (!/^https?:\/\//.test(url))
    throw new UsageError('--url must be a URL such as https://pay.example.com/log')
  const progress = startProgress(terminal, 'verifying')
  const verify = () => verifyLog({ keys, checkpoints, url, token }, progress.show)
  return await asCommandFailed(verify, ClaimRefused, HttpLogFailed).finally(progress.clear)
}

interface HttpCheck {
  readonly keys: readonly VerifierKey[]
  readonly checkpoints: readonly string[]
  readonly url: string
  readonly token: string | undefined
}

async function verifyLog(
  { keys, checkpoints, url, token }: HttpCheck,
  onProgress: Progress['show'],
): Promise<VerifyResult> {
  const keysOf = () => keys
  const findings = collectFindings()
  const current = readClaim(await readHttpCheckpoint(url), keysOf, 'the checkpoint of the log')
  const given = await readGivenCheckpoints(checkpoints, keysOf)
  for (const { origin, named } of given) {
    if (origin !== current.origin) findings.report('log-missing', origin, `the log is not that of ${named}`)
  }
  const claimed = [current, ...given.filter(({ origin }) => origin === current.origin)]
  const inspect = (entries: readonly FoundEntry[]): void => {
    for (const { index, leaf } of entries) {
      try {
        if (leaf !== undefined) readLeaf(leaf)
      } catch {
        findings.report('entry-unreadable', `entry ${index}`, 'the bytes are not an entry')
      }
    }
  }
  const tree = await checkTree({
    source: httpLog(url, token, current, claimed),
    findings,
    inspect,
    since: undefined,
    onProgress,
  })
  const entries = token === undefined ? 0 : tree.size
  return {
    findings,
    logs: [{ origin: current.origin, ...tree }],
    checked: {
      entries,
      leaves: tree.size,
      given: given.map(({ size }) => size),
      keys: 'given',
      details: null,
    },
    lines: [
      token === undefined
        ? `checked: the tree over ${tree.size} leaf hashes; entries not checked: no --token`
        : `checked: ${entries} entries`,
      'details not checked: not served over HTTP',
    ],
  }
}
