/** The log of one process on a database, without the rest of the service. */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openKeyring } from '../../service/keys/keyring.ts'
import { createSecretWrapper } from '../../service/keys/wrapping.ts'
import { type DatabaseLocation, openStore } from '../../service/store/open-store.ts'
import { openCheckpointPin } from '../../service/tlog/checkpoint-pin.ts'
import type { LogDependencies, LogEvent } from '../../service/tlog/log-health.ts'
import { openLog, type RunningLog } from '../../service/tlog/open-log.ts'
import type { WitnessTarget } from '../../service/tlog/witnesses.ts'
import { testMacs, testOrigin } from './log-records.ts'

const wrapper = createSecretWrapper([new Uint8Array(32).fill(7)])

export interface Machine {
  /** The folder of the pinned checkpoint. */
  readonly folder: string
  remove(): void
}

export function newMachine(): Machine {
  const folder = mkdtempSync(join(tmpdir(), 'miniseal-log-'))
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) }
}

export interface OpenedLog {
  readonly log: RunningLog
  readonly dependencies: LogDependencies
  readonly events: LogEvent[]
  /** Moves the clock of this log. */
  advance(seconds: number): void
  /** Stops the log and closes its store. */
  close(): Promise<void>
}

/** The dependencies of a log; the caller closes the store. */
export async function openLogDependencies(
  location: DatabaseLocation,
  folder: string,
  changes: Partial<LogDependencies> = {},
): Promise<LogDependencies> {
  const store = await openStore(location)
  const keyring = await openKeyring(store, wrapper, 1_764_000_000)
  return {
    store,
    keyring,
    macs: testMacs,
    checkpointPin: openCheckpointPin(folder),
    origin: testOrigin,
    isOriginGiven: false,
    ...changes,
  }
}

/** External services of a log. */
export interface LogHelpers {
  readonly witnesses?: readonly WitnessTarget[]
  readonly timestampUrl?: string
}

export async function openTestLog(
  location: DatabaseLocation,
  folder: string,
  changes: Partial<LogDependencies> & LogHelpers = {},
): Promise<OpenedLog> {
  const dependencies = await openLogDependencies(location, folder, changes)
  const events: LogEvent[] = []
  let offset = 0
  const now = (): number => Math.floor(Date.now() / 1000) + offset
  const { witnesses = [], timestampUrl } = changes
  const log = await openLog({
    ...dependencies,
    witnesses,
    timestampUrl,
    now,
    period: 50,
    record: (event) => events.push(event),
  })
  return {
    log,
    dependencies,
    events,
    advance: (seconds) => {
      offset += seconds
    },
    async close() {
      await log.stop()
      await dependencies.store.close()
    },
  }
}

/** A unique seed. */
export function freshSeed(): number {
  return randomBytes(6).readUIntBE(0, 6)
}
