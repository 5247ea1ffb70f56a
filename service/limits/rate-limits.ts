/** Rate limits: fixed windows per key with bounded memory, their response fields, and the daily storage quota. */
import type { Field } from 'miniseal-protocol/frames/binary-http'
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
import { ProblemError } from '../problems/problem-error.ts'
import type { LimitSettings, Rate } from './settings.ts'

/**
 * Keys per window. Keys are attacker-controlled (addresses), and `RateLimiterMemory` does not bound them, so the least
 * recently used one is evicted. That helps only an attacker with more addresses, whose allowances exceed a window anyway.
 */
const defaultMaxKeys = 20_000

/** State of one key. */
export interface Quota {
  readonly isWithin: boolean
  readonly remaining: number
  /** Whole seconds until the window restarts, at least 1. */
  readonly resetsIn: number
}

export interface Window {
  /** Counts one event. Events over the limit do not extend the window. */
  consume(key: string): Promise<Quota>
  add(key: string, count: number): Promise<void>
  /** Counts nothing. `isWithin`: the next event would be admitted. */
  peek(key: string): Promise<Quota>
}

/** Counts in memory: each process has its own window. */
export function createWindow({ count, seconds }: Rate, maxKeys = defaultMaxKeys): Window {
  const limiter = new RateLimiterMemory({ points: count, duration: seconds })
  // Least recently used first.
  const keys = new Set<string>()
  const touch = (key: string): void => {
    keys.delete(key)
    keys.add(key)
    if (keys.size <= maxKeys) return
    const [oldest = key] = keys
    keys.delete(oldest)
    // Synchronous, although it returns a promise.
    void limiter.delete(oldest)
  }
  return {
    async consume(key) {
      touch(key)
      try {
        return quotaOf(await limiter.consume(key), true)
      } catch (thrown) {
        // Over the limit it rejects with the state of the key.
        if (thrown instanceof RateLimiterRes) return quotaOf(thrown, false)
        throw thrown
      }
    },
    async add(key, points) {
      touch(key)
      await limiter.penalty(key, points)
    },
    async peek(key) {
      const found = await limiter.get(key)
      return found === null
        ? { isWithin: true, remaining: count, resetsIn: seconds }
        : quotaOf(found, found.consumedPoints < count)
    },
  }
}

function quotaOf({ remainingPoints, msBeforeNext }: RateLimiterRes, isWithin: boolean): Quota {
  return { isWithin, remaining: remainingPoints, resetsIn: Math.max(1, Math.ceil(msBeforeNext / 1000)) }
}

/** A limit and its state for one request. */
export interface Counted {
  readonly name: 'device' | 'user' | 'app' | 'key' | 'outcome'
  readonly rate: Rate
  readonly quota: Quota
}

/** Fields `ratelimit-policy` and `ratelimit` (draft-ietf-httpapi-ratelimit-headers-10), one member per limit. */
export function rateLimitFields(counted: readonly Counted[]): readonly Field[] {
  const policies = counted.map(({ name, rate }) => `"${name}";q=${rate.count};w=${rate.seconds}`)
  const states = counted.map(({ name, quota }) => `"${name}";r=${quota.remaining};t=${quota.resetsIn}`)
  return [
    ['ratelimit-policy', policies.join(', ')],
    ['ratelimit', states.join(', ')],
  ]
}

/** Bytes stored per unsafe request in addition to its response: log entry, idempotency record, nonce, challenge. */
export const storedPerRequest = 2_048

export interface StorageOwner {
  readonly user: string
  readonly device: string
}

/** Bounds the bytes stored per day for one device and for one user. */
export interface StorageQuota {
  /** Checked before an unsafe request is claimed. @throws ProblemError `rate_limited` (429) when the quota is used up. */
  assertWithin(owner: StorageOwner): Promise<void>
  /** Counts a stored response. @param bytes of the response */
  charge(owner: StorageOwner, bytes: number): Promise<void>
}

const owners = ['device', 'user'] as const

export function createStorageQuota({
  stored_mib_device,
  stored_mib_user,
}: Pick<LimitSettings, 'stored_mib_device' | 'stored_mib_user'>): StorageQuota {
  const windows = { device: byteWindow(stored_mib_device), user: byteWindow(stored_mib_user) }
  return {
    async assertWithin(owner) {
      for (const name of owners) {
        const { isWithin, resetsIn } = await windows[name].peek(owner[name])
        if (isWithin) continue
        const details = { status: 429, retryAfter: resetsIn } as const
        throw new ProblemError('rate_limited', `daily storage quota of this ${name} exceeded`, details)
      }
    },
    async charge(owner, bytes) {
      for (const name of owners) await windows[name].add(owner[name], storedPerRequest + bytes)
    },
  }
}

function byteWindow({ count, seconds }: Rate): Window {
  return createWindow({ count: count * 1_048_576, seconds })
}
