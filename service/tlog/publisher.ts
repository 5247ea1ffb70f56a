/**
 * Signs checkpoints, each consistent with all earlier ones.
 *
 * A checkpoint is proved consistent with the last one, then pinned, then inserted into the database, from which it is
 * served. After a crash in between, pinned checkpoint and database are still consistent.
 */
import { equalBytes } from 'miniseal-protocol/bytes'
import { type NoteSignature, noteKeyId, parseNote } from 'miniseal-protocol/tlog/signed-note'
import type { Keyring } from '../keys/keyring.ts'
import type { LogNames } from '../keys/publication.ts'
import { sodiumPrimitives } from '../keys/sodium-primitives.ts'
import type { Write } from '../store/store.ts'
import type { CheckpointRecord, LogState } from '../store/tlog-tree.ts'
import { signCheckpoint } from './checkpoint.ts'
import type { Assessment, LogDependencies, LogEvent, LogHealth, Proved } from './log-health.ts'
import { assessLog } from './log-health.ts'
import { startWrites } from './origin.ts'

/** The age at which a checkpoint is signed again, in seconds. */
const reissueAge = 600

export interface Publisher {
  /**
   * Assesses the log and signs a checkpoint if one is due. Steps run one after another.
   *
   * @param isPrompt signs even if another checkpoint was signed in this second
   */
  step(isPrompt?: boolean): Promise<void>
  health(): LogHealth
  /** The largest signed size, as far as this process has read. */
  signed(): { readonly log: number; readonly size: number } | undefined
  /** The names of the logs at the last step. */
  names(): LogNames
}

/** State between steps. */
interface Memory {
  health: LogHealth
  names: LogNames & { readonly log: number | undefined }
  signed: { readonly log: number; readonly size: number } | undefined
  /** The checkpoint whose reissue was requested. */
  requested: { readonly log: number; readonly size: number } | undefined
  readonly proved: Proved
}

export function createPublisher(
  parts: LogDependencies,
  now: () => number,
  record: (event: LogEvent) => void,
): Publisher {
  const memory: Memory = {
    health: 'starting',
    names: noLog(parts),
    signed: undefined,
    requested: undefined,
    proved: { mark: '' },
  }
  const enter = (health: LogHealth): void => {
    if (health !== memory.health) record({ kind: 'health', health })
    memory.health = health
  }
  const step = async (isPrompt: boolean): Promise<void> => {
    const assessment = await assessStarted(parts, memory.proved, now())
    memory.names = await namesOf(parts, memory.names, assessment.state)
    if (assessment.kind === 'refused') {
      enter(assessment.refusal)
      if (assessment.refusal === 'pinned-checkpoint-missing')
        await seekPinnedCheckpoint(parts, memory, assessment)
      return
    }
    const { state, checkpoint } = assessment
    await recordOtherLogs(parts, memory, assessment)
    memory.requested = undefined
    const note = signedNote(parts.keyring, state, now())
    if (isDue(state, checkpoint, now(), isPrompt) || hasOtherKeys(parts.keyring, checkpoint, note)) {
      await publish(parts, state, { last: checkpoint, note, signedAt: now() })
      memory.signed = { log: state.log, size: state.size }
      record({ kind: 'signed', origin: state.origin, size: state.size })
    }
    enter('open')
  }
  let steps: Promise<unknown> = Promise.resolve()
  return {
    step(isPrompt = false) {
      const next = steps.then(() => step(isPrompt))
      steps = next.catch(() => {})
      return next
    },
    health: () => memory.health,
    signed: () => memory.signed,
    names: () => memory.names,
  }
}

/** Before the first start. */
function noLog({ origin }: LogDependencies): Memory['names'] {
  return { log: undefined, origin, ended: [] }
}

/** Read again only when a new log was started. Clients cache the names for a day. */
async function namesOf(
  parts: LogDependencies,
  known: Memory['names'],
  state: LogState | undefined,
): Promise<Memory['names']> {
  if (state === undefined) return noLog(parts)
  const { log, origin } = state
  if (known.log === log && known.origin === origin) return known
  const before = log === 0 ? [] : (await parts.store.listLogStates()).filter((other) => other.log < log)
  return { log, origin, ended: before.map((other) => other.origin).reverse() }
}

type Started = Exclude<Assessment, { kind: 'unstarted' }>
type Sound = Extract<Assessment, { kind: 'sound' }>

/** Starts the first log of a database; exactly one of several processes succeeds. */
async function assessStarted(parts: LogDependencies, proved: Proved, now: number): Promise<Started> {
  for (;;) {
    const assessment = await assessLog(parts, proved)
    if (assessment.kind !== 'unstarted') return assessment
    const { store, origin, macs } = parts
    await store.commit(startWrites({ log: 0, origin, previous: undefined, now, macs }))
  }
}

/** Pins checkpoints and successors of other machines, so that this machine detects a restore. */
async function recordOtherLogs(
  { store, checkpointPin }: LogDependencies,
  memory: Memory,
  { state, checkpoint, pinnedCheckpoint }: Sound,
): Promise<void> {
  if (checkpoint !== undefined && checkpoint.size > (pinnedCheckpoint?.size ?? -1))
    await checkpointPin.keep(checkpoint.note)
  if (state.log > 0 && memory.signed?.log !== state.log) {
    const before = (await store.listLogStates()).find(({ log }) => log === state.log - 1)
    if (before !== undefined) await checkpointPin.close(before.origin, state.origin)
  }
  memory.signed = { log: state.log, size: Math.max(pinnedCheckpoint?.size ?? 0, checkpoint?.size ?? 0) }
}

/**
 * A process without a pinned checkpoint cannot detect a restored backup, so it requests a reissue of the newest checkpoint.
 * Processes sign only if the database matches their pinned checkpoint: a reissued checkpoint proves that, and is pinned.
 */
async function seekPinnedCheckpoint(
  { store, checkpointPin }: LogDependencies,
  memory: Memory,
  { state, checkpoint }: Extract<Assessment, { kind: 'refused' }>,
): Promise<void> {
  if (state === undefined || checkpoint === undefined) return
  const { requested } = memory
  if (requested?.log !== state.log) {
    memory.requested = { log: state.log, size: checkpoint.size }
    await store.commit([{ kind: 'request-checkpoint-reissue', ...memory.requested }])
    return
  }
  if (checkpoint.size > requested.size || checkpoint.signedAt > 0) await checkpointPin.keep(checkpoint.note)
}

function isDue(state: LogState, last: CheckpointRecord | undefined, now: number, isPrompt: boolean): boolean {
  if (last === undefined) return true
  if (state.size > last.size) return isPrompt || last.signedAt !== now
  return last.signedAt + reissueAge <= now
}

/** Signs with every active key. @throws Error if there is none */
function signedNote(keyring: Keyring, { origin, size, root }: LogState, at: number): string {
  const keys = keyring.published('log', at).filter(({ notBefore }) => notBefore <= at)
  if (keys.length === 0) throw new Error('no log key is active')
  return signCheckpoint({ origin, size, root }, keys)
}

/** Whether keys changed since the last signature. False if an unknown key signed: another process has newer keys. */
function hasOtherKeys(keyring: Keyring, last: CheckpointRecord | undefined, note: string): boolean {
  if (last === undefined || last.note === note) return false
  const [before, now] = [parseNote(last.note), parseNote(note)]
  const known = keyring.known('log').map(({ publicKey }) => publicKey)
  const isKnown = ({ name, keyId }: NoteSignature): boolean =>
    known.some((publicKey) =>
      equalBytes(noteKeyId(sodiumPrimitives, { kind: 'ed25519', name, publicKey }), keyId),
    )
  return before.text === now.text && before.signatures.every(isKnown)
}

interface Signing {
  readonly last: CheckpointRecord | undefined
  readonly note: string
  readonly signedAt: number
}

/** Pins the checkpoint first: every published checkpoint is pinned. */
async function publish(
  { store, checkpointPin }: LogDependencies,
  { log, size }: LogState,
  { last, note, signedAt }: Signing,
): Promise<void> {
  await checkpointPin.keep(note)
  const write: Write =
    last?.size === size
      ? { kind: 'reissue-checkpoint', log, size, signedBefore: last.signedAt, signedAt, note }
      : { kind: 'insert-checkpoint', log, size, signedAt, note }
  // Refused if another process was first; it signed the same tree.
  await store.commit([write])
}
