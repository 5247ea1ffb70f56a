/** Disk guard: below a reserve of free space, requests that write are refused before the disk is full. */
import { statfs } from 'node:fs/promises'
import { ProblemError } from '../problems/problem-error.ts'

/** Seconds. */
const retryAfter = 30

/** Hysteresis: the service recovers at this multiple of the reserve. */
const recoveryFactor = 1.125

export interface DiskState {
  /** Bytes; `undefined` when unknown. */
  readonly free: number | undefined
  readonly reserve: number
  readonly isLow: boolean
}

export interface DiskGuard {
  /** @throws ProblemError `unavailable` with `reason: "storage_full"` while free space is below the reserve. */
  assertSpace(): void
  state(): DiskState
  stop(): void
}

export interface DiskSettings {
  /** The folder with the least free space counts. Empty: no check. */
  readonly folders: readonly string[]
  /** Bytes. */
  readonly reserve: number
  /** Milliseconds between two checks. */
  readonly period?: number
  /** Free bytes of a folder; injectable for tests. */
  readonly freeOf?: (folder: string) => Promise<number>
  /** Called on every transition, and after the first check when space is low. */
  readonly onChange: (state: DiskState) => void
}

export type DiskOverrides = Pick<DiskSettings, 'freeOf' | 'period'>

/** Resolves after the first check. */
export async function guardDisk(settings: DiskSettings): Promise<DiskGuard> {
  const { folders, reserve, period = 2_000, freeOf = freeBytesOf, onChange } = settings
  let state: DiskState = { free: undefined, reserve, isLow: false }
  const check = async (): Promise<void> => {
    const results = await Promise.all(folders.map((folder) => freeOf(folder).catch(() => undefined)))
    const known = results.filter((free) => free !== undefined)
    const free = known.length === 0 ? undefined : Math.min(...known)
    const isLow = free !== undefined && free < (state.isLow ? reserve * recoveryFactor : reserve)
    const hasChanged = isLow !== state.isLow
    state = { free, reserve, isLow }
    if (hasChanged) onChange(state)
  }
  await check()
  let isChecking = false
  const timer = setInterval(() => {
    if (isChecking) return
    isChecking = true
    void check().finally(() => {
      isChecking = false
    })
  }, period)
  timer.unref()
  return {
    assertSpace() {
      if (!state.isLow) return
      throw new ProblemError('unavailable', 'free disk space is below the reserve', {
        retryAfter,
        members: { reason: 'storage_full' },
      })
    },
    state: () => state,
    stop: () => clearInterval(timer),
  }
}

/** Space available to unprivileged processes. */
async function freeBytesOf(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder)
  return bavail * bsize
}
