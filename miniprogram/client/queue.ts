/** Who may send now: WeChat carries ten requests at a time, and lets the rest wait without any order. */

/** `high` goes before everything that waits, `low` after it. */
export type Priority = 'high' | 'normal' | 'low'

/** What WeChat carries at a time, uploads and downloads of the mini program's own included. */
const MAX_CONCURRENT = 10

/** Places in flight, given out by priority and then in the order of asking. */
export class Queue {
  private free = MAX_CONCURRENT
  private readonly waiting: Record<Priority, (() => void)[]> = { high: [], normal: [], low: [] }

  /** Runs `send` as soon as there is a place for it. */
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
