/** Concurrency and rate limits of outgoing requests. */
import { startDelay } from './clock.ts'

/** `high` overtakes all waiting requests; `low` goes last. */
export type Priority = 'high' | 'normal' | 'low'

/** WeChat's own limit, which includes the mini program's uploads and downloads. It queues the rest without priorities. */
const MAX_CONCURRENT = 10

/** A semaphore with priorities, FIFO within a priority. */
export class Queue {
  private free = MAX_CONCURRENT
  private readonly waiting: Record<Priority, (() => void)[]> = { high: [], normal: [], low: [] }

  /** Runs `send` when a slot is free. */
  async run<T>(priority: Priority, send: () => Promise<T>): Promise<T> {
    if (this.free > 0) this.free -= 1
    else await new Promise<void>((resolve) => this.waiting[priority].push(resolve))
    try {
      return await send()
    } finally {
      const { high, normal, low } = this.waiting
      const next = high.shift() ?? normal.shift() ?? low.shift()
      if (next === undefined) this.free += 1
      else next()
    }
  }
}

/** Seconds. Instead of a longer wait, the request is sent and refused. */
const MAX_WAIT = 20

/** Follows the service's `RateLimit` field (draft-ietf-httpapi-ratelimit-headers-10). */
export class Throttle {
  private readonly seconds: () => number
  private opensAt = 0

  /** @param seconds a clock in seconds */
  constructor(seconds: () => number) {
    this.seconds = seconds
  }

  /** @param field from a verified answer */
  update(field = ''): void {
    for (const exhausted of field.match(/;r=0;t=\d{1,5}/g) ?? []) {
      this.opensAt = Math.max(this.opensAt, this.seconds() + Number(exhausted.slice(7)))
    }
  }

  /** Resolves when the service's quota is available again. */
  async waitForCapacity(): Promise<void> {
    const wait = this.opensAt - this.seconds()
    if (wait > 0 && wait <= MAX_WAIT) await startDelay(wait * 1000).done
  }
}
