/** Integrity of the log: checkpoints, cosignatures, gaps, consistency proofs. */
import { encodeBase64 } from 'miniseal-protocol/text'
import type { LeafKind } from 'miniseal-protocol/tlog/audit-leaf'
import type { CheckpointRecord } from '../../store/tlog-tree.ts'
import type { CheckpointRow, ConsistencyAnswer, EntryRow, IntegrityAnswer } from './answers.ts'
import { type AuditDependencies, AuditRefused } from './context.ts'
import { rowsOf } from './entries.ts'
import type { AuditSearch } from './search.ts'

/** Checkpoints and events that are listed. */
const listed = 20

export async function integrityOf(parts: AuditDependencies, search: AuditSearch): Promise<IntegrityAnswer> {
  const { store, reader, now } = parts
  const status = await parts.status()
  const latest = await reader.latestCheckpoint()
  const checkpoints =
    latest === undefined ? [] : await store.listCheckpoints(latest.log, Number.MAX_SAFE_INTEGER, listed)
  const events = async (kind: LeafKind): Promise<readonly EntryRow[]> =>
    rowsOf((await search.page({ kind }, undefined, listed)).entries, parts.findKey)
  const { health, origin, size, pending, checkpointAge: age } = status
  return {
    now: now(),
    ...{ health, origin, size, pending },
    checkpoint:
      latest === undefined ? null : { size: latest.size, age, note: latest.note + latest.cosignatures },
    checkpoints: checkpoints.map(checkpointRow),
    witnesses: (await store.listWitnesses()).map(({ log: _, ...witness }) => witness),
    lastCheck: (await parts.lastCheck()) ?? null,
    gaps: await events('gap'),
    erasures: await events('erased'),
    keyChanges: await events('key-rotated'),
  }
}

function checkpointRow({ size, signedAt, cosignatures, timestampToken }: CheckpointRecord): CheckpointRow {
  const lines = cosignatures.split('\n').filter((line) => line !== '').length
  return { size, signedAt, cosignatures: lines, isTimestamped: timestampToken !== null }
}

/**
 * Proves that the log of an origin extends the tree that an auditor has seen.
 *
 * @param from the size that was seen; attacker-controlled
 * @throws AuditRefused `not_found` for an unknown log, or a size that it does not have; `not_yet` before its first checkpoint
 */
export async function consistencyOf(
  { store, reader }: Pick<AuditDependencies, 'store' | 'reader'>,
  origin: string,
  from: number,
): Promise<ConsistencyAnswer> {
  const state = (await store.listLogStates()).find((known) => known.origin === origin)
  if (state === undefined) throw new AuditRefused('not_found')
  const latest = await reader.latestCheckpoint(state.log)
  if (latest === undefined) throw new AuditRefused('not_yet')
  const { size, note, cosignatures } = latest
  if (from > size) throw new AuditRefused('not_found')
  const proof = await reader.consistency(from, size, state.log)
  return {
    ...{ origin, from, size },
    proof: proof.map((hash) => encodeBase64(hash)),
    checkpoint: note + cosignatures,
  }
}
