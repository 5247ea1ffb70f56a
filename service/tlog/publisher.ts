/**
 * Signs checkpoints: never one that does not continue what was signed before.
 *
 * Each is proved consistent with the last one from the tiles of the database, then pinned, then inserted into the database,
 * from where it is served. After a crash in between, the pinned checkpoint and the database are still consistent.
 */
import { equalBytes } from 'miniseal-protocol/bytes'
import { type NoteSignature, noteKeyId, parseNote } from 'miniseal-protocol/tlog/signed-note'
import type { Keyring } from '../keys/keyring.ts'
import type { LogNames } from '../keys/publication.ts'
import { sodiumPrimitives } from '../keys/sodium-primitives.ts'
import type { Write } from '../store/store.ts'
import type { CheckpointRecord, LogState } from '../store/tlog-tree.ts'
import { signCheckpoint } from './checkpoint.ts'
import type { LogEvent, LogHealth } from './log-health.ts'
import { type Assessment, assessLog, type LogPaths, type Proved } from './log-health.ts'
import { startWrites } from './origin.ts'

/** How old a checkpoint gets before it is signed anew, in seconds. */
const reissueAge = 600

export interface Publisher {
  /**
   * Assesses the log and signs what is due. Steps run one after another.
   *
   * @param isPrompt signs even if another checkpoint was signed in this second
   */
  step(isPrompt?: boolean): Promise<void>
  health(): LogHealth
  /** The largest size that this process knows to be signed. */
  signed(): { readonly log: number; readonly size: number } | undefined
  /** As of the last step, consistent with each other. */
  names(): LogNames
}

/** State between steps. */
interface Memory {
  health: LogHealth
  names: LogNames & { readonly log: number | undefined }
  signed: { readonly log: number; readonly size: number } | undefined
  /** The checkpoint whose reissue was requested from a process with a pinned checkpoint. */
  asked: { readonly log: number; readonly size: number } | undefined
  readonly proved: Proved
}

/** Makes the publisher of one process. */
export function createPublisher(
  paths: LogPaths,
  now: () => number,
  record: (event: LogEvent) => void,
): Publisher {
  const memory: Memory = {
    health: { kind: 'starting' },
    names: noLog(paths),
    signed: undefined,
    asked: undefined,
    proved: { mark: '' },
  }
  const enter = (health: LogHealth): void => {
    if (nameOf(health) !== nameOf(memory.health)) record({ kind: 'health', health })
    memory.health = health
  }
  const step = async (isPrompt: boolean): Promise<void> => {
    const assessment = await assessStarted(paths, memory.proved, now())
    memory.names = await namesOf(paths, memory.names, assessment.state)
    if (assessment.kind === 'refused') {
      enter({ kind: 'refused', refusal: assessment.refusal })
      if (assessment.refusal === 'pinned-checkpoint-missing')
        await seekPinnedCheckpoint(paths, memory, assessment)
      return
    }
    const { state, checkpoint } = assessment
    await recordOtherLogs(paths, memory, assessment)
    memory.asked = undefined
    const note = signedNote(paths.keyring, state, now())
    if (isDue(state, checkpoint, now(), isPrompt) || isSignedOtherwise(paths.keyring, checkpoint, note)) {
      await publish(paths, state, { last: checkpoint, note, signedAt: now() })
      memory.signed = { log: state.log, size: state.size }
      record({ kind: 'signed', origin: state.origin, size: state.size })
    }
    enter({ kind: 'open' })
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
function noLog({ origin }: LogPaths): Memory['names'] {
  return { log: undefined, origin, ended: [] }
}

/** Reread only when a new log was started. Origin and list change together: clients cache them for a day. */
async function namesOf(
  paths: LogPaths,
  known: Memory['names'],
  state: LogState | undefined,
): Promise<Memory['names']> {
  if (state === undefined) return noLog(paths)
  const { log, origin } = state
  if (known.log === log && known.origin === origin) return known
  const before = log === 0 ? [] : (await paths.store.listLogStates()).filter((other) => other.log < log)
  return { log, origin, ended: before.map((other) => other.origin).reverse() }
}

function nameOf(health: LogHealth): string {
  return health.kind === 'refused' ? health.refusal : health.kind
}

type Started = Exclude<Assessment, { kind: 'unstarted' }>
type Sound = Extract<Assessment, { kind: 'sound' }>

/** Starts the first log of a database; of several processes exactly one does. */
async function assessStarted(paths: LogPaths, proved: Proved, now: number): Promise<Started> {
  for (;;) {
    const assessment = await assessLog(paths, proved)
    if (assessment.kind !== 'unstarted') return assessment
    const { store, origin, macs } = paths
    await store.commit(startWrites({ log: 0, origin, previous: undefined, now, macs }))
  }
}

/** Pins what other machines have signed or started, so that this machine notices a restore. */
async function recordOtherLogs(
  { store, checkpointPin }: LogPaths,
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
 * Without a pinned checkpoint a restored backup cannot be told from the live database. A process that has one can: it is
 * asked to reissue the newest checkpoint. A reissued checkpoint proves that the database matches its pinned checkpoint,
 * because no process signs without one.
 */
async function seekPinnedCheckpoint(
  { store, checkpointPin }: LogPaths,
  memory: Memory,
  { state, checkpoint }: Extract<Assessment, { kind: 'refused' }>,
): Promise<void> {
  if (state === undefined || checkpoint === undefined) return
  const { asked } = memory
  if (asked?.log !== state.log) {
    memory.asked = { log: state.log, size: checkpoint.size }
    await store.commit([{ kind: 'request-checkpoint-reissue', ...memory.asked }])
    return
  }
  if (checkpoint.size > asked.size || checkpoint.signedAt > 0) await checkpointPin.keep(checkpoint.note)
}

function isDue(state: LogState, last: CheckpointRecord | undefined, now: number, isPrompt: boolean): boolean {
  if (last === undefined) return true
  if (state.size > last.size) return isPrompt || last.signedAt !== now
  return last.signedAt + reissueAge <= now
}

/** Signed with every key that is in use. @throws Error when there is none. */
function signedNote(keyring: Keyring, { origin, size, root }: LogState, at: number): string {
  const keys = keyring.published('log', at).filter(({ notBefore }) => notBefore <= at)
  if (keys.length === 0) throw new Error('there is no log key in use')
  return signCheckpoint({ origin, size, root }, keys)
}

/**
 * Keys changed since the last signature. False if an unknown key has signed: another process has newer keys.
 */
function isSignedOtherwise(keyring: Keyring, last: CheckpointRecord | undefined, note: string): boolean {
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

/** The pinned checkpoint is written first: nothing is published that is not pinned. */
async function publish(
  { store, checkpointPin }: LogPaths,
  { log, size }: LogState,
  { last, note, signedAt }: Signing,
): Promise<void> {
  await checkpointPin.keep(note)
  const write: Write =
    last?.size === size
      ? { kind: 'reissue-checkpoint', log, size, signedBefore: last.signedAt, signedAt, note }
      : { kind: 'insert-checkpoint', log, size, signedAt, note }
  // Refused when another process was first: it has signed the same tree.
  await store.commit([write])
}
