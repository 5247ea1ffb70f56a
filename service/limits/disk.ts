/** Free space where the service writes: below a reserve nothing new is taken, before the disk is full in the middle. */
import { statfs } from 'node:fs/promises'
import { ProblemError } from '../problems/problem-error.ts'

/** Seconds after which a refused request may be sent again. */
const retryAfter = 30

/** Space must come back to so much of the reserve, so that the service does not change its mind with every commit. */
const recovered = 1.125

export interface DiskState {
  /** Bytes; `undefined`: the system does not say. */
  readonly free: number | undefined
  readonly reserve: number
  readonly isLow: boolean
}

export interface DiskGuard {
  /** @throws ProtocolError `unavailable` with `reason: "storage_full"` while free space is below the reserve. */
  assertSpace(): void
  state(): DiskState
  stop(): void
}

export interface DiskSettings {
  /** Folders of the database and of the data; the one with the least room counts. Empty: nothing is watched. */
  readonly folders: readonly string[]
  /** Bytes; 0: nothing is watched. */
  readonly reserve: number
  /** Milliseconds between two looks. */
  readonly period?: number
  /** Free bytes of a folder, for tests. */
  readonly freeOf?: (folder: string) => Promise<number>
  /** Called when space has become low or enough, and with the first look when it is low. */
  readonly onChange: (state: DiskState) => void
}

/** A guard that has looked once. */
export async function guardDisk(settings: DiskSettings): Promise<DiskGuard> {
  const { folders, reserve, period = 2_000, freeOf = freeBytesOf, onChange } = settings
  let state: DiskState = { free: undefined, reserve, isLow: false }
  const look = async (): Promise<void> => {
    const found = await Promise.all(folders.map((folder) => freeOf(folder).catch(() => undefined)))
    const known = found.filter((free) => free !== undefined)
    const free = known.length === 0 ? undefined : Math.min(...known)
    const isLow = free !== undefined && free < (state.isLow ? reserve * recovered : reserve)
    const hasChanged = isLow !== state.isLow
    state = { free, reserve, isLow }
    if (hasChanged) onChange(state)
  }
  await look()
  let running = false
  const timer = setInterval(() => {
    if (running) return
    running = true
    void look().finally(() => {
      running = false
    })
  }, period)
  timer.unref()
  return {
    assertSpace() {
      if (!state.isLow) return
      throw new ProblemError('unavailable', 'the disk is nearly full', {
        retryAfter,
        members: { reason: 'storage_full' },
      })
    },
    state: () => state,
    stop: () => clearInterval(timer),
  }
}

/** What an ordinary user may still write. */
async function freeBytesOf(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder)
  return bavail * bsize
}
