/** Statements about a log from outside its database: pinned checkpoints, given checkpoints, the last check. */
import { readdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { equalBytes } from 'miniseal-protocol/bytes'
import { decodeBase64, encodeBase64 } from 'miniseal-protocol/text'
import type { NotedCheckpoint } from 'miniseal-protocol/tlog/checkpoint'
import { parseCheckpointNote } from 'miniseal-protocol/tlog/checkpoint'
import type { VerifierKey } from 'miniseal-protocol/tlog/signed-note'
import type { SecretContext, SecretWrapper } from '../../keys/wrapping.ts'
import type { Store } from '../../store/store.ts'
import { globalIndexOf } from '../../store/tlog-entries.ts'
import { verifyNoteSignatures } from '../checkpoint.ts'
import { openCheckpointPin } from '../checkpoint-pin.ts'
import type { CheckedLog, ClaimedTree } from './check-database.ts'
import type { Findings } from './findings.ts'

export type KeysOf = (origin: string) => readonly VerifierKey[]

/** A given checkpoint cannot be used; the message is for the operator. */
export class ClaimRefused extends Error {}

/**
 * Reads a checkpoint from an auditor or a witness.
 *
 * @param named what it is called in findings
 * @throws ClaimRefused unless it is a checkpoint with a valid signature of a known key
 */
export function readClaim(note: string, keysOf: KeysOf, named: string): ClaimedTree {
  const { checkpoint, note: parsed } = parseClaim(note, named)
  const verdict = verifyNoteSignatures(parsed, keysOf(checkpoint.origin))
  if (verdict.bad.length > 0)
    throw new ClaimRefused(`the signature of ${verdict.bad[0]?.name} in ${named} is invalid`)
  if (verdict.good.length === 0) throw new ClaimRefused(`${named} is not signed by a known key`)
  return { ...checkpoint, named }
}

function parseClaim(note: string, named: string): NotedCheckpoint {
  try {
    return parseCheckpointNote(note)
  } catch {
    throw new ClaimRefused(`${named} is not a signed checkpoint`)
  }
}

/** A pinned checkpoint; not verified. */
export interface PinnedCheckpointFile {
  readonly name: string
  /** The signed note, or why there is none. */
  readonly found: { readonly note: string; readonly size: number } | Error | undefined
}

/**
 * Reads the pinned checkpoints in a data folder, one for each origin. Read them before the database: otherwise entries
 * signed in between seem to be missing.
 */
export async function readPinnedCheckpoints(dataFolder: string): Promise<readonly PinnedCheckpointFile[]> {
  const checkpointPin = openCheckpointPin(dataFolder)
  const names = await namesIn(join(dataFolder, 'pinned-checkpoints'))
  return await Promise.all(
    names.map(async (name): Promise<PinnedCheckpointFile> => {
      try {
        return { name, found: await checkpointPin.find(decodeURIComponent(name)) }
      } catch (error) {
        return { name, found: error instanceof Error ? error : new Error('the file cannot be read') }
      }
    }),
  )
}

/** The pinned checkpoints that a known key signed; others are findings. */
export function pinnedCheckpointClaims(
  files: readonly PinnedCheckpointFile[],
  keysOf: KeysOf,
  findings: Findings,
): readonly ClaimedTree[] {
  return files.flatMap(({ name, found }) => {
    if (found === undefined) return []
    try {
      if (found instanceof Error) throw found
      return [readClaim(found.note, keysOf, `the pinned checkpoint of size ${found.size}`)]
    } catch (error) {
      findings.report(
        'pinned-checkpoint-unreadable',
        `pinned checkpoint of ${name}`,
        error instanceof Error ? error.message : '',
      )
      return []
    }
  })
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder)
  } catch {
    return []
  }
}

/** @throws ClaimRefused see {@link readClaim}; the system error if the file cannot be read */
export async function readClaimFile(path: string, keysOf: KeysOf): Promise<ClaimedTree> {
  return readClaim(await readFile(path, 'utf8'), keysOf, `the checkpoint of ${path}`)
}

// Recorded losses: after a restore, the first entry of the next log cites the last checkpoint of the previous one.

/** A signed tree that is no longer in the database. */
export interface ExplainedLoss {
  readonly origin: string
  /** Entries that were signed. */
  readonly signed: number
  /** Entries of this log in the database. */
  readonly here: number
  /** The log whose first entry cites it. */
  readonly successor: string
}

interface Cited {
  readonly size: number
  readonly root: Uint8Array
  readonly successor: string
}

/**
 * Separates claims that the database must satisfy from those that a later log cites as lost. A citation explains a claim
 * of exactly the cited tree, and a smaller claim of this machine. The citing entry is checked with its own log.
 *
 * @param own pinned checkpoints and earlier checks of this machine
 * @param given checkpoints of witnesses and auditors
 * @throws StoreUnavailable
 */
export async function explainLosses(
  store: Pick<Store, 'listLogStates' | 'listLogEntries'>,
  { own, given }: { readonly own: readonly ClaimedTree[]; readonly given: readonly ClaimedTree[] },
): Promise<{ readonly claimed: readonly ClaimedTree[]; readonly losses: readonly ExplainedLoss[] }> {
  const states = await store.listLogStates()
  const sizes = new Map(states.map(({ origin, size }) => [origin, size]))
  const cited = new Map<string, Cited>()
  for (const { log, origin } of states) {
    const [first] = await store.listLogEntries(globalIndexOf(log, 0), globalIndexOf(log, 1), 1)
    const citation = first === undefined ? undefined : citationOf(first.leaf)
    if (citation !== undefined) cited.set(citation.origin, { ...citation, successor: origin })
  }
  const losses = new Map<string, ExplainedLoss>()
  const isRequired = ({ origin, size, root }: ClaimedTree, isOwn: boolean): boolean => {
    const here = sizes.get(origin) ?? 0
    const past = cited.get(origin)
    if (past === undefined || size <= here || size > past.size) return true
    if (size === past.size ? !equalBytes(root, past.root) : !isOwn) return true
    losses.set(origin, { origin, signed: past.size, here, successor: past.successor })
    return false
  }
  const required = [
    ...own.filter((claim) => isRequired(claim, true)),
    ...given.filter((claim) => isRequired(claim, false)),
  ]
  return { claimed: required, losses: [...losses.values()] }
}

/** The citation in the first entry of a log. Not verified here. */
function citationOf(leaf: Uint8Array) {
  try {
    const { x } = JSON.parse(new TextDecoder().decode(leaf)) as { x?: Record<string, unknown> }
    const { previous_origin: origin, previous_size: size, previous_root: root } = x ?? {}
    if (typeof origin !== 'string' || typeof size !== 'number' || typeof root !== 'string') return undefined
    return { origin, size, root: decodeBase64(root) }
  } catch {
    return undefined
  }
}

// The result of the last successful check. The file is encrypted with the master key, so it cannot be forged; without it
// the next check is a full one.

const context: SecretContext = { column: 'log-verified', row: '' }

function pathIn(folder: string): string {
  return join(folder, 'log-verified.json')
}

/** @throws the system error if the folder cannot be written */
export async function saveLastCheck(
  folder: string,
  wrapper: SecretWrapper,
  logs: readonly CheckedLog[],
): Promise<void> {
  const rows = logs.map(({ origin, size, root }) => ({ origin, size, root: encodeBase64(root) }))
  const sealed = wrapper.wrap(new Uint8Array(Buffer.from(JSON.stringify(rows))), context)
  const draft = `${pathIn(folder)}.${process.pid}`
  await writeFile(draft, `${JSON.stringify({ sealed: encodeBase64(sealed) })}\n`, { mode: 0o600 })
  await rename(draft, pathIn(folder))
}

/** `undefined` if there is none, or it was sealed with another master key. */
export async function findLastCheck(
  folder: string,
  wrapper: SecretWrapper,
): Promise<readonly CheckedLog[] | undefined> {
  try {
    const file: unknown = JSON.parse(await readFile(pathIn(folder), 'utf8'))
    const { sealed } = file as { readonly sealed: string }
    const text = Buffer.from(wrapper.unwrap(decodeBase64(sealed), context)).toString()
    const rows = JSON.parse(text) as readonly { origin: string; size: number; root: string }[]
    return rows.map(({ origin, size, root }) => ({ origin, size, root: decodeBase64(root) }))
  } catch {
    return undefined
  }
}

/** The end of the last successful check (UNIX seconds), and the size of the newest log. */
export async function findLastCheckTime(
  folder: string,
  wrapper: SecretWrapper,
): Promise<{ readonly at: number; readonly size: number } | undefined> {
  const newest = (await findLastCheck(folder, wrapper))?.at(-1)
  if (newest === undefined) return undefined
  const { mtimeMs } = await stat(pathIn(folder))
  return { at: Math.floor(mtimeMs / 1_000), size: newest.size }
}
