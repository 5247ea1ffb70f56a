/** Bounds what one device and one user make the service store in a day: answers that are kept, and what comes with each. */
import { ProblemError } from '../problems/problem-error.ts'
import type { LimitSettings, Rate } from './settings.ts'
import { createWindow, type Window } from './window.ts'

/** Bytes of an unsafe request's rows besides its answer: entry of the log, idempotency record, nonce, challenge. */
export const storedPerRequest = 2_048

/** Whose request it is. */
export interface Storer {
  readonly user: string
  readonly device: string
}

export interface StorageQuota {
  /** Asked before an unsafe request is claimed. @throws ProblemError `rate_limited` (429) once the day's quota is used up. */
  assertWithin(storer: Storer): Promise<void>
  /** Counts what was stored; never refuses, as it is stored already. @param bytes of the answer */
  charge(storer: Storer, bytes: number): Promise<void>
}

const mebibyte = 1_048_576

/** Counts in the memory of this process, as all limits. */
export function createStorageQuota({
  stored_mib_device,
  stored_mib_user,
}: Pick<LimitSettings, 'stored_mib_device' | 'stored_mib_user'>): StorageQuota {
  const windows = { device: windowOf(stored_mib_device), user: windowOf(stored_mib_user) }
  const names = ['device', 'user'] as const
  return {
    async assertWithin(storer) {
      for (const name of names) {
        const { isWithin, resetsIn } = await windows[name].look(storer[name])
        if (isWithin) continue
        const details = { status: 429, retryAfter: resetsIn } as const
        throw new ProblemError('rate_limited', `this ${name} has stored too much today`, details)
      }
    },
    async charge(storer, bytes) {
      for (const name of names) await windows[name].add(storer[name], storedPerRequest + bytes)
    },
  }
}

function windowOf({ count, seconds }: Rate): Window {
  return createWindow({ count: count * mebibyte, seconds })
}
