/** One limit: so many of each key in a window, with bounded memory. */
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
import type { Rate } from './settings.ts'

/**
 * Keys that one limit remembers. `RateLimiterMemory` keeps every key of its window, and keys are attacker-controlled
 * (addresses), so the key that was seen longest ago gives way. Who has more addresses than this gains nothing by it that
 * the addresses alone would not give.
 */
const defaultMaxKeys = 20_000

/** What is left of a limit for one key. */
export interface Quota {
  readonly isWithin: boolean
  readonly remaining: number
  /** Whole seconds, at least 1, until the window starts anew. */
  readonly resetsIn: number
}

export interface Window {
  /** Counts one more of `key`, also when it is over the limit; that does not make the window longer. */
  take(key: string): Promise<Quota>
  /** Counts so many more of `key`. */
  add(key: string, count: number): Promise<void>
  /** Counts nothing. Within: the next one would not be refused. */
  look(key: string): Promise<Quota>
}

/** Counts in the memory of this process: several processes each have their own count. */
export function createWindow({ count, seconds }: Rate, maxKeys = defaultMaxKeys): Window {
  const limiter = new RateLimiterMemory({ points: count, duration: seconds })
  // In the order of their last use.
  const keys = new Set<string>()
  const remember = (key: string): void => {
    keys.delete(key)
    keys.add(key)
    if (keys.size <= maxKeys) return
    const [oldest = key] = keys
    keys.delete(oldest)
    // At once, although it returns a promise: it is a deletion from a map.
    void limiter.delete(oldest)
  }
  return {
    async take(key) {
      remember(key)
      try {
        return quotaOf(await limiter.consume(key), true)
      } catch (thrown) {
        // It rejects with the state of the key, which is not an error.
        if (thrown instanceof RateLimiterRes) return quotaOf(thrown, false)
        throw thrown
      }
    },
    async add(key, points) {
      remember(key)
      await limiter.penalty(key, points)
    },
    async look(key) {
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
