/** The log of a running service: sequencing, publishing, witnessing and timestamping in one process. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { LogNames } from '../keys/publication.ts'
import { ProblemError } from '../problems/problem-error.ts'
import type { CheckpointRecord } from '../store/tlog-tree.ts'
import type { EntryGate, LogDependencies, LogEvent, LogHealth, LogTask } from './log-health.ts'
import { startLoop } from './loop.ts'
import { createPublisher, type Publisher } from './publisher.ts'
import type { LogReader } from './reader.ts'
import { createLogReader } from './reader.ts'
import { createSequencer } from './sequencer.ts'
import { startTimestamping } from './timestamps.ts'
import { startWitnessing, type WitnessTarget } from './witnesses.ts'

/** Milliseconds between two checkpoints, between two requests to a witness, and between polls for other processes. */
const defaultPeriod = 1_000

/** Milliseconds between two batches. */
const sequencingPause = 100

/** How many periods a start waits for a process with a pinned checkpoint, and polls in each of them. */
const pinPatience = 3
const pinPolls = 5

/** Attempts to sequence pending entries before the log stops. */
const lastAttempts = 3

export interface LogOptions extends LogDependencies {
  readonly witnesses: readonly WitnessTarget[]
  readonly timestampUrl: string | undefined
  /** UNIX seconds. */
  readonly now: () => number
  /** Never throws. */
  readonly record: (event: LogEvent) => void
  /** Replaces {@link defaultPeriod}. Below 1000, several checkpoints are signed in one second. */
  readonly period?: number | undefined
}

export interface WitnessStatus {
  readonly name: string
  /** Entries of the newest checkpoint beyond its last cosigned one. */
  readonly behind: number
  /** Seconds since its last cosignature; `null`: none yet. */
  readonly age: number | null
  /** Why the last attempt failed. */
  readonly failure: string | null
}

/** For `/readyz`, metrics and commands. */
export interface LogStatus {
  readonly health: LogHealth
  readonly origin: string
  /** Leaves in the tree. */
  readonly size: number
  /** Leaves under the newest checkpoint; `null` before the first one. */
  readonly checkpointSize: number | null
  /** Seconds since its signature; `null` before the first one and while a reissue is requested. */
  readonly checkpointAge: number | null
  /** Entries that are not sequenced yet. */
  readonly pending: number
  readonly witnesses: readonly WitnessStatus[]
}

export interface RunningLog {
  readonly gate: EntryGate
  readonly reader: LogReader
  names(): LogNames
  /** @throws StoreUnavailable */
  status(): Promise<LogStatus>
  /** Sequences all pending entries and signs a last checkpoint. Call it after the last append. */
  stop(): Promise<void>
}

/** Opens the log, or starts the first one. Resolves after the first assessment. */
export async function openLog(options: LogOptions): Promise<RunningLog> {
  const { store, now, record, period = defaultPeriod } = options
  const reader = createLogReader(store)
  const witnessing = startWitnessing({
    ...options,
    period,
    reader,
    onFailure: (error) => record({ kind: 'failed', task: 'witnessing', error }),
  })
  const timestamping = startTimestamping({
    ...options,
    pause: period,
    reader,
    onFailure: (error) => record({ kind: 'failed', task: 'timestamping', error }),
  })
  const publisher = createPublisher(options, now, (event) => {
    record(event)
    if (event.kind !== 'signed') return
    witnessing.notify()
    timestamping.notify()
  })
  const guarded = (task: LogTask, work: () => Promise<void>) => async (): Promise<void> => {
    try {
      await work()
    } catch (error) {
      record({ kind: 'failed', task, error })
    }
  }
  const publish = guarded('publishing', () => publisher.step(period < 1_000))
  await firstSteps(publisher, publish, period)
  const publishLoop = startLoop(publish, { pause: period, period })
  const sequencer = createSequencer(options, publisher, (event) => {
    record(event)
    publishLoop.notify()
  })
  const drainLoop = startLoop(guarded('sequencing', sequencer.drain), {
    pause: sequencingPause,
    period,
  })
  return {
    gate: {
      assertAcceptingEntries() {
        if (publisher.health() === 'open' && !sequencer.isDamaged()) return
        throw new ProblemError('unavailable', 'audit log unavailable; request refused')
      },
      notify: drainLoop.notify,
    },
    reader,
    names: publisher.names,
    status: () => readStatus(publisher, sequencer.isDamaged(), options),
    async stop() {
      await Promise.all([drainLoop.stop(), publishLoop.stop()])
      await finish(guarded('sequencing', sequencer.drain), () => store.hasPending())
      await guarded('publishing', () => publisher.step(true))()
      await Promise.all([witnessing.stop(), timestamping.stop()])
    },
  }
}

/** Pending entries would get no checkpoint until the next start, so a busy database is retried. */
async function finish(drain: () => Promise<void>, hasMore: () => Promise<boolean>): Promise<void> {
  for (let attempt = 1; attempt <= lastAttempts; attempt++) {
    await drain()
    if (!(await hasMore().catch(() => true))) return
  }
}

/** A process without a pinned checkpoint may get one through another process. */
async function firstSteps(publisher: Publisher, publish: () => Promise<void>, period: number): Promise<void> {
  const until = performance.now() + pinPatience * period
  for (;;) {
    await publish()
    if (publisher.health() !== 'pinned-checkpoint-missing' || performance.now() > until) return
    await sleep(period / pinPolls)
  }
}

async function readStatus(publisher: Publisher, isDamaged: boolean, options: LogOptions): Promise<LogStatus> {
  const { store, now } = options
  const health = publisher.health()
  const state = await store.findLogState()
  const checkpoint = state && (await store.findLatestCheckpoint(state.log))
  const signedAt = checkpoint?.signedAt ?? 0
  return {
    health: health === 'open' && isDamaged ? 'tree-damaged' : health,
    origin: publisher.names().origin,
    size: state?.size ?? 0,
    checkpointSize: checkpoint?.size ?? null,
    checkpointAge: signedAt === 0 ? null : Math.max(0, now() - signedAt),
    pending: await store.countPending(),
    witnesses: await readWitnesses(options, checkpoint),
  }
}

async function readWitnesses(
  { store, witnesses, now }: LogOptions,
  checkpoint: CheckpointRecord | undefined,
): Promise<readonly WitnessStatus[]> {
  if (witnesses.length === 0) return []
  const records = await store.listWitnesses()
  return witnesses.map(({ name }) => {
    const record = records.find((known) => known.name === name)
    const size = record?.log === checkpoint?.log ? (record?.size ?? 0) : 0
    const cosignedAt = record?.cosignedAt ?? null
    return {
      name,
      behind: Math.max(0, (checkpoint?.size ?? 0) - size),
      age: cosignedAt === null ? null : Math.max(0, now() - cosignedAt),
      failure: record?.failure ?? null,
    }
  })
}
