/** A log over a database, as one process of a service has it, without the service around it. */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openKeyring } from '../../service/keys/keyring.ts'
import { createSecretWrapper } from '../../service/keys/wrapping.ts'
import { openAnchor } from '../../service/log/anchor.ts'
import type { LogEvent } from '../../service/log/events.ts'
import { openLog, type RunningLog } from '../../service/log/open-log.ts'
import type { LogPlaces } from '../../service/log/standing.ts'
import type { AskedWitness } from '../../service/log/witnessing.ts'
import { type DatabaseLocation, openStore } from '../../service/store/open-store.ts'
import { testOrigin, testSeals } from './log-records.ts'

const wrapper = createSecretWrapper([new Uint8Array(32).fill(7)])

export interface Machine {
  /** Holds the anchor. */
  readonly folder: string
  remove(): void
}

export function newMachine(): Machine {
  const folder = mkdtempSync(join(tmpdir(), 'miniseal-log-'))
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) }
}

export interface OpenedLog {
  readonly log: RunningLog
  readonly places: LogPlaces
  readonly events: LogEvent[]
  /** Moves the clock of this log. */
  advance(seconds: number): void
  /** Stops the log and closes its store. */
  close(): Promise<void>
}

/** What {@link openPlaces} gives: a log's places, and the store to be closed. */
export async function openPlaces(
  location: DatabaseLocation,
  folder: string,
  changes: Partial<LogPlaces> = {},
): Promise<LogPlaces> {
  const store = await openStore(location)
  const keyring = await openKeyring(store, wrapper, 1_764_000_000)
  return {
    store,
    keyring,
    seals: testSeals,
    anchor: openAnchor(folder),
    origin: testOrigin,
    isOriginGiven: false,
    ...changes,
  }
}

/** Whom a log asks. */
export interface LogHelpers {
  readonly witnesses?: readonly AskedWitness[]
  readonly timestampUrl?: string
}

export async function openTestLog(
  location: DatabaseLocation,
  folder: string,
  changes: Partial<LogPlaces> & LogHelpers = {},
): Promise<OpenedLog> {
  const places = await openPlaces(location, folder, changes)
  const events: LogEvent[] = []
  let offset = 0
  const now = (): number => Math.floor(Date.now() / 1000) + offset
  const { witnesses = [], timestampUrl } = changes
  const log = await openLog({
    ...places,
    witnesses,
    timestampUrl,
    now,
    record: (event) => events.push(event),
  })
  return {
    log,
    places,
    events,
    advance: (seconds) => {
      offset += seconds
    },
    async close() {
      await log.stop()
      await places.store.close()
    },
  }
}

/** A seed that no other leaf has. */
export function freshSeed(): number {
  return randomBytes(6).readUIntBE(0, 6)
}
