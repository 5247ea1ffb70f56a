/** What is known of a log outside its database: the anchor, checkpoints that somebody kept, an earlier check. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { NotedCheckpoint } from 'miniseal-protocol/tlog/checkpoint'
import { parseCheckpointNote } from 'miniseal-protocol/tlog/checkpoint'
import type { VerifierKey } from 'miniseal-protocol/tlog/signed-note'
import { openCheckpointLock } from '../checkpoint-lock.ts'
import { verifyNoteSignatures } from '../evidence/note.ts'
import type { ClaimedTree } from './check-database.ts'
import type { Findings } from './findings.ts'

export type KeysOf = (origin: string) => readonly VerifierKey[]

/** Why a checkpoint that was handed in cannot be used. */
export class ClaimRefused extends Error {}

/**
 * Reads a checkpoint that an auditor or a witness kept.
 *
 * @param named what it is called in findings
 * @throws ClaimRefused when it is no checkpoint, or no known key of the log or of a witness signed it.
 */
export function readClaim(note: string, keysOf: KeysOf, named: string): ClaimedTree {
  const { checkpoint, note: parsed } = parseClaim(note, named)
  const verdict = verifyNoteSignatures(parsed, keysOf(checkpoint.origin))
  if (verdict.bad.length > 0)
    throw new ClaimRefused(`${named} has a wrong signature of ${verdict.bad[0]?.name}`)
  if (verdict.good.length === 0) throw new ClaimRefused(`${named} is signed by no known key`)
  return { ...checkpoint, named }
}

function parseClaim(note: string, named: string): NotedCheckpoint {
  try {
    return parseCheckpointNote(note)
  } catch {
    throw new ClaimRefused(`${named} is no signed checkpoint`)
  }
}

/** A file of the anchor as it was found. */
export interface CheckpointLockFile {
  readonly name: string
  /** The signed note, or why there is none. */
  readonly found: { readonly note: string; readonly size: number } | Error | undefined
}

/**
 * Reads the anchor in a data folder, one checkpoint for each origin. To be read before the database: what is signed
 * meanwhile would look as if it were missing there.
 */
export async function readCheckpointLock(dataFolder: string): Promise<readonly CheckpointLockFile[]> {
  const checkpointLock = openCheckpointLock(dataFolder)
  const names = await namesIn(join(dataFolder, 'log-anchor'))
  return await Promise.all(
    names.map(async (name): Promise<CheckpointLockFile> => {
      try {
        return { name, found: await checkpointLock.find(decodeURIComponent(name)) }
      } catch (error) {
        return { name, found: error instanceof Error ? error : new Error('it cannot be read') }
      }
    }),
  )
}

/** What the anchor says, as far as a known key has signed it; the rest is a finding. */
export function checkpointLockClaims(
  files: readonly CheckpointLockFile[],
  keysOf: KeysOf,
  findings: Findings,
): readonly ClaimedTree[] {
  return files.flatMap(({ name, found }) => {
    if (found === undefined) return []
    try {
      if (found instanceof Error) throw found
      return [readClaim(found.note, keysOf, `the anchor of size ${found.size}`)]
    } catch (error) {
      findings.report('anchor-unreadable', `anchor of ${name}`, error instanceof Error ? error.message : '')
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

/** @throws ClaimRefused see {@link readClaim}; the system's error where the file cannot be read. */
export async function readClaimFile(path: string, keysOf: KeysOf): Promise<ClaimedTree> {
  return readClaim(await readFile(path, 'utf8'), keysOf, `the checkpoint of ${path}`)
}
